package session

// mayLend says whether the ports can follow s from here on. pending: a request
// awaits its response.
func (s *Session) mayLend() (pending, ok bool) {
	if s.e.cfg.Below == nil || !s.marked || s.restless || s.noSlot || s.blind || s.closing || s.first != nil || s.unheard != nil {
		return false, false
	}
	if s.stage() != established { // a half-open one may be forged: it must not take a place in their table
		return false, false
	}
	if !s.half[0].lendable() || !s.half[1].lendable() {
		return false, false
	}
	in, ok := s.decoder().(Rester)
	if !ok {
		return false, false
	}
	if pending, ok = in.Stands(); !s.edited {
		ok = ok && !pending && s.half[0].una == s.half[0].next && s.half[1].una == s.half[1].next
	}
	return pending, ok
}

// lendNow does it for a session that was edited whenever it can; another one
// is given for good, once many segments have come up in vain.
func (s *Session) lendNow() bool {
	return s.stirred >= calm || s.edited && s.vain < vainly
}

// lendable says whether all that came was decided and sent, whether or not the
// receiver has it, and nothing of it is promised to the sender.
func (h *half) lendable() bool {
	if !h.known || len(h.pend) > 0 || len(h.ahead) > 0 || len(h.queue) > 0 || h.owed || h.vouched != nil || h.blocked || h.promised() {
		return false
	}
	return h.fin < 0 && h.finOut < 0 && h.next == h.top && h.rel == h.next && h.sent == h.edits.outFrom(h.next) && h.snd >= h.store.end()
}

// lend has the ports follow s. What the engine sent stays here until the
// receivers have it; that ends with a frame that comes up, or when it was looked
// after.
func (e *Engine) lend(s *Session, pending bool) {
	r := Resting{Followed: true, Established: true, MidStream: s.midStream, Edited: s.edited, Pending: pending}
	for i := range s.half {
		h := &s.half[i]
		end := h.edits.outFrom(h.next)
		next, acked := h.seq(h.next), h.seq(h.next)
		if h.una < end {
			acked = h.seq(min(h.edits.inAcked(h.una), h.next-1))
		}
		r.Half[i] = RestingHalf{First: h.isn, Next: next, Top: next, Acked: acked, From: next, Edged: s.edited, Edge: next, Delta: uint32(end - h.next),
			Hello: h.hs, Scale: h.scale, Window: h.window, Stamp: h.stampIn, Stamped: h.stamped}
	}
	if !s.handOver(r) {
		s.restless = true
		return
	}
	if !s.edited {
		e.release(s)
		return
	}
	s.lent, s.lentPending, s.lentAt = true, pending, [2]uint32{r.Half[0].Next, r.Half[1].Next}
	s.stirred = 0
}

// handOver has the ports follow s by r. We may end behind any line, and its frames
// go on at once. So what they know of it is complete before it counts in the slot's
// place, and they change it only then.
func (s *Session) handOver(r Resting) bool {
	client := s.half[ToClient].to
	if s.place == nil || !s.edited {
		return s.e.cfg.Below.Lend(s.conn, s.key.vlan, r, client)
	}
	r.Above = true
	if !s.e.cfg.Below.Lend(s.conn, s.key.vlan, r, client) {
		return false
	}
	s.place.Lend(true)
	r.Above = false
	s.e.cfg.Below.Lend(s.conn, s.key.vlan, r, client) // if not, it comes back with its next frame
	return true
}

// recall takes a session back that was lent. It returns nil when it has ended
// below, or frames of it went past.
func (e *Engine) recall(s *Session) *Session {
	r, known := e.cfg.Below.Recall(s.conn, s.key.vlan)
	if !known || r.Stale || !s.is(&r) {
		e.release(s)
		return nil
	}
	before := s.memory()
	answered := s.lentPending && r.Half[ToClient].Next != s.lentAt[ToClient]
	if answered || r.Half[ToServer].Next != s.lentAt[ToServer] {
		s.vain = 0
	} else {
		s.vain++
	}
	left := s.renew(&r)
	in := s.decoder().(Rester)
	if answered {
		in.Answered()
	}
	if r.Pending && (answered || !s.lentPending) {
		in.Resume(r.Request, left)
	}
	s.lent = false
	if s.place != nil {
		s.unsettled = e.beats
		s.ride()
		s.place.Lend(false)
	}
	e.memory += s.memory() - before
	return s
}

// is says whether r is about s, and not about another session between its ends.
func (s *Session) is(r *Resting) bool {
	return r.Half[0].First == s.half[0].isn && r.Half[1].First == s.half[1].isn
}

// release forgets a session that the ports know all of.
func (e *Engine) release(s *Session) {
	e.stats.Given++
	e.drop(s)
}

// lookAfter looks at a session that was lent a while ago. It says whether it is
// no longer the engine's.
func (e *Engine) lookAfter(s *Session) bool {
	r, known := e.cfg.Below.Look(s.conn, s.key.vlan)
	// The answer to a request that the engine has seen may ask what the request was.
	waits := s.lentPending && r.Half[ToClient].Next == s.lentAt[ToClient]
	if !known || r.Stale || !s.is(&r) || !r.needsUs() && !r.Above && !waits {
		e.release(s)
		return true
	}
	s.lookAt = e.now + restAfter
	return false
}

// overdue says whether something of a lent session is to be sent again.
func (s *Session) overdue() bool {
	for i := range s.half {
		if h := &s.half[i]; h.resend != 0 && h.resend <= s.e.now {
			return true
		}
	}
	return false
}
