package patch

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// template is a compiled template.
type template struct {
	parts []part
}

type part struct {
	text string
	prog cel.Program // nil: text
}

// template compiles the expressions of a template for the rule's element. An
// empty template is valid and empty.
func (c *compiler) template(t Text) *template {
	segments, bad, ok := splitTemplate(t.Value)
	if !ok {
		c.fail(t.inside(lineColumn(t.Value, bad)), "${ has no closing brace; want ${ expression }, or $${ for the two characters")
		return nil
	}
	out := &template{}
	for _, s := range segments {
		if !s.expr {
			out.parts = append(out.parts, part{text: s.text})
			continue
		}
		at := t
		at.Pos, at.block, at.Value = t.inside(lineColumn(t.Value, s.at)), false, s.text
		prog, _ := c.program(at, s.text, c.at, cel.StringType, cel.IntType, cel.BoolType)
		out.parts = append(out.parts, part{prog: prog})
	}
	return out
}

// fill evaluates a template. escape, when not nil, is applied to what the
// expressions yield, not to the text around them.
func (t *template) fill(act cel.Activation, escape func(string) string) (string, error) {
	if len(t.parts) == 0 {
		return "", nil
	}
	if len(t.parts) == 1 && t.parts[0].prog == nil {
		return t.parts[0].text, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		s := p.text
		if p.prog != nil {
			v, _, err := p.prog.Eval(act)
			if err != nil {
				return "", err
			}
			if s, err = textOf(v); err != nil {
				return "", err
			}
			if escape != nil {
				s = escape(s)
			}
		}
		if b.Len()+len(s) > MaxVector {
			return "", fmt.Errorf("text grows over %d bytes", MaxVector)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func textOf(v any) (string, error) {
	switch x := v.(type) {
	case types.String:
		return string(x), nil
	case types.Int, types.Bool:
		return fmt.Sprint(x), nil
	}
	return "", fmt.Errorf("value has type %T; want text, a whole number or a truth value", v)
}
