package patch

import (
	"fmt"
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Factory makes the decoder of one session.
type Factory func(protocol.Rules, protocol.Conn) session.Inspector

// Decoder is what a protocol's package brings: the schema that rules are checked
// against, and how its decoders are made: of sessions over TCP, of flows over
// UDP, or both.
type Decoder struct {
	Schema      protocol.Schema
	New         Factory         // nil: the protocol does not go over TCP
	NewDatagram DatagramFactory // nil: it does not go over UDP
}

// feed stands for a session: it hands bytes to a decoder and carries out its
// verdicts, as package session does, but without TCP. In a feed of datagrams
// every send is one.
type feed struct {
	in        session.Inspector
	datagrams session.DatagramInspector // instead of in
	rest      session.Rest              // of datagrams
	dirs      [2]stream
	end       session.End
	evidence  []session.Evidence
	shown     []byte // what the decoder was shown last
}

// stream is one direction.
type stream struct {
	pending []byte // shown and not decided
	out     []byte
	pass    int64 // bytes to come that pass unseen
	eof     bool
}

// maxTurns bounds how often a decoder is asked about the same session.
const maxTurns = 1 << 22

// send has more bytes arrive from one side.
func (f *feed) send(dir session.Direction, b []byte) error {
	if f.datagrams != nil {
		return f.datagram(dir, b)
	}
	if f.end != session.Continue {
		return nil
	}
	s := &f.dirs[dir]
	n := int(min(s.pass, int64(len(b))))
	s.out = append(s.out, b[:n]...)
	if s.pass != session.Forever {
		s.pass -= int64(n)
	}
	s.pending = append(s.pending, b[n:]...)
	return f.settle(dir)
}

// close has one side end its stream.
func (f *feed) close(dir session.Direction) error {
	f.dirs[dir].eof = true
	if f.datagrams != nil {
		return nil
	}
	if f.end != session.Continue {
		return nil
	}
	if err := f.settle(dir); err != nil {
		return err
	}
	if n := len(f.dirs[dir].pending); n > 0 && f.end == session.Continue {
		return fmt.Errorf("decoder still holds %d bytes %s after the end of the stream", n, dir)
	}
	return nil
}

// settle asks the decoder until neither direction moves: progress of one can
// be what the other waits for.
func (f *feed) settle(dir session.Direction) error {
	if err := f.inspect(dir); err != nil {
		return err
	}
	for turns := 0; f.end == session.Continue; turns++ {
		moved := false
		for _, d := range []session.Direction{dir.Other(), dir} {
			before := len(f.dirs[d].pending)
			if before == 0 || f.end != session.Continue {
				continue
			}
			if err := f.inspect(d); err != nil {
				return err
			}
			moved = moved || len(f.dirs[d].pending) != before
		}
		if !moved {
			return nil
		}
		if turns > maxTurns {
			return fmt.Errorf("decoder does not come to an end")
		}
	}
	return nil
}

// inspect asks once and carries the verdict out.
func (f *feed) inspect(dir session.Direction) error {
	s := &f.dirs[dir]
	f.shown = append(f.shown[:0], s.pending...)
	v := f.in.Inspect(dir, f.shown, s.eof)
	clear(f.shown) // a decoder must not keep what it was shown
	released := int(min(v.Release, int64(len(s.pending))))
	if v.Release < 0 {
		return fmt.Errorf("decoder released %d bytes", v.Release)
	}
	at := 0
	for _, e := range v.Edits {
		if e.Start < at || e.End < e.Start || e.End > released {
			return fmt.Errorf("decoder edits [%d,%d) of %d released bytes", e.Start, e.End, released)
		}
		s.out = append(s.out, s.pending[at:e.Start]...)
		s.out = append(s.out, e.With...)
		at = e.End
	}
	s.out = append(s.out, s.pending[at:released]...)
	s.pending = slices.Delete(s.pending, 0, released)
	switch {
	case v.Release == session.Forever:
		s.pass = session.Forever
	case v.Release > int64(released):
		s.pass = v.Release - int64(released)
	}
	f.evidence = append(f.evidence, v.Evidence...)
	f.end = v.End
	return f.reply(dir.Other(), v.Reply)
}

func (f *feed) reply(dir session.Direction, b []byte) error {
	s := &f.dirs[dir]
	if len(b) > 0 && (len(s.pending) > 0 || s.pass > 0) {
		return fmt.Errorf("decoder replies %s while bytes of the session are still on their way there", dir)
	}
	s.out = append(s.out, b...)
	return nil
}
