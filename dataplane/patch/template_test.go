package patch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitTemplate(t *testing.T) {
	lit := func(s string, at int) segment { return segment{text: s, at: at} }
	expr := func(s string, at int) segment { return segment{text: s, expr: true, at: at} }
	tests := []struct {
		in   string
		want []segment
		bad  int // -1: none
	}{
		{"", nil, -1},
		{"a$b{}$", []segment{lit("a$b{}$", 0)}, -1},
		{"a${b}c", []segment{lit("a", 0), expr("b", 3), lit("c", 5)}, -1},
		{"$${b}${c}", []segment{lit("${b}", 0), expr("c", 7)}, -1},
		{"${{'a': 1}['a']}", []segment{expr("{'a': 1}['a']", 2)}, -1},
		{`${"}\"}" + '}'}x`, []segment{expr(`"}\"}" + '}'`, 2), lit("x", 15)}, -1},
		{`${r"\"}`, []segment{expr(`r"\"`, 2)}, -1},
		{`${'''}'}'''}`, []segment{expr(`'''}'}'''`, 2)}, -1},
		{"ab${c", nil, 2},
		{"${'c}", nil, 0},
	}
	for _, tt := range tests {
		got, bad, ok := splitTemplate(tt.in)
		if ok {
			bad = -1
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(segment{})); diff != "" || bad != tt.bad {
			t.Errorf("splitTemplate(%q) = bad at %d; want %d; segments (-want +got):\n%s", tt.in, bad, tt.bad, diff)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"a${b}c", "$${", "${{}}", `${"}"}`, `${r'\'}`, "${'''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		segments, bad, ok := splitTemplate(s)
		if !ok {
			if !strings.HasPrefix(s[bad:], "${") {
				t.Fatalf("splitTemplate(%q): offset %d is no opening", s, bad)
			}
			return
		}
		// Written back with its escapes, a template means the same.
		var b strings.Builder
		for _, g := range segments {
			if g.expr {
				b.WriteString("${" + g.text + "}")
				continue
			}
			b.WriteString(strings.ReplaceAll(g.text, "${", "$${"))
		}
		again, _, ok := splitTemplate(b.String())
		if !ok || len(again) != len(segments) {
			t.Fatalf("splitTemplate(%q) has %d segments; written back as %q it has %d, %v", s, len(segments), b.String(), len(again), ok)
		}
	})
}
