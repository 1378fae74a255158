package sim

import (
	"encoding/binary"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// slot is a session's place in the ports of the simulation, which carry
// segments as the BPF program does.
type slot struct {
	s    *run
	conn session.Conn
	vlan uint32
	c    session.Carriage
	n    uint64

	lent bool
}

// New implements session.Slots.
func (s *run) New(c session.Conn, vlan uint32, stands session.Carriage) session.Slot {
	if s.slot != nil {
		s.fail("a second slot is asked for")
	}
	s.slot = &slot{s: s, conn: c, vlan: vlan, c: stands}
	return s.slot
}

func (p *slot) Set(c session.Carriage) { p.c = c }
func (p *slot) Mark(session.Mark)      {}
func (p *slot) Stands() bool           { return p.s.slot == p }
func (p *slot) Lend(on bool)           { p.lent = on }
func (p *slot) Carried() uint64        { return p.n }
func (p *slot) Free() {
	if p.s.slot != p {
		p.s.fail("a slot is freed twice")
	}
	p.s.slot = nil
}

// ride has the ports carry a frame of d past the engine, if the engine lets
// them. It says whether they did.
func (s *run) ride(d session.Direction, seen *view, f []byte, v packet.VNet) bool {
	var p packet.Frame
	if s.slot == nil || s.slot.lent || p.Parse(f) != nil {
		return false
	}
	l := s.slot.c.Lanes[d]
	const only = packet.FIN | packet.SYN | packet.RST | packet.ACK | packet.URG
	if !l.Pass || p.Flags&only != packet.ACK {
		return false
	}
	if n := uint32(len(p.Body())); n > 0 && int32(p.Seq()+n-l.Limit) > 0 {
		return false
	}
	isPartial := v.Flags&packet.VNetNeedsCsum != 0
	damaged := !isPartial && !p.ValidChecksum()
	shift(&p, l, isPartial)
	s.slot.n++
	s.note(d, seen)
	s.trace("                       carried past the engine")
	to := session.B
	if d == session.ToClient {
		to = session.A
	}
	if !damaged { // the receiver discards it, as the ports do not look
		s.Send(to, v, p.Data)
	}
	return true
}

func shift(p *packet.Frame, l session.Lane, isPartial bool) {
	var b [40]byte
	binary.BigEndian.PutUint32(b[:], p.Seq()+l.Seq)
	binary.BigEndian.PutUint32(b[4:], p.Ack()+l.Ack)
	p.Rewrite(4, b[:8], isPartial)
	n := copy(b[:], p.Options())
	blocks := packet.SACKBlocks(b[:n])
	for ; len(blocks) >= 4; blocks = blocks[4:] {
		binary.BigEndian.PutUint32(blocks, be32(blocks)+l.Ack)
	}
	if n > 0 {
		p.Rewrite(20, b[:n], isPartial)
	}
}
