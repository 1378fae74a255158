// Package packet is a view over the bytes of a frame: Ethernet, VLAN tags,
// IPv4, IPv6, TCP, UDP; and the checksums that go with them. It reads and writes
// fields in place, keeps no state (but for Reassembler, which collects IP
// fragments) and knows nothing of sessions.
package packet

import (
	"encoding/binary"
	"errors"
)

// Why a frame has no TCP view.
var (
	ErrTruncated = errors.New("frame ends before its headers do")
	ErrMalformed = errors.New("header fields contradict each other")
	ErrNotTCP    = errors.New("not a TCP segment over IPv4 or IPv6")
	ErrUDP       = errors.New("a UDP datagram over IPv4 or IPv6") // which the Frame is a view of
	ErrFragment  = errors.New("fragment of an IP datagram")
)

// EtherTypes and protocol numbers (IEEE 802, IANA).
const (
	etherVLAN     = 0x8100
	etherQinQ     = 0x88a8
	etherIPv4     = 0x0800
	etherIPv6     = 0x86dd
	protoTCP      = 6
	protoUDP      = 17
	protoFragment = 44 // IPv6
	maxTags       = 4
	ipv4MinLen    = 20
	ipv6Len       = 40
	tcpMinLen     = 20
	udpLen        = 8
)

// TCP flags (RFC 9293, 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Frame is a parsed view of one Ethernet frame that holds a TCP segment, or a
// UDP datagram. Offsets count bytes from the start of Data.
type Frame struct {
	Data    []byte
	V6      bool
	L3      int    // IP header
	L4      int    // TCP or UDP header
	Payload int    // first payload byte
	End     int    // end of the IP datagram; what follows is Ethernet padding
	VLAN    uint32 // VLAN identifiers of the two outer tags, 12 bits each; 0: none
	Src     [16]byte
	Dst     [16]byte // IPv4 addresses as IPv4-mapped ones
	SrcPort uint16
	DstPort uint16
	Flags   uint8 // of TCP

	Surplus int // UDP: bytes between the end of the datagram and that of the IP packet; End is before them

	frag    fragment
	protoAt int // IPv6: offset of the byte that names UDP, or the protocol of a fragment
}

// Parse fills f from data, which it keeps. A datagram longer than 65,535 bytes
// (a GSO packet whose length field reads 0) reaches to the end of data.
func (f *Frame) Parse(data []byte) error {
	*f = Frame{Data: data}
	if len(data) < 14 {
		return ErrTruncated
	}
	etherType := binary.BigEndian.Uint16(data[12:])
	at := 14
	for range maxTags {
		if etherType != etherVLAN && etherType != etherQinQ {
			break
		}
		if len(data) < at+4 {
			return ErrTruncated
		}
		f.VLAN = f.VLAN<<12 | uint32(binary.BigEndian.Uint16(data[at:])&0xfff)
		etherType = binary.BigEndian.Uint16(data[at+2:])
		at += 4
	}
	f.L3 = at
	switch etherType {
	case etherIPv4:
		return f.parseIPv4()
	case etherIPv6:
		return f.parseIPv6()
	}
	return ErrNotTCP
}

func (f *Frame) parseIPv4() error {
	ip := f.Data[f.L3:]
	if len(ip) < ipv4MinLen {
		return ErrTruncated
	}
	hlen := int(ip[0]&0x0f) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if total == 0 {
		total = len(ip)
	}
	if ip[0]>>4 != 4 || hlen < ipv4MinLen || total < hlen {
		return ErrMalformed
	}
	if len(ip) < total {
		return ErrTruncated
	}
	f.End = f.L3 + total
	f.L4 = f.L3 + hlen
	mapped(&f.Src, ip[12:16])
	mapped(&f.Dst, ip[16:20])
	word := binary.BigEndian.Uint16(ip[6:])
	f.frag = fragment{
		id: uint32(binary.BigEndian.Uint16(ip[4:])), proto: ip[9],
		offset: int(word&0x1fff) * 8, more: word&0x2000 != 0,
	}
	if ip[9] != protoTCP && ip[9] != protoUDP {
		return ErrNotTCP
	}
	if f.frag.offset != 0 || f.frag.more {
		return ErrFragment
	}
	if ip[9] == protoUDP {
		return f.parseUDP()
	}
	return f.parseTCP()
}

func mapped(to *[16]byte, v4 []byte) {
	to[10], to[11] = 0xff, 0xff
	copy(to[12:], v4)
}

// parseIPv6 walks the extension headers (RFC 8200, 4).
func (f *Frame) parseIPv6() error {
	ip := f.Data[f.L3:]
	if len(ip) < ipv6Len {
		return ErrTruncated
	}
	total := ipv6Len + int(binary.BigEndian.Uint16(ip[4:]))
	if total == ipv6Len {
		total = len(ip)
	}
	if ip[0]>>4 != 6 {
		return ErrMalformed
	}
	if len(ip) < total {
		return ErrTruncated
	}
	f.V6 = true
	f.End = f.L3 + total
	copy(f.Src[:], ip[8:24])
	copy(f.Dst[:], ip[24:40])
	return f.walk(ip[:total], ip[6], ipv6Len, 6)
}

// walk follows the chain of extension headers from offset at of ip; the byte
// at nextAt named the header that stands there.
func (f *Frame) walk(ip []byte, next byte, at, nextAt int) error {
	for range 16 {
		switch next {
		case protoTCP:
			f.L4 = f.L3 + at
			return f.parseTCP()
		case protoUDP:
			f.L4, f.protoAt = f.L3+at, f.L3+nextAt
			return f.parseUDP()
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(ip) < at+8 {
				return ErrTruncated
			}
			nextAt = at
			next, at = ip[at], at+8+int(ip[at+1])*8
		case protoFragment:
			if len(ip) < at+8 {
				return ErrTruncated
			}
			word := binary.BigEndian.Uint16(ip[at+2:])
			f.protoAt = f.L3 + nextAt
			f.L4 = f.L3 + at + 8
			f.frag = fragment{
				id: binary.BigEndian.Uint32(ip[at+4:]), proto: ip[at],
				offset: int(word &^ 7), more: word&1 != 0,
			}
			return ErrFragment
		default:
			return ErrNotTCP
		}
	}
	return ErrMalformed
}

func (f *Frame) parseTCP() error {
	if f.L4 > f.End { // an extension header is longer than the packet
		return ErrTruncated
	}
	tcp := f.Data[f.L4:f.End]
	if len(tcp) < tcpMinLen {
		return ErrTruncated
	}
	hlen := int(tcp[12]>>4) * 4
	if hlen < tcpMinLen {
		return ErrMalformed
	}
	if len(tcp) < hlen {
		return ErrTruncated
	}
	f.Payload = f.L4 + hlen
	f.SrcPort = binary.BigEndian.Uint16(tcp)
	f.DstPort = binary.BigEndian.Uint16(tcp[2:])
	f.Flags = tcp[13]
	return nil
}

// Seq returns the sequence number.
func (f *Frame) Seq() uint32 { return binary.BigEndian.Uint32(f.Data[f.L4+4:]) }

// Ack returns the acknowledgement number.
func (f *Frame) Ack() uint32 { return binary.BigEndian.Uint32(f.Data[f.L4+8:]) }

// Window returns the window field, unscaled.
func (f *Frame) Window() uint16 { return binary.BigEndian.Uint16(f.Data[f.L4+14:]) }

// Body returns the payload.
func (f *Frame) Body() []byte { return f.Data[f.Payload:f.End] }

// Options returns the bytes of the TCP options.
func (f *Frame) Options() []byte { return f.Data[f.L4+tcpMinLen : f.Payload] }
