package session

// Beat tells the engine that the ports have heard of it just now: what they
// knew of its sessions until here was in force.
func (e *Engine) Beat() { e.beats++ }

// Remains is what a stop has left of the engine's sessions.
type Remains struct {
	Kept    int // gone on with
	Adopted int // to be picked up anew with their deltas
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
//	any other                          may have said anything   picked up anew
func (e *Engine) Bypassed() (r Remains) {
	for _, s := range e.sessions {
		switch {
		case s.place == nil:
		case s.carriage.Settled:
			l := &s.carriage.Lanes
			s.place.Set(Carriage{Settled: true, Lanes: [2]Lane{{Seq: l[0].Seq, Ack: l[0].Ack}, {Seq: l[1].Seq, Ack: l[1].Ack}}})
			e.Adopt(s.conn, s.key.vlan, s.place, [2]uint32{l[0].Seq, l[1].Seq})
			r.Adopted++
		case s.unsettled < e.beats:
			r.Kept++
			continue
		default:
			r.Lost = append(r.Lost, Lost{s.conn, s.key.vlan, s.place})
		}
		s.place = nil
		e.remove(s)
	}
	return r
}
