package session

// Bypassed tells the engine that it stood still for so long that the ports gave
// it up, and that segments of protected services went past it. It returns how
// many sessions it goes on with:
//
//	with unsettled edits   held back by the ports, so all that the engine knows is still true: goes on
//	edited and settled     was translated by the ports: picked up anew, with its deltas
//	others                 may have said anything: picked up anew
func (e *Engine) Bypassed() (adopted, kept int) {
	for _, s := range e.sessions {
		switch {
		case s.place != nil && !s.carriage.Settled:
			kept++
			continue
		case s.place != nil:
			l := &s.carriage.Lanes
			s.place.Set(Carriage{Settled: true, Lanes: [2]Lane{{Seq: l[0].Seq, Ack: l[0].Ack}, {Seq: l[1].Seq, Ack: l[1].Ack}}})
			e.Adopt(s.conn, s.key.vlan, s.place, [2]uint32{l[0].Seq, l[1].Seq})
			s.place = nil
			adopted++
		}
		e.remove(s)
	}
	return adopted, kept
}
