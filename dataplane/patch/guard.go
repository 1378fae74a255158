package patch

import (
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"wirepatch/dataplane/protocol"
)

// A guard is one necessary condition of a rule: unless one of its literals is
// there, the rule's condition cannot be true, so CEL need not be asked.
// Literals are compared without ASCII case, which is weaker than the condition
// and therefore safe.
type guard []literal

type literal struct {
	subject string // field or message variable
	isVar   bool
	exact   bool // the whole value, not a part of it
	text    string
}

// maxGuard bounds the alternatives of one guard; beyond, CEL is asked instead.
const maxGuard = 64

// minPart is the shortest literal worth searching for within a value.
const minPart = 2

// guardsOf finds the guards of a condition.
func guardsOf(a *celast.AST, elem protocol.ElementType, s *protocol.Schema) []guard {
	g := &guarder{elem: elem, schema: s}
	return g.conjuncts(a.Expr())
}

type guarder struct {
	elem   protocol.ElementType
	schema *protocol.Schema
}

// conjuncts returns the guards that hold all at once.
func (g *guarder) conjuncts(e celast.Expr) []guard {
	if e.Kind() != celast.CallKind {
		return nil
	}
	c := e.AsCall()
	if c.FunctionName() == operators.LogicalAnd {
		var out []guard
		for _, arg := range c.Args() {
			out = append(out, g.conjuncts(arg)...)
		}
		return out
	}
	if one := g.one(c); one != nil {
		return []guard{one}
	}
	return nil
}

// one returns the guard of a call that is no conjunction; nil when it has none.
func (g *guarder) one(c celast.CallExpr) guard {
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalOr:
		return g.either(args)
	case operators.Equals:
		if l := g.compare(args[0], args[1], true); l != nil {
			return l
		}
		return g.compare(args[1], args[0], true)
	case operators.In:
		return g.in(args[0], args[1])
	case "contains", "startsWith", "endsWith":
		if c.IsMemberFunction() && len(args) == 1 {
			return g.compare(c.Target(), args[0], false)
		}
	}
	return nil
}

// either is the guard of "a || b": each side must have one, and any of them
// lets the rule through.
func (g *guarder) either(args []celast.Expr) guard {
	var out guard
	for _, a := range args {
		best := shortest(g.conjuncts(a))
		if best == nil {
			return nil
		}
		out = append(out, best...)
	}
	if len(out) > maxGuard {
		return nil
	}
	return out
}

func shortest(gs []guard) guard {
	var best guard
	for _, g := range gs {
		if best == nil || len(g) < len(best) {
			best = g
		}
	}
	return best
}

func (g *guarder) in(x, list celast.Expr) guard {
	if list.Kind() != celast.ListKind || list.AsList().Size() > maxGuard {
		return nil
	}
	var out guard
	for _, item := range list.AsList().Elements() {
		one := g.compare(x, item, true)
		if one == nil {
			return nil
		}
		out = append(out, one...)
	}
	return out
}

func (g *guarder) compare(subject, constant celast.Expr, exact bool) guard {
	if constant.Kind() != celast.LiteralKind {
		return nil
	}
	s, ok := constant.AsLiteral().(types.String)
	if !ok || !exact && len(s) < minPart {
		return nil
	}
	l := literal{exact: exact, text: lowerASCII(string(s))}
	if l.subject = subjectOf(subject); l.subject == "" {
		return nil
	}
	if f, ok := g.elem.Fields[l.subject]; ok {
		if f.Type != protocol.String {
			return nil
		}
		return guard{l}
	}
	if v, ok := g.schema.Vars[l.subject]; ok && v.Type == protocol.String {
		l.isVar = true
		return guard{l}
	}
	return nil
}

// subjectOf names the variable that an expression is, seen through changes of
// ASCII case, which a guard does not mind.
func subjectOf(e celast.Expr) string {
	switch e.Kind() {
	case celast.IdentKind:
		return e.AsIdent()
	case celast.SelectKind:
		sel := e.AsSelect()
		if sel.IsTestOnly() {
			return ""
		}
		if of := subjectOf(sel.Operand()); of != "" {
			return of + "." + sel.FieldName()
		}
	case celast.CallKind:
		c := e.AsCall()
		if n := c.FunctionName(); c.IsMemberFunction() && (n == "lowerAscii" || n == "upperAscii") {
			return subjectOf(c.Target())
		}
	}
	return ""
}

// lowerASCII lowers A to Z and leaves every other byte as it is.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return string(appendLower(make([]byte, 0, len(s)), s))
		}
	}
	return s
}

func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}
