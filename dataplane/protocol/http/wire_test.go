package http

import (
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// wire carries a session's two streams through a Decoder as the session layer
// does, and checks that the decoder keeps to the contract.
type wire struct {
	t       testing.TB
	d       *Decoder
	streams [2]stream
	end     session.End
	log     [2][]session.Evidence
	calls   int
}

type stream struct {
	held    []byte // shown, not decided
	skip    int64  // to pass unseen
	forever bool
	eof     bool
	out     []byte // what the receiver gets
}

var testClock = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

func newWire(t testing.TB, r protocol.Rules, o Options) *wire {
	o.Clock = func() time.Time { return testClock }
	conn := protocol.Conn{ClientAddress: "10.77.0.1", ClientPort: 40000, ServerAddress: "10.77.0.2", ServerPort: 80}
	return &wire{t: t, d: New(r, conn, o)}
}

// feed gives the decoder a segment.
func (w *wire) feed(dir session.Direction, b string, eof bool) {
	w.t.Helper()
	s := &w.streams[dir]
	if w.end != session.Continue {
		return
	}
	s.eof = s.eof || eof
	n := min(int64(len(b)), s.skip)
	if s.forever {
		n = int64(len(b))
	} else {
		s.skip -= n
	}
	s.out = append(s.out, b[:n]...)
	s.held = append(s.held, b[n:]...)
	if s.forever || len(b) == int(n) && !eof {
		return
	}
	w.ask(dir)
	if back := &w.streams[dir.Other()]; len(back.held) > 0 && w.end == session.Continue {
		w.ask(dir.Other()) // what it awaits may depend on this direction
	}
}

func (w *wire) ask(dir session.Direction) {
	w.t.Helper()
	s := &w.streams[dir]
	// The decoder must not keep what it is shown.
	shown := append([]byte(nil), s.held...)
	v := w.d.Inspect(dir, shown, s.eof)
	w.calls++
	w.obey(dir, v)
	for i := range shown {
		shown[i] = '!'
	}
}

// obey does what a verdict says.
func (w *wire) obey(dir session.Direction, v session.Verdict) {
	w.t.Helper()
	s := &w.streams[dir]
	n := min(v.Release, int64(len(s.held)))
	pos := 0
	for _, e := range v.Edits {
		if e.Start < pos || e.End < e.Start || e.End > int(n) {
			w.t.Errorf("Inspect(%s) edits [%d,%d) behind %d, released %d", dir, e.Start, e.End, pos, n)
		}
		s.out = append(append(s.out, s.held[pos:e.Start]...), e.With...)
		pos = e.End
	}
	s.out = append(s.out, s.held[pos:n]...)
	s.held = s.held[n:]
	s.forever = v.Release == session.Forever
	if !s.forever {
		s.skip = v.Release - n
	}
	w.end = v.End
	w.log[dir] = append(w.log[dir], v.Evidence...)
	if s.eof && len(s.held) > 0 && v.End == session.Continue {
		w.t.Errorf("Inspect(%s) at the end of the stream holds %d bytes", dir, len(s.held))
	}
	if len(v.Reply) == 0 {
		return
	}
	back := &w.streams[dir.Other()]
	if len(back.held) > 0 || back.skip > 0 || back.forever {
		w.t.Errorf("Inspect(%s) replies while %d bytes are held and %d to pass unseen the other way", dir, len(back.held), back.skip)
	}
	back.out = append(back.out, v.Reply...)
}

func (w *wire) toServer() string { return string(w.streams[session.ToServer].out) }
func (w *wire) toClient() string { return string(w.streams[session.ToClient].out) }

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
