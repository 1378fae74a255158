package session

// Carriage is what the ports may do with a session's segments without the
// engine.
type Carriage struct {
	Lanes [2]Lane // by Direction
	// Settled says that the lanes' numbers hold for all that will come: no edit
	// awaits an acknowledgement, nothing was promised that others cannot keep.
	// Then the session outlives the engine.
	Settled bool
}

// Lane is one direction of a Carriage.
type Lane struct {
	// Pass lets the ports carry segments, apart from SYN, FIN, RST and urgent
	// ones, whose payload ends at or before Limit: they pass unseen by verdict.
	Pass     bool
	Limit    uint32 // sequence number, as the sender counts
	Haste    bool   // even if some overtake others that the engine has not read yet
	Seq, Ack uint32 // to be added to the segments' numbers, with selective acknowledgements
}

// Mark is what a later engine must know to speak to the two ends of a session
// that this one left unsettled.
type Mark struct {
	Server Side      // the port it is behind
	Link   []byte    // what stands before the IP header in frames to the server; valid during the call
	Seq    [2]uint32 // sequence numbers of what was sent last, by Direction
}

// Slot is where the ports keep a session's Carriage. It outlives the engine.
type Slot interface {
	Set(Carriage)
	// Mark comes before Set says that the session is unsettled.
	Mark(Mark)
	// Stands is false when another session has begun between the ends while the
	// ports passed frames without the engine: what was Set is not about that one.
	Stands() bool
	// Lend says whether the session is lent to the ports (Below): then what they
	// know of it counts, not what was Set.
	Lend(bool)
	// Carried counts the packets that the ports carried so far.
	Carried() uint64
	Free()
}

// Slots gives out slots. From the first moment one says how the session stands:
// we may end right behind it. New returns nil when there is none left: then the
// session is carried by the engine alone, and not safe from its end.
type Slots interface {
	New(c Conn, vlan uint32, stands Carriage) Slot
}

const (
	// stretch is how many bytes the ports carry before the engine sees a
	// segment again, so that its count of the stream stays right.
	stretch = 1 << 30
	// patience is how many segments the engine carries itself while the ports
	// wait for it to have read all that came before: then order gives way.
	patience = 64
)

// ride brings the session's slot up to date after something happened to it.
func (s *Session) ride() {
	if s.place == nil && !s.wantsSlot() {
		return
	}
	if !s.half[ToServer].known {
		return // adopted and not picked up yet: what the slot says holds
	}
	if s.place == nil {
		c := s.allowed().numbers()
		if s.place = s.e.slot(s, c); s.place == nil {
			return
		}
		s.carriage = c
		s.mark()
		s.unsettled = s.e.beats
	}
	if c := s.allowed(); c != s.carriage {
		if s.carriage.Settled && !c.Settled {
			s.mark()
			s.unsettled = s.e.beats
		}
		s.carriage = c
		s.place.Set(c)
	}
}

// mark notes how to speak to the session's ends.
func (s *Session) mark() {
	a, b := &s.half[ToServer], &s.half[ToClient]
	if len(a.header) == 0 && !a.mirror(b) {
		return
	}
	s.place.Mark(Mark{Server: a.to, Link: a.header[:a.l3], Seq: [2]uint32{a.seq(a.sent), b.seq(b.sent)}})
}

// wantsSlot says whether the ports must know of the session: they could not
// simply pass its segments on, or they may carry many of them.
func (s *Session) wantsSlot() bool {
	if s.e.cfg.Slots == nil || s.noSlot || s.ended {
		return false
	}
	c, v := &s.half[ToServer], &s.half[ToClient]
	w := s.e.cfg.Limits.Carry
	return s.edited || c.promised() || v.promised() || c.passesMuch(w) || v.passesMuch(w)
}

// promised says whether the sender was told that bytes arrived which only we
// can bring to the receiver.
func (h *half) promised() bool { return h.acked > h.edits.inAcked(h.una) }

// passesMuch says whether many bytes to come pass unseen.
func (h *half) passesMuch(worthwhile int) bool {
	return h.known && h.next-h.top >= int64(worthwhile)
}

// settled says whether one delta holds for all that will come.
func (h *half) settled() bool {
	return h.known && len(h.edits.list) == 0 && h.answer <= h.una && !h.promised() && !h.blocked && h.finOut < 0
}

// quiet says whether the engine keeps nothing of the half.
func (h *half) quiet() bool {
	return len(h.pend) == 0 && len(h.ahead) == 0 && len(h.queue) == 0 && h.store.bytes == 0 && !h.owed
}

// allowed works out what the ports may do now.
func (s *Session) allowed() Carriage {
	var c Carriage
	a, b := &s.half[ToServer], &s.half[ToClient]
	if s.ended || s.closing || s.resetSeen || !a.settled() || !b.settled() {
		return c
	}
	c.Settled = true
	s.waited++
	w := s.e.cfg.Limits.Carry
	over := a.fin >= 0 && b.fin >= 0 // the last acknowledgements are for us to see
	pass := !over && (a.passesMuch(w) || b.passesMuch(w)) && a.quiet() && b.quiet()
	if !pass {
		s.waited = 0
	}
	for i := range c.Lanes {
		h, r := &s.half[i], &s.half[1-i]
		l := &c.Lanes[i]
		l.Seq, l.Ack = uint32(h.edits.base), uint32(-r.edits.base)
		if pass {
			limit := min(h.next, h.top+stretch)
			l.Pass, l.Limit, l.Haste = true, h.seq(limit), s.waited > patience
			h.fast = h.edits.outFrom(limit)
		}
	}
	return c
}

// numbers is c when the ports carry nothing while the engine lives, and translate
// what passes without it.
func (c Carriage) numbers() Carriage {
	for i, l := range c.Lanes {
		c.Lanes[i] = Lane{Seq: l.Seq, Ack: l.Ack}
	}
	return c
}

// slot asks for a slot for s, which stands so.
func (e *Engine) slot(s *Session, stands Carriage) Slot {
	slot := e.cfg.Slots.New(s.conn, s.key.vlan, stands)
	if slot == nil {
		s.noSlot = true
		e.stats.NoSlot++
	}
	return slot
}

// busy says whether the ports have carried segments since it was last asked.
func (s *Session) busy() bool {
	if s.place == nil {
		return false
	}
	n := s.place.Carried()
	changed := n != s.carried
	s.carried = n
	return changed
}

// leave gives the slot back.
func (s *Session) leave() {
	if s.place != nil {
		s.place.Free()
		s.place, s.carriage = nil, Carriage{}
	}
}

// legacy is a session that an earlier engine left settled.
type legacy struct {
	slot   Slot
	deltas [2]int64 // output minus input, by Direction
	since  Instant
}

// Adopt tells of a session that an earlier engine has edited and left settled:
// seq is what is added to the sequence numbers of each direction. It goes on
// where it is, from its next segment. Where that is nothing, as in a session that
// only had its bodies carried, it is picked up like any other: nothing of it needs
// an engine, so none is to be taken for lost.
func (e *Engine) Adopt(c Conn, vlan uint32, slot Slot, seq [2]uint32) {
	if seq == [2]uint32{} {
		slot.Free()
		return
	}
	k := keyOfConn(c, vlan)
	e.legacies[k] = legacy{slot, [2]int64{int64(int32(seq[0])), int64(int32(seq[1]))}, e.now}
}

// inherit gives s what an earlier engine knew of it, unless it is another session,
// as a SYN shows.
func (e *Engine) inherit(s *Session, syn bool) {
	l, ok := e.legacies[s.key]
	if !ok {
		return
	}
	delete(e.legacies, s.key)
	if syn || !l.slot.Stands() {
		l.slot.Free()
		return
	}
	s.place = l.slot
	s.succeed(l.deltas)
}

// bequeathed is how the ports carry a session that an earlier engine has edited.
func (s *Session) bequeathed() Carriage {
	a, b := uint32(s.deltas[0]), uint32(s.deltas[1])
	s.carriage = Carriage{Settled: true, Lanes: [2]Lane{{Seq: a, Ack: -b}, {Seq: b, Ack: -a}}}
	return s.carriage
}

// forgetLegacies frees the slots of sessions that never spoke again.
func (e *Engine) forgetLegacies() {
	for k, l := range e.legacies {
		if e.now-l.since >= int64(e.cfg.Limits.Idle) {
			l.slot.Free()
			delete(e.legacies, k)
		}
	}
}

// shiftOutput moves the beginning of the output by what an earlier engine has
// added to the stream.
func (h *half) shiftOutput(delta int64) {
	h.edits.base = delta
	for _, out := range []*int64{&h.snd, &h.sent, &h.fast, &h.una, &h.edge, &h.reach, &h.raw, &h.answer, &h.recover, &h.again} {
		*out += delta
	}
}
