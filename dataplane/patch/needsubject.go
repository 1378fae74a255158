package patch

import (
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"wirepatch/dataplane/protocol"
)

// subject is the field or message variable that an expression shows.
type subject struct {
	ok     bool
	name   string
	isVar  bool
	typ    protocol.Type
	folded bool // through a change of ASCII case
	part   bool // a part of it
	value  bool // a value of a map
}

func (s subject) claim(how claimKind, test func(any) bool) *need {
	typ := s.typ
	if s.value {
		typ = protocol.StringMap
	}
	return &need{claim: claim{how: how, subject: s.name, isVar: s.isVar, typ: typ, test: test}}
}

// subject finds what an expression shows. What it shows of a map is a text, of
// which the claim says that one of the map's values has it.
func (n *needer) subject(e celast.Expr) subject {
	switch e.Kind() {
	case celast.IdentKind:
		return n.named(e.AsIdent())
	case celast.SelectKind:
		return n.named(dotted(e))
	case celast.CallKind:
		return n.seenThrough(e.AsCall())
	}
	return subject{}
}

// dotted is the name that nested selections spell; "" when they do not.
func dotted(e celast.Expr) string {
	switch e.Kind() {
	case celast.IdentKind:
		return e.AsIdent()
	case celast.SelectKind:
		sel := e.AsSelect()
		if of := dotted(sel.Operand()); of != "" && !sel.IsTestOnly() {
			return of + "." + sel.FieldName()
		}
	}
	return ""
}

func (n *needer) named(name string) subject {
	if first, _, _ := strings.Cut(name, "."); n.bound != nil {
		if m, ok := n.bound[first]; ok {
			if first != name {
				return subject{}
			}
			return m.subject
		}
	}
	if f, ok := n.elem.Fields[name]; ok {
		return subject{ok: true, name: name, typ: f.Type}
	}
	if v, ok := n.schema.Vars[name]; ok {
		return subject{ok: true, name: name, isVar: true, typ: v.Type}
	}
	return subject{}
}

// parts are functions whose result is a part of the text that they are called on.
var parts = []string{"trim", "substring"}

// seenThrough looks through functions that change ASCII case alone, or take a
// part.
func (n *needer) seenThrough(c celast.CallExpr) subject {
	if c.FunctionName() == operators.Index {
		list := c.Args()[0]
		if list.Kind() != celast.CallKind || list.AsCall().FunctionName() != "split" || !list.AsCall().IsMemberFunction() {
			return subject{}
		}
		return n.part(list.AsCall().Target())
	}
	if !c.IsMemberFunction() {
		return subject{}
	}
	switch f := c.FunctionName(); {
	case f == "first":
		s := n.subject(c.Target())
		s.ok = s.ok && s.typ == protocol.StringMap
		s.typ, s.part, s.value = protocol.String, true, true
		return s
	case f == "lowerAscii", f == "upperAscii":
		s := n.subject(c.Target())
		s.folded = true
		s.ok = s.ok && s.typ == protocol.String
		return s
	case slices.Contains(parts, f):
		return n.part(c.Target())
	}
	return subject{}
}

func (n *needer) part(of celast.Expr) subject {
	s := n.subject(of)
	s.part = true
	s.ok = s.ok && s.typ == protocol.String
	return s
}
