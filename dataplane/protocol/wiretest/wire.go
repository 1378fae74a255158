// Package wiretest carries sessions through decoders of streams as the session
// layer does, without TCP, for their tests. It checks that a decoder keeps to the
// contract of session.Inspector.
package wiretest

import (
	"slices"
	"testing"

	"wirepatch/dataplane/session"
)

// Wire is one session.
type Wire struct {
	t       testing.TB
	in      session.Inspector
	streams [2]stream
	End     session.End
	Log     [2][]session.Evidence // by direction
	Calls   int                   // of Inspect
}

type stream struct {
	held    []byte // shown, not decided
	skip    int64  // to pass unseen
	forever bool
	eof     bool
	out     []byte // what the receiver gets
}

// New makes a session.
func New(t testing.TB, in session.Inspector) *Wire { return &Wire{t: t, in: in} }

// Client and Server have one side send.
func (w *Wire) Client(b string) { w.t.Helper(); w.Feed(session.ToServer, []byte(b), false) }
func (w *Wire) Server(b string) { w.t.Helper(); w.Feed(session.ToClient, []byte(b), false) }

// Out is what has arrived at the receiver of a direction, whole.
func (w *Wire) Out(dir session.Direction) []byte { return w.streams[dir].out }

// ToServer and ToClient return what has arrived on one side since last asked.
func (w *Wire) ToServer() string { return w.take(session.ToServer) }
func (w *Wire) ToClient() string { return w.take(session.ToClient) }

func (w *Wire) take(dir session.Direction) string {
	out := string(w.streams[dir].out)
	w.streams[dir].out = w.streams[dir].out[:0]
	return out
}

// Evidence is that of both directions.
func (w *Wire) Evidence() []session.Evidence { return slices.Concat(w.Log[0], w.Log[1]) }

// Feed gives the decoder a segment.
func (w *Wire) Feed(dir session.Direction, b []byte, eof bool) {
	w.t.Helper()
	s := &w.streams[dir]
	if w.End != session.Continue || s.eof {
		return
	}
	s.eof = eof
	n := min(int64(len(b)), s.skip)
	if s.forever {
		n = int64(len(b))
	} else {
		s.skip -= n
	}
	s.out = append(s.out, b[:n]...)
	s.held = append(s.held, b[n:]...)
	if s.forever || len(s.held) == 0 && !eof {
		return
	}
	w.inspect(dir)
	for moved := true; moved && w.End == session.Continue; {
		moved = false
		for _, d := range []session.Direction{dir.Other(), dir} {
			if before := len(w.streams[d].held); before > 0 && w.End == session.Continue {
				w.inspect(d)
				moved = moved || len(w.streams[d].held) != before
			}
		}
	}
}

func (w *Wire) inspect(dir session.Direction) {
	w.t.Helper()
	s := &w.streams[dir]
	shown := slices.Clone(s.held)
	v := w.in.Inspect(dir, shown, s.eof)
	w.Calls++
	for i := range shown {
		shown[i] = '!' // a decoder must not keep what it is shown
	}
	n := min(v.Release, int64(len(s.held)))
	pos := 0
	for _, e := range v.Edits {
		if e.Start < pos || e.End < e.Start || e.End > int(n) {
			w.t.Fatalf("Inspect(%s) edits [%d,%d) behind %d, released %d", dir, e.Start, e.End, pos, n)
		}
		s.out = append(append(s.out, s.held[pos:e.Start]...), e.With...)
		pos = e.End
	}
	s.out = append(s.out, s.held[pos:n]...)
	s.held = s.held[n:]
	s.forever = s.forever || v.Release == session.Forever
	if !s.forever {
		s.skip = v.Release - n
	}
	w.End = v.End
	w.Log[dir] = append(w.Log[dir], v.Evidence...)
	if s.eof && len(s.held) > 0 && v.End == session.Continue {
		w.t.Fatalf("Inspect(%s) at the end of the stream holds %d bytes", dir, len(s.held))
	}
	if back := &w.streams[dir.Other()]; len(v.Reply) > 0 {
		if len(back.held) > 0 || back.skip > 0 || back.forever {
			w.t.Fatalf("Inspect(%s) replies while %d bytes are held and %d to pass unseen the other way", dir, len(back.held), back.skip)
		}
		back.out = append(back.out, v.Reply...)
	}
}
