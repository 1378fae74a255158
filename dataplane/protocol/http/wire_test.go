package http

import (
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// wire carries a session through a Decoder.
type wire struct {
	*wiretest.Wire
	d *Decoder
}

var testClock = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

func newWire(t testing.TB, r protocol.Rules, o Options) *wire {
	o.Clock = func() time.Time { return testClock }
	conn := protocol.Conn{ClientAddress: "10.77.0.1", ClientPort: 40000, ServerAddress: "10.77.0.2", ServerPort: 80}
	d := New(r, conn, o)
	return &wire{Wire: wiretest.New(t, d), d: d}
}

// feed gives the decoder a segment.
func (w *wire) feed(dir session.Direction, b string, eof bool) { w.Feed(dir, []byte(b), eof) }

func (w *wire) toServer() string { return string(w.Out(session.ToServer)) }
func (w *wire) toClient() string { return string(w.Out(session.ToClient)) }

// rule is one rule of a test: on elements of a kind whose first field, or whole
// text, contains something.
type rule struct {
	kind, has string
	c         protocol.Correction
}

type ruleSet []rule

func (r ruleSet) Wants(kind string) bool {
	for i := range r {
		if r[i].kind == kind {
			return true
		}
	}
	return false
}

func (r ruleSet) Match(m *protocol.Message) []protocol.Correction {
	var out []protocol.Correction
	for i := range m.Elements {
		e := &m.Elements[i]
		for j := range r {
			if r[j].kind == e.Kind && strings.Contains(string(m.Data[e.Span.Start:e.Span.End]), r[j].has) {
				c := r[j].c
				c.Element, c.Rule, c.Definition = i, j, "T-1"
				out = append(out, c)
			}
		}
	}
	return out
}

// when makes a rule.
func when(kind, has string, a protocol.Action, c protocol.Correction) rule {
	c.Action = a
	return rule{kind: kind, has: has, c: c}
}

func deny(status int, body string) protocol.Correction {
	return protocol.Correction{Reply: &protocol.Reply{Status: status, Body: body, Headers: [][2]string{{"X-By", "box"}}}}
}

func set(field, value string) protocol.Correction {
	return protocol.Correction{Field: field, Value: value}
}
