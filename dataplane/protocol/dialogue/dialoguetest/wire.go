// Package dialoguetest has what the tests of package dialogue's Codecs share:
// scripts of sessions, rules, and what must hold whatever the rules say.
package dialoguetest

import (
	"bytes"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// Turn stands between what one side and the other send in a script.
const Turn = "\n~\n"

// Conn is the session of tests.
var Conn = protocol.Conn{ClientAddress: "10.77.0.1", ClientPort: 40000, ServerAddress: "10.77.0.2", ServerPort: 21}

// Rules is one rule of a test: asked about every element; nil lets it be. It
// makes the corrections' element and definition.
type Rules func(m *protocol.Message, e *protocol.Element) *protocol.Correction

// Wants implements protocol.Rules.
func (r Rules) Wants(string) bool { return true }

// Match implements protocol.Rules.
func (r Rules) Match(m *protocol.Message) []protocol.Correction {
	var out []protocol.Correction
	for i := range m.Elements {
		if c := r(m, &m.Elements[i]); c != nil {
			one := *c
			one.Element, one.Definition = i, "T-1"
			out = append(out, one)
		}
	}
	return out
}

// Text is a field of an element as text.
func Text(e *protocol.Element, field string) string {
	if f := e.Field(field); f != nil {
		s, _ := f.Value.(string)
		return s
	}
	return ""
}

// Number is a field of an element as a number.
func Number(e *protocol.Element, field string) int64 {
	if f := e.Field(field); f != nil {
		n, _ := f.Value.(int64)
		return n
	}
	return 0
}

// Awaiting are rules that have to know what earlier messages were answered.
type Awaiting struct{ Rules }

// Awaits implements protocol.Awaiter.
func (Awaiting) Awaits(string) bool { return true }

// Unchanged plays a script of bytes of both sides (split at each Turn, the
// client first) through decoders of rules that change nothing: whole and byte by
// byte. What arrives must be what was sent, as far as the decoder has let it go,
// and must be the same in both cases; so with rules that await answers.
func Unchanged(t *testing.T, script []byte, decoder func(protocol.Rules) session.Inspector) {
	t.Helper()
	unchanged(t, script, decoder, Rules(checked(t)))
	unchanged(t, script, decoder, Awaiting{Rules(checked(t))})
}

func unchanged(t *testing.T, script []byte, decoder func(protocol.Rules) session.Inspector, rules protocol.Rules) {
	t.Helper()
	var sent [2][]byte
	var wires []*wiretest.Wire
	for _, bytewise := range []bool{false, true} {
		w := wiretest.New(t, decoder(rules))
		sent = [2][]byte{}
		dir := session.ToServer
		for part := range bytes.SplitSeq(script, []byte(Turn)) {
			sent[dir] = append(sent[dir], part...)
			if !bytewise {
				w.Feed(dir, part, false)
			} else {
				for i := range part {
					w.Feed(dir, part[i:i+1], false)
				}
			}
			dir = dir.Other()
		}
		wires = append(wires, w)
	}
	for dir, want := range sent {
		whole, bytewise := wires[0].Out(session.Direction(dir)), wires[1].Out(session.Direction(dir))
		if !bytes.HasPrefix(want, whole) || !bytes.HasPrefix(want, bytewise) {
			t.Errorf("%s: %q, byte by byte %q; want a beginning of %q", session.Direction(dir), whole, bytewise, want)
		}
		if wires[0].End == session.Continue && wires[1].End == session.Continue && !bytes.Equal(whole, bytewise) {
			t.Errorf("%s: whole %q; byte by byte %q", session.Direction(dir), whole, bytewise)
		}
	}
	for _, w := range wires {
		w.Feed(session.ToServer, nil, true)
		w.Feed(session.ToClient, nil, true)
	}
}

// checked is a rule that changes nothing and looks whether every element lies
// within its message.
func checked(t testing.TB) func(*protocol.Message, *protocol.Element) *protocol.Correction {
	return func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		if e.Span.Start < 0 || e.Span.End > len(m.Data) || e.Span.Start > e.Span.End {
			t.Errorf("element %s is [%d,%d) of %d bytes", e.Kind, e.Span.Start, e.Span.End, len(m.Data))
		}
		for _, f := range e.Fields {
			if f.Span.Start >= 0 && (f.Span.End > len(m.Data) || f.Span.Start > f.Span.End) {
				t.Errorf("field %s of %s is [%d,%d) of %d bytes", f.Name, e.Kind, f.Span.Start, f.Span.End, len(m.Data))
			}
		}
		return nil
	}
}

// Changed plays a script as Unchanged does through a decoder whose rule is how:
// only the contract is checked.
func Changed(t *testing.T, script []byte, decoder func(protocol.Rules) session.Inspector, how Rules) {
	t.Helper()
	for _, rules := range []protocol.Rules{how, Awaiting{how}} {
		w := wiretest.New(t, decoder(rules))
		dir := session.ToServer
		for part := range bytes.SplitSeq(script, []byte(Turn)) {
			w.Feed(dir, part, false)
			dir = dir.Other()
		}
		w.Feed(session.ToServer, nil, true)
		w.Feed(session.ToClient, nil, true)
	}
}

// Everything is a rule that asks for one correction after the other, chosen by a
// seed, for fuzzing.
func Everything(seed uint64) Rules {
	return func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		seed = seed*6364136223846793005 + 1442695040888963407
		c := &protocol.Correction{Action: protocol.Action(seed >> 33 % 10), Late: protocol.Late(seed >> 40 % 4), First: seed>>45&1 == 1}
		c.Reply = &protocol.Reply{Raw: "no\r\n", Close: seed>>50%16 == 0}
		c.Insert = &protocol.Insertion{Before: seed>>46&1 == 1, Fields: [][2]string{{"name", "x"}, {"value", "y"}}}
		if len(e.Fields) > 0 {
			c.Field, c.Value = e.Fields[seed>>52%uint64(len(e.Fields))].Name, []string{"", "7", "longer than it was"}[seed>>58%3]
		}
		return c
	}
}
