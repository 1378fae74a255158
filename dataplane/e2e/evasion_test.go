package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// The client of these tests sends whatever segments it likes, from an address
// that no stack of the bed has; the server is a real one.
const rawClient = "10.77.0.77"

// The trigger, the same message without it, as the server is to get it, and
// one of the same length that no rule is about.
const (
	evilRequest     = "GET / HTTP/1.1\r\nHost: a\r\nX-Removed: evil\r\nX-Kept: 1\r\n\r\n"
	goodRequest     = "GET / HTTP/1.1\r\nHost: a\r\nX-Kept: 1\r\n\r\n"
	harmlessRequest = "GET / HTTP/1.1\r\nHost: a\r\nX-Renamed: none\r\nX-Kept: 1\r\n\r\n"
)

// raw is a session of the raw client's.
type raw struct {
	t        *testing.T
	wire     *netns.Capture
	port     uint16
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
	h = binary.BigEndian.AppendUint16(h, 80)
	h = binary.BigEndian.AppendUint32(h, r.isn+1+uint32(s.off))
	h = binary.BigEndian.AppendUint32(h, r.ack)
	h = append(h, byte(20+len(options))/4<<4, s.flags)
	h = binary.BigEndian.AppendUint16(h, s.window)
	h = append(h, 0, 0)
	h = binary.BigEndian.AppendUint16(h, s.urgent)
	h = append(append(h, options...), s.data...)
	src, dst := netip.MustParseAddr(rawClient).AsSlice(), netip.MustParseAddr(netns.Server4).AsSlice()
	binary.BigEndian.PutUint16(h[16:], ^onesSum(slices.Concat(src, dst, []byte{0, 6, byte(len(h) >> 8), byte(len(h))}, h)))
	if s.spoil {
		h[16] ^= 1
	}
	if s.frag == nil {
		s.frag = [][2]int{{0, len(h)}}
	}
	var out [][]byte
	for _, p := range s.frag {
		at := uint16(p[0] / 8)
		if p[1] < len(h) {
			at |= 0x2000
		}
		ip := slices.Concat([]byte{0x45, 0}, binary.BigEndian.AppendUint16(nil, uint16(20+p[1]-p[0])), []byte{0x77, byte(r.port)},
			binary.BigEndian.AppendUint16(nil, at), []byte{s.ttl, 6, 0, 0}, src, dst)
		binary.BigEndian.PutUint16(ip[10:], ^onesSum(ip))
		out = append(out, slices.Concat(ethernet, []byte{8, 0}, ip, h[p[0]:p[1]]))
	}
	return out
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
			b := f.Data
			if f.Outgoing || len(b) < 54 || b[12] != 8 || b[13] != 0 || b[23] != 6 || binary.BigEndian.Uint16(b[36:]) != r.port || b[47]&(tcpSYN|tcpACK) != tcpSYN|tcpACK {
				continue
			}
			r.ack = binary.BigEndian.Uint32(b[38:]) + 1
			r.data(0, "")
			return
		}
	}
	r.t.Fatalf("no answer to the SYN of port %d", r.port)
}

// reader collects what the server reads of one session.
type reader struct {
	mu  sync.Mutex
	got []byte
	is  chan string // what it has, after each read
}

func readAll(c net.Conn) *reader {
	r := &reader{is: make(chan string, 1<<16)}
	go func() {
		defer c.Close()
		buf := make([]byte, 1<<16)
		for {
			n, err := c.Read(buf)
			r.mu.Lock()
			r.got = append(r.got, buf[:n]...)
			r.is <- string(r.got)
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r
}

// until waits until the server has read want.
func (r *reader) until(t *testing.T, want string) {
	t.Helper()
	for late := time.After(patience); ; {
		select {
		case got := <-r.is:
			if got == want {
				return
			}
		case <-late:
			t.Fatalf("the server has read %q; want %q", r.now(), want)
		}
	}
}

func (r *reader) now() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.got)
}

// evasions are the ways in which a client can have the box and the server see
// different streams. want is what the server reads; "-": nothing of the trigger,
// whatever else.
var evasions = []struct {
	name  string
	inSYN string
	do    func(r *raw)
	want  string
}{
	{"overlapping segments, harmless first", "", func(r *raw) { r.data(0, harmlessRequest[:34]); r.data(20, evilRequest[20:]) }, "-"},
	{"overlapping segments, trigger first", "", func(r *raw) { r.data(0, evilRequest[:34]); r.data(20, harmlessRequest[20:]) }, "-"},
	{"overlapping segments ahead of a gap, harmless first", "", func(r *raw) {
		r.data(20, harmlessRequest[20:])
		r.data(20, evilRequest[20:])
		r.data(0, evilRequest[:20])
	}, "-"},
	{"overlapping segments ahead of a gap, trigger first", "", func(r *raw) {
		r.data(20, evilRequest[20:])
		r.data(20, harmlessRequest[20:])
		r.data(0, harmlessRequest[:20])
	}, "-"},
	{"the whole request again with other content", "", func(r *raw) { r.data(0, harmlessRequest); r.data(0, evilRequest) }, "-"},
	{"overlapping fragments", "", func(r *raw) {
		r.send(crafted{data: harmlessRequest, frag: [][2]int{{32, 64}}})
		r.send(crafted{data: evilRequest, frag: [][2]int{{48, 32 + len(evilRequest)}, {0, 48}}})
		r.data(0, evilRequest)
	}, "-"},
	{"fragments", "", func(r *raw) {
		r.send(crafted{data: evilRequest, frag: [][2]int{{64, 32 + len(evilRequest)}, {0, 40}, {40, 64}}})
	}, goodRequest},
	{"bad checksum", "", func(r *raw) { r.send(crafted{data: harmlessRequest, spoil: true}); r.data(0, evilRequest) }, goodRequest},
	{"bad sequence number", "", func(r *raw) {
		r.data(1<<28, harmlessRequest)
		r.data(-(1 << 28), harmlessRequest)
		r.data(0, evilRequest)
	}, goodRequest},
	{"TTL that dies before the server", "", func(r *raw) { r.send(crafted{data: harmlessRequest, ttl: 3}); r.data(0, evilRequest) }, "-"},
	{"TTL of a part that dies before the server", "", func(r *raw) {
		r.send(crafted{data: harmlessRequest[:40], ttl: 3})
		r.data(0, evilRequest)
	}, "-"},
	{"RST with a wrong sequence number", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 5000, flags: tcpRST})
		r.data(25, evilRequest[25:])
	}, goodRequest},
	{"data in the SYN", evilRequest, func(r *raw) { r.data(0, evilRequest) }, goodRequest},
	{"urgent pointer", "", func(r *raw) { r.send(crafted{data: evilRequest, flags: tcpACK | tcpURG, urgent: 26}) }, goodRequest},
	{"urgent pointer beyond the segment", "", func(r *raw) {
		r.send(crafted{data: evilRequest[:30], flags: tcpACK | tcpURG, urgent: 200})
		r.data(30, evilRequest[30:])
	}, goodRequest},
	{"old timestamp (PAWS)", "", func(r *raw) { r.send(crafted{data: harmlessRequest, stamp: 5}); r.data(0, evilRequest) }, "-"},
	{"a part with an old timestamp (PAWS)", "", func(r *raw) {
		r.send(crafted{data: harmlessRequest[:40], stamp: 5})
		r.data(0, evilRequest)
	}, "-"},
	{"window of nought", "", func(r *raw) {
		r.send(crafted{data: evilRequest, window: 1})
		r.send(crafted{off: len(evilRequest), window: 1})
	}, goodRequest},
	{"one byte at a time", "", func(r *raw) {
		for i := range len(evilRequest) {
			r.data(i, evilRequest[i:i+1])
		}
	}, goodRequest},
	{"one byte at a time, backwards", "", func(r *raw) {
		for i := len(evilRequest) - 1; i >= 0; i-- {
			r.data(i, evilRequest[i:i+1])
		}
	}, goodRequest},
	{"out of order by the whole window", "", func(r *raw) {
		text := longRequest
		for at := (len(text) - 1) / 1000 * 1000; at >= 0; at -= 1000 {
			r.data(at, text[at:min(at+1000, len(text))])
		}
	}, strings.Replace(longRequest, "X-Removed: evil\r\n", "", 1)},
	{"FIN in the middle", "", func(r *raw) {
		r.data(0, evilRequest[:28])
		r.send(crafted{off: 10, data: evilRequest[10:28], flags: tcpACK | tcpFIN})
		r.data(28, evilRequest[28:])
	}, "-"},
}

// longRequest fills the server's window (64 KiB at first), nearly.
var longRequest = "GET / HTTP/1.1\r\nHost: a\r\nX-Padding: " + strings.Repeat("p", 50_000) + "\r\nX-Removed: evil\r\nX-Kept: 1\r\n\r\n"

// TestEvasions sends each, and an ordinary session behind it, which tells that
// the box has done with all that came before.
func TestEvasions(t *testing.T) { eachWay(t, testEvasions) }

func testEvasions(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	b.Server.Must(t, func() error {
		mac, err := net.ParseMAC(netns.ClientMAC)
		if err != nil {
			return err
		}
		l, err := netlink.LinkByName("s0")
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(rawClient), HardwareAddr: mac})
	})
	var l net.Listener
	b.Server.Must(t, func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false) // which knows no least TTL
		l, err = lc.Listen(t.Context(), "tcp4", netns.Server4+":80")
		return err
	})
	t.Cleanup(func() { l.Close() })
	// Segments whose TTL is as low as one that dies on the way are to die here.
	c, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	minTTL(t, c, 10)
	wire := netns.NewCapture(t, b.Client, "c0")
	session := func(port uint16, inSYN string) (*raw, *reader) {
		r := &raw{t: t, wire: wire, port: port, isn: 0xfffffff0}
		r.open(inSYN)
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return r, readAll(s)
	}
	for i, e := range evasions {
		t.Run(e.name, func(t *testing.T) {
			r, server := session(uint16(20000+2*i), e.inSYN)
			r.t = t
			e.do(r)
			if e.want != "-" {
				server.until(t, e.want)
			}
			next, marker := session(uint16(20001+2*i), "")
			next.data(0, evilRequest)
			marker.until(t, goodRequest)
			if got := server.now(); strings.Contains(got, "X-Removed") || e.want != "-" && got != e.want {
				t.Errorf("the server reads %.200q; want %.200q", got, e.want)
			}
		})
	}
}

// minTTL has a listener's sessions discard what comes with a lower TTL.
func minTTL(t *testing.T, c syscall.RawConn, least int) {
	t.Helper()
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_MINTTL, least) })
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}
