package session

import "wirepatch/dataplane/packet"

// reply puts the verdict's reply behind what was released the other way, and
// ends the session if the verdict says so. It returns what is wrong with it.
func (s *Session) reply(h, r *half, v Verdict) string {
	if len(v.Reply) > 0 && r.fin < 0 { // behind a FIN nothing would be read
		if len(r.pend) > 0 || r.next > r.top || !r.known {
			return "decoder replied in the middle of a message"
		}
		out := r.edits.outFrom(r.rel)
		end := out + int64(len(v.Reply))
		r.edits.add(edit{r.rel, r.rel, out, end})
		r.store.append(out, v.Reply)
		r.advance()
		r.answer = max(r.answer, end)
		s.changed()
	}
	switch v.End {
	case Close:
		s.closing = true
		s.mayClose()
	case Reset:
		s.kill(v.resetReason())
	}
	return ""
}

// mayClose closes the session that a verdict ends, once the client has all that
// passed unseen: what of it is lost only the server can send again.
func (s *Session) mayClose() {
	c := &s.half[ToClient]
	if s.closing && !s.ended && (c.next > c.top || c.una >= c.raw) {
		s.close()
	}
}

// close ends the session: the client gets what was released to it and then an
// orderly end, the server a reset.
func (s *Session) close() {
	c, v := &s.half[ToClient], &s.half[ToServer]
	if c.next > c.top && c.una < c.sent {
		// What passes unseen is not ours to bring home without the server.
		s.kill("a definition ends the session in the middle of what passes unseen")
		return
	}
	s.flush(v, c)
	s.origin(v, c, v.sent, nil, packet.RST|packet.ACK, nil)
	s.e.stats.Reset++
	s.last()
}

// last ends the session: the client gets what was released to it and then the end
// of its stream, all of which is ours to bring home.
func (s *Session) last() {
	c, v := &s.half[ToClient], &s.half[ToServer]
	v.drop()
	v.store = store{}
	v.answer, v.resend, v.blocked = 0, 0, false
	if v.next > v.top {
		v.next = v.confirmed() // of what passes unseen a part may be lost
	}
	v.next = max(v.next, v.edits.inAcked(v.una)) // the ports may have carried more than was seen
	if v.fin >= 0 {
		v.next = max(v.next, v.fin+1)
	}
	v.acked = v.next
	c.drop()
	c.finOut = c.edits.outFrom(c.rel)
	if c.next > c.top {
		c.finOut = max(c.sent, c.store.end())
	}
	c.answer = c.finOut + 1 // no retransmission of the server's will come
	c.window = 1<<16 - 1    // what the client still sends is ours to discard
	s.ended = true
	s.flush(c, v)
	s.arm(c)
}

// severed takes a reset of the server, at offset off, for the end of its stream, if
// something that came before is still here: that is decided as it would be before
// a FIN, and the client gets it before the reset, as it would have without us. It
// says whether it did.
func (s *Session) severed(off int64) bool {
	c, v := &s.half[ToClient], &s.half[ToServer]
	if s.blind || s.closing || c.next > c.top || len(c.pend) == 0 && !c.blocked && !c.promised() {
		return false
	}
	end := c.next
	if c.fin >= 0 {
		end++
	}
	switch {
	case off == end || off == c.confirmed():
	case off < end && off >= c.edits.inAcked(c.una):
		// An answer to what went to the server before. It would not count with a client
		// that had got all this; what we say now is answered with one that does.
		s.ackNow(c, v, nil)
		return true
	default:
		return false
	}
	if len(c.pend) > 0 {
		raw := c.raw
		c.fin = c.next
		s.inspect(c, v)
		if s.ended || s.closing {
			s.mayClose()
			return true
		}
		c.next, c.rel, c.raw = c.fin, c.fin, raw // whatever was to pass unseen behind it
	}
	s.cut = true
	s.last()
	return true
}

// cutOff passes the server's reset on once the client has what came before it. Where
// that is not all ours to repeat, who lacks a part of it would wait in vain.
func (s *Session) cutOff(c, v *half) {
	if c.una < c.finOut && c.una >= c.raw {
		s.arm(c)
		return
	}
	s.giveUp()
}

// drop forgets what was not decided.
func (h *half) drop() { h.pend, h.queue, h.ahead, h.held = nil, nil, nil, 0 }

// kill resets the session on both sides.
func (s *Session) kill(reason string) {
	if s.ended {
		return
	}
	for i := range s.half {
		h, r := &s.half[i], &s.half[1-i]
		if h.known && r.known {
			s.resetTo(h, r)
		}
	}
	for i := range s.half {
		h := &s.half[i]
		h.drop()
		h.store = store{}
		h.answer, h.resend, h.blocked = 0, 0, false
	}
	s.ended, s.gone = true, true
	s.e.stats.Reset++
	s.event(WasReset, reason)
}

// giveUp resets the client of a session that we have ended.
func (s *Session) giveUp() {
	s.resetTo(&s.half[ToClient], &s.half[ToServer])
	s.forget()
}

// forget drops what the client of a session that we have ended was to get yet.
func (s *Session) forget() {
	c := &s.half[ToClient]
	c.drop()
	c.store = store{}
	c.answer, c.resend, c.blocked = 0, 0, false
	s.gone = true
}

// split resets a session whose ends cannot agree any more. f, from r's receiver,
// names the byte at which that takes a reset.
func (s *Session) split(r *half, f *packet.Frame) {
	r.sent = r.outOffset(f.Ack())
	s.kill("bytes that it has corrected had gone past the engine before")
}

// resetTo resets h's receiver. Which byte it expects is only known to lie
// between what it acknowledged and what it was sent.
func (s *Session) resetTo(h, r *half) {
	s.origin(h, r, h.sent, nil, packet.RST|packet.ACK, nil)
	if h.una != h.sent {
		s.origin(h, r, h.una, nil, packet.RST|packet.ACK, nil)
	}
}

// pass ends the inspection: what is held is released, the rest passes unseen.
func (s *Session) pass(reason string) {
	s.blind = true
	s.e.stats.Passed++
	s.event(Passed, reason)
	for i := range s.half {
		h := &s.half[i]
		s.release(h, 0, int64(len(h.pend)))
		h.rel += int64(len(h.pend))
		h.pend = nil
		s.promise(h)
		s.passOn(h, Forever)
	}
	s.flush(&s.half[ToServer], &s.half[ToClient])
	s.flush(&s.half[ToClient], &s.half[ToServer])
}

// afterEnd answers the segments that still come once we have ended a session:
// the client's are acknowledged until it has closed too, the server's reset.
func (s *Session) afterEnd(h, r *half, f *packet.Frame) {
	if s.gone {
		if h.known && f.Flags&packet.RST == 0 {
			s.answerReset(h, r, f)
		}
		return
	}
	if h.dir == ToClient {
		s.answerReset(h, r, f)
		return
	}
	h.learn(f)
	if f.Flags&packet.ACK != 0 {
		s.acknowledge(h, r, f, f.Payload == f.End)
		s.flush(r, h)
	}
	end := h.offset(f.Seq()) + int64(f.End-f.Payload)
	if f.Flags&packet.FIN != 0 {
		end++
		h.fin = end - 1
	}
	if end > h.next && h.offset(f.Seq()) <= h.next {
		h.next, h.top = end, end
	}
	if f.Payload < f.End || f.Flags&packet.FIN != 0 || end < h.acked {
		h.acked = h.next
		s.origin(r, h, r.sent, nil, packet.ACK, nil)
	}
}

// answerReset answers a segment of h's sender with the reset that it must have
// missed (RFC 9293, 3.10.7.1).
func (s *Session) answerReset(h, r *half, f *packet.Frame) {
	if f.Flags&packet.ACK == 0 {
		return
	}
	s.origin(r, h, r.outOffset(f.Ack()), nil, packet.RST, nil)
}
