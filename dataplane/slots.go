package main

import (
	"errors"
	"fmt"

	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// slots gives the engine's sessions a place in the memory that the ports read.
type slots struct{ l *loop }

// New implements session.Slots.
func (s slots) New(c session.Conn, vlan uint32, stands session.Carriage) session.Slot {
	p, err := s.l.port.NewSlot(port.Flow{VLAN: vlan, Client: c.Client, Server: c.Server}, stateOf(stands))
	switch {
	case err == nil:
		return slot{p}
	case !s.l.slotFailed || !errors.Is(err, port.ErrNoSlot):
		s.l.slotFailed = true
		s.l.report("wire", fmt.Sprintf("some sessions are not safe from a restart: %v", err))
	}
	return nil
}

// slot is a port.Slot in the engine's terms.
type slot struct{ *port.Slot }

// Set implements session.Slot.
func (s slot) Set(c session.Carriage) { s.Slot.Set(stateOf(c)) }

func stateOf(c session.Carriage) port.FlowState {
	st := port.FlowState{Settled: c.Settled}
	for i, l := range c.Lanes {
		st.Lanes[i] = port.Lane{Pass: l.Pass, Bounded: true, Haste: l.Haste, Limit: l.Limit, Seq: l.Seq, Ack: l.Ack}
	}
	return st
}

// Mark implements session.Slot.
func (s slot) Mark(m session.Mark) {
	s.Slot.Mark(port.Mark{Server: port.Side(m.Server), Link: m.Link, Seq: m.Seq})
}

// Stands implements session.Slot.
func (s slot) Stands() bool {
	stands, err := s.Slot.Stands()
	return stands || err != nil
}

// Free implements session.Slot.
func (s slot) Free() {
	// What stays behind when this fails holds back a session that is over.
	_ = s.Slot.Free()
}

// tellLost says what a stop has done to sessions that were edited.
func (l *loop) tellLost(adopted, lost int) {
	if lost > 0 {
		l.report("wire", fmt.Sprintf("of the sessions that were edited before the engine stopped %d go on; %d whose edits were not settled are reset", adopted, lost))
	}
}

// inherit hands the sessions that an earlier engine left to the present one:
// those whose edits are settled go on where they are, the others are doomed.
func (l *loop) inherit() error {
	found, err := l.port.Flows()
	if err != nil {
		return err
	}
	l.doomed, l.adopted = doomed{}, 0
	for _, p := range found {
		st, f := p.State(), p.Flow()
		if p.IsLent() {
			if err := l.inheritLent(p); err != nil {
				return err
			}
			continue
		}
		if err := l.port.Forget(f); err != nil { // the slot is what counts
			return err
		}
		if !st.Settled {
			l.doomed[f] = newDoom(p)
			continue
		}
		c := session.Conn{Client: f.Client, Server: f.Server}
		l.adopted++
		l.engine.Adopt(c, f.VLAN, slot{p}, [2]uint32{st.Lanes[0].Seq, st.Lanes[1].Seq})
	}
	l.tellLost(l.adopted, len(l.doomed))
	return nil
}

// inheritLent does the same for one that the ports followed: what they know of
// it is what counts.
func (l *loop) inheritLent(p *port.Slot) error {
	s, known, err := l.port.Look(p.Flow())
	switch {
	case err != nil:
		return err
	case !known || !s.Edited: // it has ended, or may be picked up like any other
		return p.Free()
	case !s.OnItsOwn():
		l.doomed[p.Flow()] = newDoom(p)
		p.Lend(false) // the slot says that nothing of it may pass
		return l.port.Forget(p.Flow())
	}
	l.adopted++
	return p.Free()
}
