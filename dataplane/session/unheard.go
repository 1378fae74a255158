package session

// unheard says that a session was picked up where its sender stood, since its
// receiver did not say where it stands: perhaps something behind the box discards
// what it is asked with. What lies before that place must not pass unseen, should
// the receiver lack it. So until the receiver is heard:
//
//	the sender sends what lies before     picked up anew, from there
//	the receiver acknowledges less        picked up anew, from what it acknowledges
//	the receiver acknowledges as much     all is well
type unheard struct {
	dir Direction
	seq uint32 // where the inspection has begun, as the sender counts
}

// late looks at a segment of such a session. It says whether the segment may be
// handled further.
func (s *Session) late(h *half, seq, ack uint32, payload, acks bool) bool {
	u := s.unheard
	var before bool
	switch {
	case h.dir == u.dir:
		if before = payload && int32(seq-u.seq) < 0; !before {
			return true
		}
	case !acks:
		return true
	default:
		before = int32(ack-uint32(s.deltas[u.dir])-u.seq) < 0
	}
	s.unheard = nil
	if !before || s.blind || s.ended {
		return true
	}
	if !s.untouched(&s.half[ToServer]) || !s.untouched(&s.half[ToClient]) || s.closing {
		s.kill("the engine came to this session too late to inspect it in order")
		return false
	}
	s.forgetPickUp()
	return true
}

// untouched says whether nothing of h was changed or promised since the session
// was picked up.
func (s *Session) untouched(h *half) bool {
	return len(h.edits.list) == 0 && h.edits.base == s.deltas[h.dir] && !h.promised() && h.answer == 0
}

// forgetPickUp makes s what it was before it was picked up.
func (s *Session) forgetPickUp() {
	for i := range s.half {
		h := &s.half[i]
		*h = half{dir: h.dir, to: h.to, header: h.header[:0], fin: -1, finOut: -1}
	}
	s.inspector, s.midStream = nil, false
	switch {
	case s.place == nil:
	case s.edited:
		s.place.Set(s.bequeathed())
	default:
		s.leave()
	}
}
