// Package wholetest has rules for the tests of decoders of whole messages, which
// stand below package patch and cannot use real ones.
package wholetest

import (
	"fmt"
	"testing"

	"wirepatch/dataplane/protocol"
)

// Conn is the session of tests.
var Conn = protocol.Conn{ClientAddress: "192.0.2.1", ClientPort: 40000, ServerAddress: "198.51.100.1", ServerPort: 1000}

// Rules want every element and are asked about each.
type Rules func(m *protocol.Message, e *protocol.Element) *protocol.Correction

// Wants implements protocol.Rules.
func (Rules) Wants(string) bool { return true }

// Match implements protocol.Rules.
func (r Rules) Match(m *protocol.Message) []protocol.Correction {
	var out []protocol.Correction
	for i := range m.Elements {
		if c := r(m, &m.Elements[i]); c != nil {
			one := *c
			one.Definition, one.Element = "WP-1", i
			out = append(out, one)
		}
	}
	return out
}

// Harmless corrects nothing.
var Harmless = Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })

// Nobody are rules that ask for nothing.
type Nobody struct{}

// Wants implements protocol.Rules.
func (Nobody) Wants(string) bool { return false }

// Match implements protocol.Rules.
func (Nobody) Match(*protocol.Message) []protocol.Correction { return nil }

// At corrects each element of a kind.
func At(kind string, c protocol.Correction) Rules {
	return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		if e.Kind == kind {
			return &c
		}
		return nil
	}
}

// Lines writes the elements that rules are shown, one in a line, into to.
func Lines(to *string) Rules {
	return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		line := e.Kind
		for _, f := range e.Fields {
			line += fmt.Sprintf(" %s=%v", f.Name, f.Value)
		}
		*to += line + "\n"
		return nil
	}
}

// Fits checks elements and variables against a schema.
func Fits(t testing.TB, s protocol.Schema) Rules {
	return func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		typ, ok := s.Elements[e.Kind]
		if !ok || typ.Dir != m.Dir || len(typ.Fields) != len(e.Fields) || m.Protocol != s.Protocol {
			t.Errorf("element %s of direction %v with %d fields; the schema has %+v", e.Kind, m.Dir, len(e.Fields), typ)
		}
		if e.Span.Start < 0 || e.Span.End < e.Span.Start || e.Span.End > len(m.Data) {
			t.Errorf("element %s stands at %+v of %d bytes", e.Kind, e.Span, len(m.Data))
		}
		for _, f := range e.Fields {
			want, ok := typ.Fields[f.Name]
			if is := typeOf(f.Value); !ok || want.Type != is || want.Settable && (f.Span.Start < 0 || f.Span.End > len(m.Data)) {
				t.Errorf("%s.%s = %T at %+v; the schema has %+v", e.Kind, f.Name, f.Value, f.Span, want)
			}
		}
		for name, v := range s.Vars {
			if x, ok := m.Lookup(name); v.Dir <= m.Dir && (!ok || typeOf(x) != v.Type) {
				t.Errorf("variable %s = %T, %t at %s; the schema has %+v", name, x, ok, e.Kind, v)
			}
		}
		return nil
	}
}

func typeOf(v any) protocol.Type {
	switch v.(type) {
	case int64:
		return protocol.Int
	case bool:
		return protocol.Bool
	case []string:
		return protocol.StringList
	case []int64:
		return protocol.IntList
	}
	return protocol.String
}
