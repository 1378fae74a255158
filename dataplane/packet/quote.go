package packet

import "encoding/binary"

const (
	protoICMP   = 1
	protoICMPv6 = 58
	icmpLen     = 8 // before what an error quotes
	quotedMin   = 8 // bytes of the TCP header that every error quotes (RFC 792)
)

// Quote is a parsed view of an Ethernet frame that holds an ICMP or ICMPv6
// error, and of the beginning of the TCP segment that the error is about.
// Offsets count bytes from the start of Data.
type Quote struct {
	Data    []byte
	V6      bool
	ICMP    int // ICMP header
	L4      int // quoted TCP header: at least its first 8 bytes are there
	End     int // end of the IP datagram
	VLAN    uint32
	Src     [16]byte
	Dst     [16]byte // of the quoted packet, as in Frame
	SrcPort uint16
	DstPort uint16

	l3 int // outer IP header
}

// Parse fills q from data, which it keeps. Errors are destination unreachable,
// packet too big, time exceeded and parameter problem (RFC 792, RFC 4443); all
// else, and an error about something else, is ErrNotTCP.
func (q *Quote) Parse(data []byte) error {
	*q = Quote{Data: data}
	var f Frame
	if err := f.Parse(data); err != ErrNotTCP {
		return ErrNotTCP
	}
	q.V6, q.VLAN, q.l3, q.End = f.V6, f.VLAN, f.L3, f.End
	if q.End == 0 { // neither IPv4 nor IPv6
		return ErrNotTCP
	}
	if !q.findICMP(&f) || !q.isError() {
		return ErrNotTCP
	}
	return q.parseQuoted()
}

// findICMP sets the offset of the ICMP header, if there is one.
func (q *Quote) findICMP(f *Frame) bool {
	if !q.V6 {
		q.ICMP = f.L4
		return f.frag.proto == protoICMP && f.frag.offset == 0 && !f.frag.more
	}
	proto, at, ok := skipExtensions(q.Data[:q.End], q.Data[q.l3+6], q.l3+ipv6Len)
	q.ICMP = at
	return ok && proto == protoICMPv6
}

// isError says whether the ICMP message is an error with something quoted.
func (q *Quote) isError() bool {
	if q.End < q.ICMP+icmpLen {
		return false
	}
	t := q.Data[q.ICMP]
	if q.V6 {
		return t >= 1 && t <= 4
	}
	return t == 3 || t == 11 || t == 12
}

func (q *Quote) parseQuoted() error {
	at := q.ICMP + icmpLen
	ip := q.Data[at:q.End]
	if q.V6 {
		if len(ip) < ipv6Len || ip[0]>>4 != 6 {
			return ErrNotTCP
		}
		copy(q.Src[:], ip[8:24])
		copy(q.Dst[:], ip[24:40])
		proto, l4, ok := skipExtensions(q.Data[:q.End], ip[6], at+ipv6Len)
		if !ok || proto != protoTCP {
			return ErrNotTCP
		}
		q.L4 = l4
	} else {
		if len(ip) < ipv4MinLen || ip[0] < 0x45 || ip[0] > 0x4f || ip[9] != protoTCP || binary.BigEndian.Uint16(ip[6:])&0x1fff != 0 {
			return ErrNotTCP
		}
		mapped(&q.Src, ip[12:16])
		mapped(&q.Dst, ip[16:20])
		q.L4 = at + int(ip[0]&0x0f)*4
	}
	if q.End < q.L4+quotedMin {
		return ErrNotTCP
	}
	q.SrcPort = binary.BigEndian.Uint16(q.Data[q.L4:])
	q.DstPort = binary.BigEndian.Uint16(q.Data[q.L4+2:])
	return nil
}

// skipExtensions follows a chain of IPv6 extension headers in data from offset
// at, where the header of kind next stands, to the first that is none. A later
// fragment has no such header.
func skipExtensions(data []byte, next byte, at int) (proto byte, off int, ok bool) {
	for range 16 {
		switch next {
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(data) < at+8 {
				return 0, 0, false
			}
			next, at = data[at], at+8+int(data[at+1])*8
		case 44: // fragment
			if len(data) < at+8 || binary.BigEndian.Uint16(data[at+2:])&^7 != 0 {
				return 0, 0, false
			}
			next, at = data[at], at+8
		default:
			return next, at, true
		}
	}
	return 0, 0, false
}

// Seq returns the quoted sequence number.
func (q *Quote) Seq() uint32 { return binary.BigEndian.Uint32(q.Data[q.L4+4:]) }

// MTU returns the length of the longest packet that gets through, in bytes, if
// the error says that one was too long for its path; else, or if it does not
// tell, 0 (RFC 1191, 4; RFC 4443, 3.2).
func (q *Quote) MTU() int {
	h := q.Data[q.ICMP:]
	switch {
	case q.V6 && h[0] == 2:
		return int(min(binary.BigEndian.Uint32(h[4:]), 1<<16))
	case !q.V6 && h[0] == 3 && h[1] == 4:
		return int(binary.BigEndian.Uint16(h[6:]))
	}
	return 0
}

// ValidChecksum says whether the ICMP checksum is right.
func (q *Quote) ValidChecksum() bool {
	msg := q.Data[q.ICMP:q.End]
	var acc uint64
	if q.V6 {
		acc = sum(q.Data[q.l3+8:q.l3+40], 0)
		var tail [8]byte
		binary.BigEndian.PutUint32(tail[:], uint32(len(msg)))
		tail[7] = protoICMPv6
		acc = sum(tail[:], acc)
	}
	return fold(sum(msg, acc)) == 0xffff
}

// PutSeq overwrites the quoted sequence number and brings the quoted TCP
// checksum, where it was quoted, and the ICMP checksum up to date (RFC 1624).
// The latter not if it is partial: then it covers the pseudo header alone.
func (q *Quote) PutSeq(seq uint32, partial bool) {
	tcp := q.Data[q.L4:q.End]
	icmp := q.Data[q.ICMP+2 : q.ICMP+4]
	var was, is [6]byte
	copy(was[:], tcp[4:8])
	binary.BigEndian.PutUint32(tcp[4:], seq)
	copy(is[:], tcp[4:8])
	if len(tcp) >= 18 {
		copy(was[4:], tcp[16:18])
		adjust(tcp[16:18], was[:4], is[:4])
		copy(is[4:], tcp[16:18])
	}
	if !partial {
		adjust(icmp, was[:], is[:])
	}
}

// adjust brings a checksum up to date after was, an even number of bytes at an
// even offset, became is.
func adjust(checksum, was, is []byte) {
	acc := uint64(^binary.BigEndian.Uint16(checksum))
	for i := 0; i < len(was); i += 2 {
		acc += uint64(^binary.BigEndian.Uint16(was[i:])) + uint64(binary.BigEndian.Uint16(is[i:]))
	}
	binary.BigEndian.PutUint16(checksum, ^fold(acc))
}
