package sim

import (
	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// pass has the books know that a frame goes past the engine, which is gone
// (port/bpf/past.h), and says what is to be added to it. ok: it may go on.
func (b *books) pass(d session.Direction, p *packet.Frame, damaged bool) (l session.Lane, ok bool) {
	switch {
	case !b.known:
		return l, true
	case !b.r.Followed:
		return l, true
	case !b.r.Edited:
		b.forget()
		return l, true
	}
	h, r := &b.r.Half[d], &b.r.Half[d.Other()]
	if ack := p.Ack() - r.Delta; !damaged && p.Flags&packet.ACK != 0 && frozen(r) && int32(ack-r.Edge) >= 0 && int32(ack-r.Top) <= 0 {
		r.Acked = ack
	}
	if !b.settled() {
		return l, false
	}
	b.r.Stale, b.r.Above = true, false
	return session.Lane{Seq: h.Delta, Ack: -r.Delta}, true
}

func (b *books) settled() bool { return !frozen(&b.r.Half[0]) && !frozen(&b.r.Half[1]) }

// onItsOwn says that what receivers lack the ports can make again.
func (b *books) onItsOwn() bool {
	for i := range b.r.Half {
		if h := &b.r.Half[i]; frozen(h) && h.CutLen == 0 {
			return false
		}
	}
	return true
}

func (b *books) forget() { *b = books{s: b.s, over: b.over, again: b.again} }

// disown is what package main does about the books of an earlier engine
// (slots.go, below.go).
func (s *run) disown() {
	b := &s.books
	if p := s.slot; p != nil && p.lent {
		p.lent = false
		if !b.known || !b.r.Edited || b.settled() {
			p.Free() // what the ports know of the session counts
		} else {
			b.forget()
		}
	} else if p != nil {
		b.forget()
	}
	switch {
	case !b.known || !b.r.Above && b.onItsOwn():
	case b.r.Edited && b.settled():
		b.r.Above, b.r.Stale = false, true
	case b.r.Edited:
		s.doom()
	default:
		b.forget()
	}
}
