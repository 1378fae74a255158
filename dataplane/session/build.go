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
	if len(h.header) == 0 {
		return // nothing was heard of the sender yet
	}
	e := s.e
	b := append(e.hdr[:0], h.header...)
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
	b = append(b, 1, 1, 5, 10)
	b = binary.BigEndian.AppendUint32(b, r.seq(r.edits.outFrom(from))) // translated back by build
	return binary.BigEndian.AppendUint32(b, r.seq(r.edits.outFrom(to)))
}

// build makes and sends segments of payload with the headers of like.
func (s *Session) build(h, r *half, like *packet.Frame, gso int, out int64, payload []byte, flags uint8, kept bool) {
	headers := like.Payload
	if gso == 0 {
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
