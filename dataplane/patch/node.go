package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reader walks the YAML tree of one file and gathers its faults, so that an
// author sees all of them at once.
type reader struct {
	file string
	errs []*Error
}

func (r *reader) pos(n ast.Node) Pos {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return Pos{File: r.file}
	}
	p := n.GetToken().Position
	return Pos{r.file, p.Line, p.Column}
}

func (r *reader) fail(p Pos, format string, args ...any) {
	const most = 50
	if len(r.errs) < most {
		r.errs = append(r.errs, p.errorf(format, args...))
	}
}

// entry is one "key: value" of a mapping.
type entry struct {
	key  string
	pos  Pos // of the key
	node ast.Node
}

// mapping returns n's entries in order. Keys outside known, and double keys,
// are faults; known == nil allows any.
func (r *reader) mapping(n ast.Node, what string, known ...string) []entry {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		want := "a mapping, as in NAME: TEXT"
		if len(known) > 0 {
			want = "a mapping with the keys " + strings.Join(known, ", ")
		}
		r.fail(r.pos(n), "%s: found %s; want %s", what, kindOf(n), want)
		return nil
	}
	seen := map[string]bool{}
	var out []entry
	for _, v := range values {
		key, pos, ok := r.key(v)
		if !ok {
			continue
		}
		if seen[key] {
			r.fail(pos, "%s: key %q is there twice; want it once", what, key)
			continue
		}
		seen[key] = true
		if known != nil && !slices.Contains(known, key) {
			r.fail(pos, "%s: unknown key %q; want one of %s", what, key, strings.Join(known, ", "))
			continue
		}
		out = append(out, entry{key, pos, v.Value})
	}
	return out
}

func (r *reader) key(v *ast.MappingValueNode) (string, Pos, bool) {
	pos := r.pos(v.Key)
	s, ok := v.Key.(*ast.StringNode)
	if !ok {
		r.fail(pos, "key is %s; want plain text", kindOf(v.Key))
		return "", pos, false
	}
	return s.Value, pos, true
}

// list returns the items of a sequence.
func (r *reader) list(n ast.Node, what string) []ast.Node {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(r.pos(n), "%s: found %s; want a list", what, kindOf(n))
		return nil
	}
	return s.Values
}

// text returns a scalar as it is written. Numbers, booleans and null are not
// text: a value that YAML would turn into something else must be quoted.
func (r *reader) text(n ast.Node, what string) Text {
	t := Text{Pos: r.pos(n)}
	switch s := n.(type) {
	case *ast.StringNode:
		t.Value = s.Value
		if q := s.Token.Origin; strings.HasPrefix(strings.TrimLeft(q, " \n"), `"`) || strings.HasPrefix(strings.TrimLeft(q, " \n"), "'") {
			t.Column++
		}
	case *ast.LiteralNode:
		t.Value, t.block = s.Value.Value, true
	default:
		r.fail(t.Pos, "%s: found %s; want text (in quotes when it looks like something else)", what, kindOf(n))
		return t
	}
	if len(t.Value) > MaxText {
		r.fail(t.Pos, "%s: text of %d bytes; want at most %d", what, len(t.Value), MaxText)
		t.Value = ""
	}
	return t
}

func (r *reader) texts(n ast.Node, what string) []string {
	var out []string
	for _, v := range r.list(n, what) {
		out = append(out, r.text(v, what).Value)
	}
	return out
}

func (r *reader) number(n ast.Node, what string, low, high int) int {
	if i, ok := n.(*ast.IntegerNode); ok {
		if v, err := strconv.Atoi(i.Token.Value); err == nil && v >= low && v <= high {
			return v
		}
	}
	r.fail(r.pos(n), "%s: found %s; want a whole number from %d to %d", what, shown(n), low, high)
	return low
}

func (r *reader) boolean(n ast.Node, what string) bool {
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value
	}
	r.fail(r.pos(n), "%s: found %s; want true or false", what, shown(n))
	return false
}

// kindOf names what an author has written there.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode:
		return "a number"
	case *ast.BoolNode:
		return "a truth value"
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode, *ast.TagNode:
		return "an anchor, alias or tag, which definitions do not have"
	}
	return fmt.Sprintf("a YAML %s", strings.ToLower(n.Type().String()))
}

func shown(n ast.Node) string {
	const most = 40
	if n == nil || n.GetToken() == nil {
		return kindOf(n)
	}
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.BoolNode:
		s := n.GetToken().Value
		if len(s) > most {
			s = s[:most] + "…"
		}
		return strconv.Quote(s)
	}
	return kindOf(n)
}
