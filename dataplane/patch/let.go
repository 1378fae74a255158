package patch

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"github.com/goccy/go-yaml/ast"
)

// MaxLet bounds the expressions that a definition gives names.
const MaxLet = 32

// Named is an expression that a definition gives a name.
type Named struct {
	Name Text
	Expr Text
}

// lets reads the named expressions.
func (r *reader) lets(n ast.Node) []Named {
	var out []Named
	for _, e := range r.mapping(n, "let") {
		l := Named{Name: Text{Pos: e.pos, Value: e.key}, Expr: r.text(e.node, "let."+e.key)}
		if !reVariable.MatchString(e.key) {
			r.fail(e.pos, "let: name %q; want lower-case letters, digits and _", clip(e.key))
		}
		out = append(out, l)
	}
	if len(out) == 0 || len(out) > MaxLet {
		r.fail(r.pos(n), "let: found %d expressions; want 1 to %d", len(out), MaxLet)
	}
	return out
}

// checkLets refuses names that mean something else, and those that nothing uses.
func (c *compiler) checkLets() {
	for i, l := range c.def.Let {
		name := l.Name.Value
		taken := slices.Contains(reservedNames, name)
		for _, e := range c.schema.Elements {
			_, is := e.Fields[name]
			taken = taken || is
		}
		for v := range c.schema.Vars {
			first, _, _ := strings.Cut(v, ".")
			taken = taken || first == name
		}
		if taken {
			c.fail(l.Name.Pos, "let: %s is a field or variable of %s, or a word of conditions; want another name", name, c.schema.Protocol)
		} else if !c.letUsed[i] {
			c.fail(l.Name.Pos, "let: nothing uses %s; want a rule, or an expression behind it, that does", name)
		}
	}
}

// lets is how many named expressions there are.
func (c *compiler) lets() int {
	if c.def == nil {
		return 0
	}
	return len(c.def.Let)
}

// letsOf finds the named expressions that an expression uses, itself or through
// others, among the first n of them.
func (c *compiler) letsOf(env *cel.Env, src string, n int) []int {
	if n == 0 {
		return nil
	}
	uses := map[string]bool{}
	identsOf(env, src, uses)
	var out []int
	for i := n - 1; i >= 0; i-- {
		if l := &c.def.Let[i]; uses[l.Name.Value] {
			identsOf(env, l.Expr.Value, uses)
			out = append(out, i)
		}
	}
	slices.Reverse(out)
	return out
}

// identsOf adds the names in an expression. One that is no expression has none.
func identsOf(env *cel.Env, src string, names map[string]bool) {
	a, issues := env.Parse(src)
	if issues.Err() != nil {
		return
	}
	celast.PreOrderVisit(a.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() == celast.IdentKind {
			names[e.AsIdent()] = true
		}
	}))
}

// bound is an expression within what binds the names that it uses, and how many
// lines stand in front of it. Each value is worked out where it is first needed.
func (c *compiler) bound(src string, lets []int) (text string, lines int) {
	var b strings.Builder
	for _, i := range lets {
		l := &c.def.Let[i]
		b.WriteString("cel.bind(" + l.Name.Value + ", (" + l.Expr.Value + "\n),\n") // a comment may stand behind either
	}
	lines = strings.Count(b.String(), "\n")
	b.WriteString(src)
	if len(lets) > 0 {
		b.WriteString("\n" + strings.Repeat(")", len(lets)))
	}
	return b.String(), lines
}

// letsHold says whether the named expressions that an expression uses are ones at
// this kind; faults are told at their own place, once.
func (c *compiler) letsHold(env *cel.Env, kind string, lets []int) bool {
	holds := true
	for _, i := range lets {
		l := &c.def.Let[i]
		if c.letUsed == nil {
			c.letUsed, c.letFaulty = map[int]bool{}, map[int]bool{}
		}
		c.letUsed[i] = true
		text, lines := c.bound(l.Expr.Value, c.letsOf(env, l.Expr.Value, i))
		_, issues := env.Compile(text)
		if issues.Err() == nil {
			continue
		}
		if holds = false; c.letFaulty[i] {
			continue
		}
		c.letFaulty[i] = true
		for _, e := range issues.Errors() {
			if line := e.Location.Line() - lines; line > 0 {
				c.fail(l.Expr.inside(line, e.Location.Column()+1), "let: %s, for a rule at %s: %s", l.Name.Value, kind, c.explain(e.Message))
			}
		}
	}
	return holds
}
