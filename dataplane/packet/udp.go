package packet

import "encoding/binary"

// parseUDP sets the view of a UDP datagram (RFC 768). It always returns an
// error: ErrUDP when the view is whole. A length field of 0 (RFC 2675) fits no
// datagram that Ethernet carries.
func (f *Frame) parseUDP() error {
	if f.L4 > f.End {
		return ErrTruncated
	}
	udp := f.Data[f.L4:f.End]
	if len(udp) < udpLen {
		return ErrTruncated
	}
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < udpLen || n > len(udp) {
		return ErrMalformed
	}
	f.Surplus = len(udp) - n
	f.End -= f.Surplus
	f.Payload = f.L4 + udpLen
	f.SrcPort = binary.BigEndian.Uint16(udp)
	f.DstPort = binary.BigEndian.Uint16(udp[2:])
	return ErrUDP
}

// udpSum is the sum over datagram and pseudo header, folded.
func (f *Frame) udpSum() uint16 {
	d := f.Data[f.L4:f.End]
	return fold(sum(d, f.pseudoOf(protoUDP, len(d))))
}

// ValidUDPChecksum says whether a receiver takes the datagram: its checksum is
// right, or over IPv4 left out.
func (f *Frame) ValidUDPChecksum() bool {
	if binary.BigEndian.Uint16(f.Data[f.L4+6:]) == 0 {
		return !f.V6
	}
	return f.udpSum() == 0xffff
}

// PutUDPLength writes the lengths of datagram and packet for an end at f.End,
// and all checksums.
func (f *Frame) PutUDPLength() {
	f.Surplus = 0
	f.PutIPLength()
	udp := f.Data[f.L4:]
	binary.BigEndian.PutUint16(udp[4:], uint16(f.End-f.L4))
	binary.BigEndian.PutUint16(udp[6:], 0)
	c := ^f.udpSum()
	if c == 0 {
		c = 0xffff // 0 says that there is none
	}
	binary.BigEndian.PutUint16(udp[6:], c)
}

// FragmentID returns the identification of an IPv4 packet that may be
// fragmented; false for others, which need not have one of their own (RFC 6864).
func (f *Frame) FragmentID() (uint32, bool) {
	if f.V6 || f.Data[f.L3+6]&0x40 != 0 {
		return 0, false
	}
	return uint32(binary.BigEndian.Uint16(f.Data[f.L3+4:])), true
}

// Fragments cuts the packet, whose lengths and checksums are right, into frames
// that hold at most mtu bytes of IP packet each, and hands them to emit, one
// after the other in buf. It says whether that was possible.
func (f *Frame) Fragments(mtu int, id uint32, buf []byte, emit func(frame []byte)) bool {
	first, next := f.fragmentHeaders(id)
	data := f.Data[f.L4:f.End]
	for at := 0; at < len(data); {
		h := next
		if at == 0 {
			h = first
		}
		n := (mtu - (len(h) - f.L3)) &^ 7
		if n <= 0 {
			return false
		}
		more := n < len(data)-at
		if !more {
			n = len(data) - at
		}
		b := append(append(buf[:0], h...), data[at:at+n]...)
		f.finishFragment(b, len(h), at, more)
		emit(b)
		at += n
	}
	return true
}

// fragmentHeaders returns what stands before the data of the first fragment and
// of the others. Of the options of IPv4 only those with the copied flag go into
// the others (RFC 791, 3.1).
func (f *Frame) fragmentHeaders(id uint32) (first, next []byte) {
	first = append([]byte(nil), f.Data[:f.L4]...)
	if f.V6 {
		at := f.protoAt
		if at == 0 { // a view that was not parsed: without extension headers
			at = f.L3 + 6
		}
		proto := first[at]
		first[at] = protoFragment
		first = append(first, proto, 0, 0, 0)
		first = binary.BigEndian.AppendUint32(first, id)
		return first, first
	}
	binary.BigEndian.PutUint16(first[f.L3+4:], uint16(id))
	next = append([]byte(nil), first[:f.L3+ipv4MinLen]...)
	const copied, endOfOptions, noOperation = 0x80, 0, 1
	for o := first[f.L3+ipv4MinLen:]; len(o) >= 2 && o[0] != endOfOptions; {
		n := int(o[1])
		if o[0] == noOperation {
			n = 1
		} else if n < 2 || n > len(o) {
			break
		}
		if o[0]&copied != 0 {
			next = append(next, o[:n]...)
		}
		o = o[n:]
	}
	for (len(next)-f.L3)%4 != 0 {
		next = append(next, endOfOptions)
	}
	next[f.L3] = 4<<4 | byte((len(next)-f.L3)/4)
	return first, next
}

// finishFragment fills in what tells the fragments b of a packet apart; its
// headers are hlen long and its data stands at offset at.
func (f *Frame) finishFragment(b []byte, hlen, at int, more bool) {
	part := Frame{Data: b, V6: f.V6, L3: f.L3, L4: hlen, End: len(b)}
	if f.V6 {
		word := uint16(at)
		if more {
			word |= 1
		}
		binary.BigEndian.PutUint16(b[hlen-6:], word)
		part.PutIPLength()
		return
	}
	word := uint16(at / 8)
	if more {
		word |= 0x2000
	}
	binary.BigEndian.PutUint16(b[f.L3+6:], word)
	part.PutIPLength()
}
