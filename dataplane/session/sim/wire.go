package sim

import (
	"encoding/binary"
	"errors"
	"fmt"

	"wirepatch/dataplane/packet"
)

// address is what the headers of one endpoint's frames say.
type address struct {
	mac  [6]byte
	ip   []byte // 4 or 16 bytes
	port uint16
	ttl  byte
	tos  byte
}

// segment is a TCP segment without its addresses.
type segment struct {
	seq, ack uint32
	flags    byte
	window   uint16
	urgent   uint16
	opts     []byte
	body     []byte
	ipOpts   []byte // of IPv4, or a destination options header of IPv6
}

func sum16(acc uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		acc += uint32(b[i])<<8 | uint32(b[i+1])
		acc = acc&0xffff + acc>>16
	}
	if len(b)%2 == 1 {
		acc += uint32(b[len(b)-1]) << 8
		acc = acc&0xffff + acc>>16
	}
	return acc
}

// tcpSum is the one's-complement sum over pseudo header and segment.
func tcpSum(src, dst, tcp []byte) uint16 {
	acc := sum16(0, src)
	acc = sum16(acc, dst)
	acc = sum16(acc, []byte{0, 6, byte(len(tcp) >> 16), 0})
	acc = sum16(acc, []byte{byte(len(tcp) >> 8), byte(len(tcp))})
	return uint16(sum16(acc, tcp))
}

// frame builds the bytes of s on the wire from a to b, with valid checksums.
func (s *segment) frame(a, b *address, vlan uint16, id uint16) []byte {
	f := append([]byte(nil), b.mac[:]...)
	f = append(f, a.mac[:]...)
	if vlan != 0 {
		f = append(f, 0x81, 0, byte(vlan>>8), byte(vlan))
	}
	tcpLen := 20 + len(s.opts) + len(s.body)
	if len(a.ip) == 4 {
		f = append(f, 8, 0)
		l3 := len(f)
		f = append(f, byte(0x45+len(s.ipOpts)/4), a.tos)
		f = binary.BigEndian.AppendUint16(f, uint16(20+len(s.ipOpts)+tcpLen))
		f = binary.BigEndian.AppendUint16(f, id)
		f = append(f, 0x40, 0, a.ttl, 6, 0, 0)
		f = append(append(append(f, a.ip...), b.ip...), s.ipOpts...)
		binary.BigEndian.PutUint16(f[l3+10:], ^uint16(sum16(0, f[l3:])))
	} else {
		f = append(f, 0x86, 0xdd, 0x60|a.tos>>4, a.tos<<4, 1, 2)
		f = binary.BigEndian.AppendUint16(f, uint16(len(s.ipOpts)+tcpLen))
		next := byte(6)
		if len(s.ipOpts) > 0 {
			next = 60
		}
		f = append(f, next, a.ttl)
		f = append(append(append(f, a.ip...), b.ip...), s.ipOpts...)
	}
	l4 := len(f)
	f = binary.BigEndian.AppendUint16(f, a.port)
	f = binary.BigEndian.AppendUint16(f, b.port)
	f = binary.BigEndian.AppendUint32(f, s.seq)
	f = binary.BigEndian.AppendUint32(f, s.ack)
	f = append(f, byte(5+len(s.opts)/4)<<4, s.flags)
	f = binary.BigEndian.AppendUint16(f, s.window)
	f = append(f, 0, 0, byte(s.urgent>>8), byte(s.urgent))
	f = append(append(f, s.opts...), s.body...)
	binary.BigEndian.PutUint16(f[l4+16:], ^tcpSum(a.ip, b.ip, f[l4:]))
	return f
}

// view is a frame taken apart.
type view struct {
	segment
	l3, l4, payload int
	src, dst        []byte
	ttl, tos        byte
}

// parse takes frame f apart and verifies every checksum and length.
func parse(f []byte) (*view, error) {
	v := &view{l3: 14}
	if len(f) < 54 {
		return nil, errors.New("short frame")
	}
	if f[12] == 0x81 {
		v.l3 = 18
	}
	ip := f[v.l3:]
	hlen := 0
	switch ip[0] >> 4 {
	case 4:
		hlen = int(ip[0]&15) * 4
		if int(binary.BigEndian.Uint16(ip[2:])) != len(ip) {
			return nil, fmt.Errorf("IPv4 length %d; frame holds %d", binary.BigEndian.Uint16(ip[2:]), len(ip))
		}
		if sum16(0, ip[:hlen]) != 0xffff {
			return nil, errors.New("bad IPv4 checksum")
		}
		v.src, v.dst, v.ttl, v.tos = ip[12:16], ip[16:20], ip[8], ip[1]
	case 6:
		hlen = 40
		if int(binary.BigEndian.Uint16(ip[4:]))+40 != len(ip) {
			return nil, fmt.Errorf("IPv6 length %d; frame holds %d", binary.BigEndian.Uint16(ip[4:]), len(ip)-40)
		}
		if ip[6] == 60 {
			hlen += 8 + int(ip[41])*8
		}
		v.src, v.dst, v.ttl, v.tos = ip[8:24], ip[24:40], ip[7], ip[0]<<4|ip[1]>>4
	default:
		return nil, errors.New("not IP")
	}
	v.l4 = v.l3 + hlen
	tcp := f[v.l4:]
	if tcpSum(v.src, v.dst, tcp) != 0xffff {
		return nil, errors.New("bad TCP checksum")
	}
	off := int(tcp[12]>>4) * 4
	v.payload = v.l4 + off
	v.segment = segment{
		seq: binary.BigEndian.Uint32(tcp[4:]), ack: binary.BigEndian.Uint32(tcp[8:]), flags: tcp[13],
		window: binary.BigEndian.Uint16(tcp[14:]), urgent: binary.BigEndian.Uint16(tcp[18:]),
		opts: tcp[20:off], body: tcp[off:],
	}
	return v, nil
}

// partial makes a frame into what the kernel hands over with NEEDS_CSUM.
func partial(f []byte, gso int) packet.VNet {
	v, err := parse(f)
	if err != nil {
		panic(err)
	}
	tcp := f[v.l4:]
	binary.BigEndian.PutUint16(tcp[16:], 0)
	acc := sum16(sum16(0, v.src), v.dst)
	acc = sum16(acc, []byte{0, 6, byte(len(tcp) >> 8), byte(len(tcp))})
	binary.BigEndian.PutUint16(tcp[16:], uint16(acc))
	n := packet.VNet{Flags: packet.VNetNeedsCsum, HdrLen: uint16(v.payload), CsumStart: uint16(v.l4), CsumOffset: 16}
	if gso > 0 && len(v.body) > gso {
		n.GSOType, n.GSOSize = packet.GSOTCPv4, uint16(gso)
		if len(v.src) == 16 {
			n.GSOType = packet.GSOTCPv6
		}
	}
	return n
}

// complete does what the kernel does with what its header v leaves to do: it
// returns the frames as they go on the wire.
func complete(v packet.VNet, frame []byte) ([][]byte, error) {
	f := append([]byte(nil), frame...)
	if v.Flags&packet.VNetNeedsCsum != 0 {
		at := int(v.CsumStart) + int(v.CsumOffset)
		if at+2 > len(f) {
			return nil, fmt.Errorf("checksum at %d of a frame of %d bytes", at, len(f))
		}
		binary.BigEndian.PutUint16(f[at:], ^uint16(sum16(0, f[v.CsumStart:])))
	}
	p, err := parse(f)
	if err != nil || v.GSOType&^packet.GSOECN == packet.GSONone {
		return [][]byte{f}, err
	}
	want := byte(packet.GSOTCPv4)
	if len(p.src) == 16 {
		want = packet.GSOTCPv6
	}
	if v.GSOType&^packet.GSOECN != want || v.GSOSize == 0 || v.Flags&packet.VNetNeedsCsum == 0 {
		return nil, fmt.Errorf("GSO type %d, size %d, flags %d", v.GSOType, v.GSOSize, v.Flags)
	}
	return cut(f, p, int(v.GSOSize)), nil
}

// cut makes segments of at most size payload bytes of frame f.
func cut(f []byte, p *view, size int) [][]byte {
	var out [][]byte
	for at := 0; at == 0 || at < len(p.body); at += size {
		n := min(size, len(p.body)-at)
		last := at+n == len(p.body)
		g := append(append([]byte(nil), f[:p.payload]...), p.body[at:at+n]...)
		ip, tcp := g[p.l3:], g[p.l4:]
		binary.BigEndian.PutUint32(tcp[4:], p.seq+uint32(at))
		if !last {
			tcp[13] &^= packet.FIN | packet.PSH
		}
		if at > 0 {
			tcp[13] &^= packet.CWR
		}
		if len(p.src) == 4 {
			binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
			binary.BigEndian.PutUint16(ip[10:], 0)
			binary.BigEndian.PutUint16(ip[10:], ^uint16(sum16(0, ip[:p.l4-p.l3])))
		} else {
			binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
		}
		binary.BigEndian.PutUint16(tcp[16:], 0)
		binary.BigEndian.PutUint16(tcp[16:], ^tcpSum(p.src, p.dst, tcp))
		out = append(out, g)
	}
	return out
}
