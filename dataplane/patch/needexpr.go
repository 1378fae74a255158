package patch

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"wirepatch/dataplane/protocol"
)

// needOf works out what a condition needs.
func needOf(a *celast.AST, elem protocol.ElementType, s *protocol.Schema) *need {
	n := &needer{elem: elem, schema: s}
	return n.of(a.Expr(), true)
}

type needer struct {
	elem   protocol.ElementType
	schema *protocol.Schema
	bound  map[string]meaning // by name: what cel.bind gives one
}

// meaning is what a bound name shows, and what it needs to be true, and false.
type meaning struct {
	subject subject
	yes, no *need
	counts  bool        // working it out does
	stands  celast.Expr // what stands for it anywhere: a constant, or a list; nil: nothing
}

// bind is n within a cel.bind.
func (n *needer) bind(c celast.ComprehensionExpr) *needer {
	init := c.AccuInit()
	in := &needer{elem: n.elem, schema: n.schema, bound: maps.Clone(n.bound)}
	if in.bound == nil {
		in.bound = map[string]meaning{}
	}
	m := meaning{subject: n.subject(init), yes: n.of(init, true), no: n.of(init, false), counts: n.counts(init)}
	if k := init.Kind(); k == celast.LiteralKind || k == celast.ListKind {
		m.stands = init
	}
	in.bound[c.AccuVar()] = m
	return in
}

// binds says whether a comprehension is what cel.bind is made into: nothing is gone
// through.
func binds(c celast.ComprehensionExpr) bool {
	over := c.IterRange()
	return over.Kind() == celast.ListKind && over.AsList().Size() == 0
}

// of is what an expression needs to be want. An error is neither.
func (n *needer) of(e celast.Expr, want bool) *need {
	switch e.Kind() {
	case celast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok && bool(b) != want {
			return never()
		}
	case celast.ComprehensionKind:
		if c := e.AsComprehension(); binds(c) {
			return n.bind(c).of(c.Result(), want)
		}
	case celast.IdentKind, celast.SelectKind:
		if m, ok := n.bound[dotted(e)]; ok && !m.subject.ok {
			if want {
				return m.yes
			}
			return m.no
		}
		if s := n.subject(e); s.ok && !s.part && s.typ == protocol.Bool {
			return s.claim(claimTest, func(v any) bool { b, ok := v.(bool); return !ok || b == want })
		}
	case celast.CallKind:
		return n.call(e.AsCall(), want)
	}
	return nil
}

func (n *needer) call(c celast.CallExpr, want bool) *need {
	args := c.Args()
	switch f := c.FunctionName(); f {
	case operators.LogicalAnd:
		return n.both(args[0], args[1], want, want)
	case operators.LogicalOr:
		return n.both(args[0], args[1], want, !want)
	case operators.LogicalNot:
		return n.of(args[0], !want)
	case operators.Conditional:
		if n.counts(args[0]) {
			return nil
		}
		return anyOf(allOf(n.of(args[0], true), n.of(args[1], want)), allOf(n.of(args[0], false), n.of(args[2], want)))
	case operators.Equals:
		return n.equal(args[0], args[1], want)
	case operators.NotEquals:
		return n.equal(args[0], args[1], !want)
	case operators.In:
		return n.in(args[0], args[1], want)
	case operators.Greater, operators.GreaterEquals:
		return n.large(args[0], args[1], f == operators.Greater, want)
	case operators.Less, operators.LessEquals:
		return n.large(args[1], args[0], f == operators.Less, want)
	case "contains", "startsWith", "endsWith", "matches":
		if c.IsMemberFunction() && len(args) == 1 {
			return n.search(f, c.Target(), args[0], want)
		}
	}
	return nil
}

// both is what two sides of && or || need. What stands behind something that
// counts is left out: that it is reached is what is counted.
func (n *needer) both(a, b celast.Expr, want, all bool) *need {
	x, y := n.of(a, want), n.of(b, want)
	if n.counts(a) {
		y = nil
	}
	if all {
		return allOf(x, y)
	}
	return anyOf(x, y)
}

// counts says whether evaluating e is itself remembered.
func (n *needer) counts(e celast.Expr) bool {
	found := false
	celast.PreOrderVisit(e, celast.NewExprVisitor(func(e celast.Expr) {
		found = found || e.Kind() == celast.CallKind && e.AsCall().FunctionName() == "rate" || e.Kind() == celast.IdentKind && n.bound[e.AsIdent()].counts
	}))
	return found
}

// meant is a constant or a list for the name that stands for one.
func (n *needer) meant(e celast.Expr) celast.Expr {
	if e.Kind() == celast.IdentKind && n.bound[e.AsIdent()].stands != nil {
		return n.bound[e.AsIdent()].stands
	}
	return e
}

func (n *needer) equal(a, b celast.Expr, want bool) *need {
	a, b = n.meant(a), n.meant(b)
	if a.Kind() == celast.LiteralKind {
		a, b = b, a
	}
	x := n.subject(a)
	if !x.ok {
		return nil
	}
	if y := n.subject(b); y.ok {
		if want || x.folded || y.folded || x.part || y.part || x.typ != protocol.String || y.typ != protocol.String {
			return nil
		}
		out := x.claim(claimDiffers, nil)
		out.other = y.name
		return out
	}
	return n.oneOf(x, []celast.Expr{b}, want)
}

func (n *needer) in(x, list celast.Expr, want bool) *need {
	x, list = n.meant(x), n.meant(list)
	if list.Kind() == celast.ListKind {
		if s := n.subject(x); s.ok {
			return n.oneOf(s, list.AsList().Elements(), want)
		}
		return nil
	}
	text, ok := constant(x)
	if s := n.subject(list); ok && want && s.ok && s.typ == protocol.StringMap && !s.part {
		out := s.claim(claimKey, nil)
		out.texts = []string{lowerASCII(text)}
		return out
	}
	return nil
}

// oneOf is what a subject needs to be, or not to be, one of some constants.
func (n *needer) oneOf(s subject, list []celast.Expr, want bool) *need {
	var texts []string
	var numbers []int64
	for _, e := range list {
		if e.Kind() != celast.LiteralKind {
			return nil
		}
		switch v := e.AsLiteral().(type) {
		case types.String:
			texts = append(texts, string(v))
		case types.Int:
			numbers = append(numbers, int64(v))
		default:
			return nil
		}
	}
	switch {
	case s.typ == protocol.String && len(numbers) == 0:
		var test func(any) bool
		if !s.folded && !s.part {
			test = testText(func(v string) bool { return slices.Contains(texts, v) == want })
		}
		if !want {
			return s.claim(claimTest, test)
		}
		how := claimIs
		if s.part {
			how = claimHas
		}
		return s.textClaim(how, texts, test)
	case s.typ == protocol.Int && len(texts) == 0 && !s.part:
		test := func(v any) bool { i, ok := v.(int64); return !ok || slices.Contains(numbers, i) == want }
		if !want {
			return s.claim(claimTest, test)
		}
		out := s.claim(claimNumber, test)
		out.numbers = numbers
		return out
	}
	return nil
}

var searches = map[string]func(s, part string) bool{
	"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
}

// search is what contains, startsWith, endsWith and matches need.
func (n *needer) search(f string, in, of celast.Expr, want bool) *need {
	text, ok := constant(n.meant(of))
	s := n.subject(in)
	if !ok || !s.ok || s.typ != protocol.String {
		return nil
	}
	var test func(any) bool
	if f == "matches" {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil
		}
		if !s.folded && !s.part {
			test = testText(func(v string) bool { return re.MatchString(v) == want })
		}
		out := s.claim(claimTest, test)
		if want {
			out = allOf(s.regexp(text), out)
		}
		return out
	}
	if !s.folded && !s.part {
		test = testText(func(v string) bool { return searches[f](v, text) == want })
	}
	if !want {
		return s.claim(claimTest, test)
	}
	return s.textClaim(claimHas, []string{text}, test)
}

// large is what a number needs to be larger than a constant, or as large.
func (n *needer) large(x, than celast.Expr, strictly, want bool) *need {
	if than = n.meant(than); !want || than.Kind() != celast.LiteralKind {
		return nil
	}
	limit, ok := than.AsLiteral().(types.Int)
	if !ok || limit < 0 || limit > 1<<30 {
		return nil
	}
	least := int(limit)
	if strictly {
		least++
	}
	s, times := n.measured(x)
	if !s.ok {
		return nil
	}
	out := s.claim(claimSize, nil)
	out.least = least * times
	return out
}

// measured finds what a number is the size of, and how many octets at least each
// unit has.
func (n *needer) measured(e celast.Expr) (subject, int) {
	if e.Kind() == celast.CallKind {
		c := e.AsCall()
		args := c.Args()
		if c.IsMemberFunction() {
			args = append([]celast.Expr{c.Target()}, args...)
		}
		s := n.subject(args[0])
		if s.typ != protocol.String || s.folded || s.part && !s.value { // these may make more octets of octets that are no text
			return subject{}, 0
		}
		switch c.FunctionName() {
		case "size", "octets":
			return s, 1
		case "count":
			if text, ok := constant(args[1]); ok && text != "" {
				return s, len(text)
			}
		}
		return subject{}, 0
	}
	if s := n.subject(e); s.ok && !s.part && s.typ == protocol.Int {
		return s, 1
	}
	return subject{}, 0
}

func constant(e celast.Expr) (string, bool) {
	if e.Kind() != celast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// textClaim claims that the subject is, or has, one of some texts. What a change
// of case makes of octets that are no text is not known.
func (s subject) textClaim(how claimKind, texts []string, test func(any) bool) *need {
	out := s.claim(how, test)
	for _, t := range texts {
		if (s.folded || s.part) && strings.ContainsRune(t, utf8.RuneError) {
			return nil
		}
		out.texts = append(out.texts, lowerASCII(t))
	}
	return out
}
