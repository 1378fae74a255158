package e2e

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

// The client of these tests sends whatever segments it likes, from an address
// that no stack of the bed has; the server is a real one.
var rawClients = map[bool]string{false: "10.77.0.77", true: "fd77::77"} // by whether it is IPv6

// raw is a session of the raw client's.
type raw struct {
	t        *testing.T
	wire     *netns.Capture
	v6       bool
	port, to uint16 // its own, and the server's; 0: 80
	isn, ack uint32
}

// crafted is a segment at an offset of the client's stream.
type crafted struct {
	off    int
	data   string
	flags  byte // 0: ACK
	stamp  uint32
	ttl    byte
	window uint16
	urgent uint16
	spoil  bool // its checksum
	syn    bool
	frag   [][2]int // parts of the IP payload that are sent, in this order; nil: all, in one
	ahead  bool     // IPv6: destination options before the fragment header, if any
	atomic bool     // IPv6: a fragment header, though it is all in one
}

const (
	tcpFIN, tcpSYN, tcpRST, tcpPSH, tcpACK, tcpURG = 1, 2, 4, 8, 16, 32

	stampNow = 1_000_000
)

func (r *raw) send(s crafted) {
	r.t.Helper()
	for _, f := range r.frames(s) {
		r.wire.Send(r.t, f)
	}
}

func (r *raw) data(off int, data string) { r.send(crafted{off: off, data: data}) }

func (r *raw) frames(s crafted) [][]byte {
	if s.flags == 0 {
		s.flags = tcpACK
	}
	if s.ttl == 0 {
		s.ttl = 64
	}
	if s.window == 0 {
		s.window = 0xffff
	}
	if s.stamp == 0 {
		s.stamp = stampNow
	}
	options := []byte{1, 1, 8, 10}
	if s.syn {
		options = []byte{2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10}
	}
	options = binary.BigEndian.AppendUint32(options, s.stamp)
	options = binary.BigEndian.AppendUint32(options, 0)
	h := binary.BigEndian.AppendUint16(nil, r.port)
	h = binary.BigEndian.AppendUint16(h, max(r.to, 80))
	h = binary.BigEndian.AppendUint32(h, r.isn+1+uint32(s.off))
	h = binary.BigEndian.AppendUint32(h, r.ack)
	h = append(h, byte(20+len(options))/4<<4, s.flags)
	h = binary.BigEndian.AppendUint16(h, s.window)
	h = append(h, 0, 0)
	h = binary.BigEndian.AppendUint16(h, s.urgent)
	h = append(append(h, options...), s.data...)
	src, dst := netip.MustParseAddr(rawClients[r.v6]).AsSlice(), netip.MustParseAddr(netns.Server4).AsSlice()
	if r.v6 {
		dst = netip.MustParseAddr(netns.Server6).AsSlice()
	}
	binary.BigEndian.PutUint16(h[16:], ^onesSum(slices.Concat(src, dst, []byte{0, 6, byte(len(h) >> 8), byte(len(h))}, h)))
	if s.spoil {
		h[16] ^= 1
	}
	if s.frag == nil {
		s.frag = [][2]int{{0, len(h)}}
	}
	var out [][]byte
	for _, p := range s.frag {
		if r.v6 {
			out = append(out, r.piece6(s, src, dst, h, p))
		} else {
			out = append(out, r.piece4(s, src, dst, h, p))
		}
	}
	return out
}

func (r *raw) piece4(s crafted, src, dst, h []byte, p [2]int) []byte {
	at := uint16(p[0] / 8)
	if p[1] < len(h) {
		at |= 0x2000
	}
	ip := slices.Concat([]byte{0x45, 0}, binary.BigEndian.AppendUint16(nil, uint16(20+p[1]-p[0])), []byte{0x77, byte(r.port)},
		binary.BigEndian.AppendUint16(nil, at), []byte{s.ttl, 6, 0, 0}, src, dst)
	binary.BigEndian.PutUint16(ip[10:], ^onesSum(ip))
	return slices.Concat(ethernet, []byte{8, 0}, ip, h[p[0]:p[1]])
}

func (r *raw) piece6(s crafted, src, dst, h []byte, p [2]int) []byte {
	next, payload := byte(6), h[p[0]:p[1]]
	if len(payload) < len(h) || s.atomic {
		at := uint16(p[0])
		if p[1] < len(h) {
			at |= 1
		}
		payload = slices.Concat([]byte{next, 0}, binary.BigEndian.AppendUint16(nil, at), []byte{0, 0, 0x77, byte(r.port)}, payload)
		next = 44
	}
	if s.ahead {
		payload = slices.Concat([]byte{next, 0, 1, 4, 0, 0, 0, 0}, payload)
		next = 60
	}
	return slices.Concat(ethernet, []byte{0x86, 0xdd, 0x60, 0, 0, 0}, binary.BigEndian.AppendUint16(nil, uint16(len(payload))), []byte{next, s.ttl}, src, dst, payload)
}

func onesSum(b []byte) uint16 {
	sum := uint32(0)
	for i, c := range b {
		sum += uint32(c) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

// open shakes hands; with data in the SYN.
func (r *raw) open(inSYN string) {
	r.t.Helper()
	syn := crafted{off: -1, flags: tcpSYN, syn: true, data: inSYN}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		r.send(syn)
		for wait := time.Now().Add(time.Second); ; {
			f, ok := r.wire.Next(r.t, time.Until(wait))
			if !ok {
				break
			}
			var p packet.Frame
			if f.Outgoing || p.Parse(f.Data) != nil || p.V6 != r.v6 || p.DstPort != r.port || p.Flags&(tcpSYN|tcpACK) != tcpSYN|tcpACK {
				continue
			}
			r.ack = p.Seq() + 1
			r.data(0, "")
			return
		}
	}
	r.t.Fatalf("no answer to the SYN of port %d", r.port)
}
