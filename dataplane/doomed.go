package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// doomed are the sessions that an earlier process had edited and left
// unsettled: what their two ends count differently, or were promised, only that
// process knew. While it is gone the ports hold their frames back; the next
// process resets them instead of picking them up: a session may end, but is
// never corrupted.
//
//	SYN          another session between the same ends begins: forgotten; so when it
//	             has passed before this process was ready
//	RST          dropped: the other end is reset when it speaks; one that answers our
//	             own number comes from an end that is gone, which needs no reset
//	other        dropped, and answered with a reset; the other end is made to speak
//	silence      both ends are made to speak
//	both reset   forgotten
type doomed map[port.Flow]*doom

type doom struct {
	slot     *port.Slot // nil: its entry in the ports' table says that nothing may pass
	mark     port.Mark
	answered [2]bool // by side: reset, or gone
	told     bool
	knocks   int
	word     uint32 // what our knocking acknowledges: who sends it back has heard it
}

func newDoom(p *port.Slot) *doom {
	d := &doom{slot: p, word: rand.Uint32()}
	if p != nil {
		d.mark = p.Marked()
	}
	return d
}

const (
	// knockEvery is how often ends that are silent are asked to speak,
	// maxKnocks how many times: they may wait for each other for ever.
	knockEvery = time.Second
	maxKnocks  = 8
)

// knock makes the ends of doomed sessions speak that have not yet.
func (l *loop) knock(now session.Instant) {
	if len(l.doomed) == 0 || now < l.knockAt {
		return
	}
	l.knockAt = now + int64(knockEvery)
	for flow, d := range l.doomed {
		if d.knocks++; d.knocks > maxKnocks {
			continue
		}
		for dir, to := range []port.Side{d.mark.Server, d.mark.Server.Other()} {
			if f := segmentOf(flow, d.mark, session.Direction(dir), d.word); f != nil && !d.answered[to] {
				v, probe := session.Probe(f)
				l.out.Send(session.Side(to), v, probe)
			}
		}
	}
}

// segmentOf makes a segment without payload, as dir's sender could have sent it,
// but for what it acknowledges.
func segmentOf(flow port.Flow, m port.Mark, dir session.Direction, ack uint32) *packet.Frame {
	if len(m.Link) < 14 {
		return nil
	}
	b := bytes.Clone(m.Link)
	src, dst := flow.Client, flow.Server
	if dir == session.ToClient {
		swap(b, 0, 6, 6)
		src, dst = dst, src
	}
	if src.Addr().Is4() {
		b = append(b, 0x45, 0, 0, 20+bareTCP, 0, 0, 0x40, 0, 64, 6, 0, 0)
	} else {
		b = append(b, 0x60, 0, 0, 0, 0, bareTCP, 6, 64)
	}
	b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint32(b, m.Seq[dir])
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, bareTCP/4<<4, packet.ACK, 0, 0, 0, 0, 0, 0)
	f := &packet.Frame{}
	if f.Parse(b) != nil {
		return nil
	}
	return f
}

// spare ends the doom of flow.
func (l *loop) spare(flow port.Flow) {
	// What stays behind is found again after a restart.
	if p := l.doomed[flow].slot; p != nil {
		_ = p.Free()
	} else {
		_ = l.port.Forget(flow)
	}
	delete(l.doomed, flow)
}

// refuse says whether a frame belongs to a doomed session, and answers it then.
func (l *loop) refuse(from port.Side, data []byte) bool {
	var f packet.Frame
	if f.Parse(data) != nil {
		return false
	}
	flow, doom := l.doomed.find(&f)
	if doom == nil {
		return false
	}
	if !doom.told && l.replaced(flow, doom) {
		if doom.slot != nil {
			_ = doom.slot.Free()
		}
		delete(l.doomed, flow)
		return false
	}
	switch {
	case f.Flags&packet.SYN != 0:
		l.spare(flow)
		return false
	case f.Flags&packet.RST != 0 && f.Seq() == doom.word:
		if doom.answered[from] = true; doom.answered[from.Other()] {
			l.spare(flow)
		}
		return true
	case f.Flags&packet.RST != 0 || f.Flags&packet.ACK == 0:
		return true
	}
	if !doom.told {
		doom.told = true
		l.ruined++
		ev := session.Event{Kind: session.WasReset, Conn: session.Conn{Client: flow.Client, Server: flow.Server}, Reason: "the engine stopped before its edits were settled"}
		l.event(ev)
	}
	v, reset := resetFor(&f)
	l.out.Send(session.Side(from), v, reset)
	if !doom.answered[from.Other()] {
		v, probe := session.Probe(&f)
		l.out.Send(session.Side(from.Other()), v, probe)
	}
	if doom.answered[from] = true; doom.answered[from.Other()] {
		l.spare(flow)
	}
	return true
}

// replaced says whether another session has begun between the ends of a doomed one
// while the ports passed frames without the engine.
func (l *loop) replaced(flow port.Flow, d *doom) bool {
	if d.slot != nil {
		stands, err := d.slot.Stands()
		return err == nil && !stands
	}
	s, known, err := l.port.Look(flow)
	return err == nil && !(known && s.Edited)
}

func (d doomed) find(f *packet.Frame) (port.Flow, *doom) {
	src := netip.AddrPortFrom(netip.AddrFrom16(f.Src).Unmap(), f.SrcPort)
	dst := netip.AddrPortFrom(netip.AddrFrom16(f.Dst).Unmap(), f.DstPort)
	for _, flow := range []port.Flow{{VLAN: f.VLAN, Client: src, Server: dst}, {VLAN: f.VLAN, Client: dst, Server: src}} {
		if doom := d[flow]; doom != nil {
			return flow, doom
		}
	}
	return port.Flow{}, nil
}

// resetFor answers a segment that has an acknowledgement with a reset (RFC 9293,
// 3.10.7.1): it needs no other knowledge of the session than the segment.
func resetFor(f *packet.Frame) (packet.VNet, []byte) {
	b := headers(f)
	swap(b, 0, 6, 6)
	if f.V6 {
		swap(b, f.L3+8, f.L3+24, 16)
	} else {
		swap(b, f.L3+12, f.L3+16, 4)
	}
	tcp := b[f.L4:]
	copy(tcp[0:2], f.Data[f.L4+2:])
	copy(tcp[2:4], f.Data[f.L4:])
	copy(tcp[4:8], f.Data[f.L4+8:]) // what the sender expects next is what it acknowledges
	return finish(f, b, packet.RST)
}

const bareTCP = 20 // length of a TCP header without options

// headers are those of f, with an empty TCP header.
func headers(f *packet.Frame) []byte {
	b := make([]byte, f.L4+bareTCP)
	copy(b, f.Data[:f.L4])
	return b
}

// finish fills in what remains of b, which answers f.
func finish(f *packet.Frame, b []byte, flags uint8) (packet.VNet, []byte) {
	b[f.L4+12], b[f.L4+13] = bareTCP/4<<4, flags
	out := packet.Frame{Data: b, V6: f.V6, L3: f.L3, L4: f.L4, Payload: f.L4 + bareTCP, End: len(b),
		Src: f.Dst, Dst: f.Src, SrcPort: f.DstPort, DstPort: f.SrcPort, Flags: flags}
	out.PutIPLength()
	out.PutPartialChecksum()
	return packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: uint16(f.L4), CsumOffset: 16}, b
}

func swap(b []byte, i, j, n int) {
	for k := range n {
		b[i+k], b[j+k] = b[j+k], b[i+k]
	}
}
