package session

import (
	"encoding/binary"

	"wirepatch/dataplane/packet"
)

// segment sends payload at output offset out with the headers of q, cut into
// several where one datagram cannot hold it.
func (s *Session) segment(h, r *half, q *held, out int64, payload []byte, flags uint8) {
	s.build(h, r, &q.f, int(q.v.GSOSize), out, payload, flags, q.kept)
}

// origin sends a segment of our own in the name of h's sender. sack, if given,
// is a frame kept ahead in r that the acknowledgement is to name.
func (s *Session) origin(h, r *half, out int64, payload []byte, flags uint8, sack *held) {
	if len(h.header) == 0 && !h.mirror(r) {
		return // nothing was heard of either yet
	}
	e := s.e
	b := append(e.hdr[:0], h.header...)
	// What a sender's last segment said of congestion is not ours to repeat, and
	// retransmissions and acknowledgements do not take part (RFC 3168, 6.1.4).
	if h.v6 {
		b[h.l3+1] &^= 0x30
	} else {
		b[h.l3+1] &^= 0x03
	}
	b = append(b, h.ports[:]...)
	b = binary.BigEndian.AppendUint32(b, h.seq(out))
	b = binary.BigEndian.AppendUint32(b, r.seq(r.una)) // translated by build
	b = append(b, 0, flags)                            // header length, set below
	b = binary.BigEndian.AppendUint16(b, h.window)
	b = append(b, 0, 0, 0, 0) // checksum, urgent pointer
	l4 := len(h.header)
	if h.stamped && h.hs.Stamps && r.hs.Stamps || h.stamped && s.midStream {
		b = append(b, 1, 1, 8, 10)
		b = binary.BigEndian.AppendUint32(b, h.stampIn)
		b = binary.BigEndian.AppendUint32(b, r.stampIn)
	}
	b = appendSACK(b, h, r, sack)
	b[l4+12] = byte((len(b) - l4) / 4 << 4)
	f := packet.Frame{Data: b, V6: h.v6, L3: h.l3, L4: l4, Payload: len(b), End: len(b), Flags: flags}
	s.build(h, r, &f, 0, out, payload, flags, false)
}

// mirror makes headers for a sender that was not heard yet, in a session that
// was picked up in its middle: those of the other one, turned round.
func (h *half) mirror(r *half) bool {
	if len(r.header) == 0 {
		return false
	}
	b := append(h.header[:0], r.header[:r.l3]...)
	copy(b, r.header[6:12])
	copy(b[6:], r.header[:6])
	ip := r.header[r.l3:]
	if r.v6 {
		b = append(b, ip[:40]...)
		b[r.l3+6] = 6
		copy(b[r.l3+8:], ip[24:40])
		copy(b[r.l3+24:], ip[8:24])
	} else {
		b = append(b, ip[:20]...)
		b[r.l3] = 0x45
		copy(b[r.l3+12:], ip[16:20])
		copy(b[r.l3+16:], ip[12:16])
	}
	h.header, h.l3, h.v6 = b, r.l3, r.v6
	copy(h.ports[:], r.ports[2:])
	copy(h.ports[2:], r.ports[:2])
	h.window = max(h.window, 1<<10)
	return true
}

// appendSACK adds a selective acknowledgement (RFC 2018) for what was kept
// ahead in r: the block that q, the latest, belongs to.
func appendSACK(b []byte, h, r *half, q *held) []byte {
	if q == nil || !h.hs.SACK || !r.hs.SACK {
		return b
	}
	from, to := q.off, q.end
	for i := range r.ahead {
		if a := &r.ahead[i]; a.off <= to && a.end >= from {
			from, to = min(from, a.off), max(to, a.end)
		}
	}
	if from == to {
		return b // a FIN alone
	}
	b = append(b, 1, 1, 5, 10)
	b = binary.BigEndian.AppendUint32(b, r.seq(r.edits.outFrom(from))) // translated back by build
	return binary.BigEndian.AppendUint32(b, r.seq(r.edits.outFrom(to)))
}

// build makes and sends segments of payload with the headers of like.
func (s *Session) build(h, r *half, like *packet.Frame, gso int, out int64, payload []byte, flags uint8, kept bool) {
	headers := like.Payload
	if gso == 0 || gso > 1<<15 {
		gso = h.mss(r, like.Payload-like.L4-20)
	}
	most := (65535 - (headers - like.L3)) / gso * gso
	for {
		n := min(len(payload), most)
		part := flags
		if n < len(payload) {
			part &^= packet.FIN | packet.PSH
		}
		s.one(h, r, like, gso, out, payload[:n], part, kept)
		out += int64(n)
		payload = payload[n:]
		if len(payload) == 0 {
			return
		}
		flags &^= packet.CWR
	}
}

func (s *Session) one(h, r *half, like *packet.Frame, gso int, out int64, payload []byte, flags uint8, kept bool) {
	e := s.e
	b := append(e.buf[:0], like.Data[:like.Payload]...)
	b = append(b, payload...)
	f := *like
	f.Data, f.End, f.Flags = b, len(b), flags
	b[f.L4+13] = flags
	f.PutIPLength()
	v := packet.VNet{Flags: packet.VNetNeedsCsum, HdrLen: uint16(f.Payload), CsumStart: uint16(f.L4), CsumOffset: 16}
	if len(payload) > gso {
		v.GSOType, v.GSOSize = packet.GSOTCPv4, uint16(gso)
		if f.V6 {
			v.GSOType = packet.GSOTCPv6
		}
		if flags&packet.CWR != 0 {
			v.GSOType |= packet.GSOECN
		}
	}
	n := int64(len(payload))
	if flags&packet.FIN != 0 {
		n++
	}
	if n > 0 {
		h.sent = max(h.sent, out+n)
	}
	h.spoke = true
	s.refresh(h, r, &f, v, kept)
	s.translate(h, r, v, &f, out)
	s.stamp(h, &f, v, kept)
	f.PutPartialChecksum()
	e.cfg.Output.Send(h.to, v, b)
}

// bare returns a copy of f without its payload.
func (e *Engine) bare(f *packet.Frame) *packet.Frame {
	e.out = *f
	e.out.Data = append(e.buf[:0], f.Data[:f.Payload]...)
	e.out.End = f.Payload
	e.out.PutIPLength()
	e.out.PutPartialChecksum()
	return &e.out
}
