package main

import (
	"net/netip"

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
//	SYN          another session between the same ends begins: forgotten
//	RST          dropped: the other end is reset when it speaks
//	other        dropped, and answered with a reset
//	both reset   forgotten
type doomed map[port.Flow]*doom

type doom struct {
	slot     *port.Slot
	answered [2]bool // by side
}

// forget ends the doom of flow.
func (d doomed) forget(flow port.Flow) {
	_ = d[flow].slot.Free() // what stays behind is found again after a restart
	delete(d, flow)
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
	switch {
	case f.Flags&packet.SYN != 0:
		l.doomed.forget(flow)
		return false
	case f.Flags&packet.RST != 0 || f.Flags&packet.ACK == 0:
		return true
	}
	if doom.answered == [2]bool{} {
		ev := session.Event{Kind: session.WasReset, Conn: session.Conn{Client: flow.Client, Server: flow.Server}, Reason: "the process that had edited it is gone"}
		l.event(ev)
	}
	v, reset := resetFor(&f)
	l.out.Send(session.Side(from), v, reset)
	if doom.answered[from] = true; doom.answered[from.Other()] {
		l.doomed.forget(flow)
	}
	return true
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
	const tcpLen = 20
	b := make([]byte, f.L4+tcpLen)
	copy(b, f.Data[:f.L4])
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
	tcp[12], tcp[13] = tcpLen/4<<4, packet.RST
	out := packet.Frame{Data: b, V6: f.V6, L3: f.L3, L4: f.L4, Payload: len(b), End: len(b),
		Src: f.Dst, Dst: f.Src, SrcPort: f.DstPort, DstPort: f.SrcPort, Flags: packet.RST}
	out.PutIPLength()
	out.PutPartialChecksum()
	return packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: uint16(f.L4), CsumOffset: 16}, b
}

func swap(b []byte, i, j, n int) {
	for k := range n {
		b[i+k], b[j+k] = b[j+k], b[i+k]
	}
}
