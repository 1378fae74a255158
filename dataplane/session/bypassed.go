package session

// Beat tells the engine that the ports have heard of it just now: what they
// knew of its sessions until here was in force.
func (e *Engine) Beat() { e.beats++ }

// Remains is what a stop has left of the engine's sessions.
type Remains struct {
	Kept    int // gone on with
	Adopted int // to be picked up anew with their deltas, other than those that only the ports know
	// Lost are unsettled sessions of which the engine cannot know whether
	// segments went past it. It has forgotten them, but not their slots.
	Lost []Lost
}

// Lost is one of them.
type Lost struct {
	Conn Conn
	VLAN uint32
	Slot Slot
}

// Bypassed tells the engine that it stood still for so long that the ports gave
// it up, and that segments of protected services went past it.
//
//	session                            during the stop          now
//	unsettled since before the beat    held back by the ports   as it was: all that is known of it is still true
//	unsettled since then               it may have been either  lost: the stop may have come before the ports knew
//	edited and settled                 translated by the ports  picked up anew, with its deltas
//	another has begun in its place     passed by the ports      picked up anew
//	lent and edited, stale             translated by the ports  picked up anew, with its deltas
//	lent, as it was                    nothing has passed       as it was
//	any other                          may have said anything   picked up anew
func (e *Engine) Bypassed() (r Remains) {
	for _, s := range e.sessions {
		if s.lent {
			e.stoppedLent(s, &r)
			continue
		}
		switch {
		case s.place == nil, !s.half[ToServer].known: // remove knows what becomes of these
		case !s.place.Stands():
			s.leave()
		case s.carriage.Settled:
			l := &s.carriage.Lanes
			s.place.Set(s.carriage.numbers())
			e.Adopt(s.conn, s.key.vlan, s.place, [2]uint32{l[0].Seq, l[1].Seq})
			r.Adopted++
		case s.unsettled < e.beats:
			r.Kept++
			continue
		default:
			r.Lost = append(r.Lost, Lost{s.conn, s.key.vlan, s.place})
		}
		if s.half[ToServer].known {
			s.place = nil
		}
		e.remove(s)
	}
	return r
}

// stoppedLent does what Bypassed does for a session that was lent.
func (e *Engine) stoppedLent(s *Session, r *Remains) {
	w, known := e.cfg.Below.Look(s.conn, s.key.vlan)
	switch {
	case !known || w.Stale || !s.is(&w):
		e.release(s)
	case w.Edited || !w.Above:
		if w.needsUs() {
			r.Kept++
		}
	default: // frames that had no edits went past it as they were
		s.lent = false
		e.remove(s)
	}
}
