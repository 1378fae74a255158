package port

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"wirepatch/dataplane/internal/netns"
)

// join makes one frame of parts: addresses, types and payloads.
func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func macs(dst, src string) []byte {
	d, err := net.ParseMAC(dst)
	if err != nil {
		panic(err)
	}
	s, err := net.ParseMAC(src)
	if err != nil {
		panic(err)
	}
	return join(d, s)
}

var (
	toServer = macs(netns.ServerMAC, netns.ClientMAC)
	filler   = make([]byte, 64)
)

func u16(v ...uint16) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

// ip4 is an IPv4 packet; its checksum is left out: nothing on the way looks.
func ip4(proto byte, src, dst string, frag uint16, options []byte, payload ...[]byte) []byte {
	p := join(payload...)
	h := join([]byte{0x40 | byte(5+len(options)/4), 0}, u16(uint16(20+len(options)+len(p)), 7, frag), []byte{64, proto, 0, 0},
		netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice(), options)
	return join(u16(0x0800), h, p)
}

func ip6(next byte, src, dst string, payload ...[]byte) []byte {
	p := join(payload...)
	return join(u16(0x86dd), []byte{0x60, 0, 0, 0}, u16(uint16(len(p))), []byte{next, 64},
		netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice(), p)
}

// tcp is a bare ACK that fits no session; the hosts' answers do not matter.
func tcp(src, dst uint16) []byte {
	return join(u16(src, dst, 0, 1, 0, 1, 0x5010, 1000, 0, 0), []byte("hello"))
}

func udp(src, dst uint16) []byte { return join(u16(src, dst, 8+5, 0), []byte("hello")) }

func vlan(id uint16) []byte { return u16(0x8100, id) }

func qinq(id uint16) []byte { return u16(0x88a8, id) }

// extension is an IPv6 extension header of 8 bytes that is followed by next;
// its option is a PadN.
func extension(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }

func fragment6(next byte, offset uint16) []byte {
	return join([]byte{next, 0}, u16(offset), []byte{0, 0, 0, 9})
}

// about4 is an ICMP error from a router to the sender of packet, which it
// quotes; about6 the same for IPv6.
func about4(typ, code byte, packet []byte) []byte {
	return ip4(1, "10.77.0.254", netns.Client4, 0, nil, []byte{typ, code, 0, 0, 0, 0, 5, 0}, packet[2:])
}

func about6(typ byte, packet []byte) []byte {
	return ip6(58, "fd77::fe", netns.Client6, []byte{typ, 0, 0, 0, 0, 0, 5, 0}, packet[2:])
}
