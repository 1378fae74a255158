package packet

import (
	"encoding/binary"
	"math/bits"
)

// sum adds b to the one's-complement sum acc (RFC 1071), kept in 64 bits.
func sum(b []byte, acc uint64) uint64 {
	var carry uint64
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	acc, carry = bits.Add64(acc, 0, carry)
	acc += carry
	var tail [8]byte
	if len(b) > 0 {
		copy(tail[:], b)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(tail[:]), 0)
		acc += carry
	}
	return acc
}

func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}

// pseudo is the sum over the pseudo header of a TCP segment of n bytes.
func (f *Frame) pseudo(n int) uint64 { return f.pseudoOf(protoTCP, n) }

// pseudoOf is the sum over the pseudo header before n bytes of a protocol.
func (f *Frame) pseudoOf(proto byte, n int) uint64 {
	var acc uint64
	if f.V6 {
		acc = sum(f.Data[f.L3+8:f.L3+40], 0)
	} else {
		acc = sum(f.Data[f.L3+12:f.L3+20], 0)
	}
	var tail [8]byte
	binary.BigEndian.PutUint32(tail[:], uint32(n))
	tail[7] = proto
	return sum(tail[:], acc)
}

// ValidChecksum says whether the TCP checksum is right over the whole segment.
func (f *Frame) ValidChecksum() bool {
	seg := f.Data[f.L4:f.End]
	return fold(sum(seg, f.pseudo(len(seg)))) == 0xffff
}

// PutPartialChecksum writes the folded, uninverted sum over the pseudo header
// into the checksum field, as the kernel wants it with NEEDS_CSUM.
func (f *Frame) PutPartialChecksum() {
	binary.BigEndian.PutUint16(f.Data[f.L4+16:], fold(f.pseudo(f.End-f.L4)))
}

// PutIPLength writes the datagram's length for an end at f.End, and for IPv4
// the header checksum.
func (f *Frame) PutIPLength() {
	if f.V6 {
		binary.BigEndian.PutUint16(f.Data[f.L3+4:], uint16(f.End-f.L3-ipv6Len))
		return
	}
	binary.BigEndian.PutUint16(f.Data[f.L3+2:], uint16(f.End-f.L3))
	f.PutIPv4Checksum()
}

// PutIPv4Checksum writes the header checksum.
func (f *Frame) PutIPv4Checksum() {
	h := f.Data[f.L3:f.L4]
	binary.BigEndian.PutUint16(h[10:], 0)
	binary.BigEndian.PutUint16(h[10:], ^fold(sum(h, 0)))
}

// Rewrite overwrites the TCP header's bytes from offset at (from the start of
// the TCP header) with with. Where the checksum is complete it is updated by
// the difference (RFC 1624); a partial one does not cover these bytes.
func (f *Frame) Rewrite(at int, with []byte, partial bool) {
	field := f.Data[f.L4+at : f.L4+at+len(with)]
	if !partial {
		c := f.Data[f.L4+16 : f.L4+18]
		acc := uint64(^binary.BigEndian.Uint16(c))
		var before, after [64]byte
		odd := at & 1
		copy(before[odd:], field)
		copy(after[odd:], with)
		n := (odd + len(with) + 1) &^ 1
		for i := range n {
			before[i] = ^before[i]
		}
		acc = sum(before[:n], acc<<48)
		acc = sum(after[:n], acc)
		binary.BigEndian.PutUint16(c, ^fold(acc))
	}
	copy(field, with)
}
