package e2e

import (
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// The trigger, the same message without it, as the server is to get it, and
// one of the same length that no rule is about.
const (
	evilRequest     = "GET / HTTP/1.1\r\nHost: a\r\nX-Removed: evil\r\nX-Kept: 1\r\n\r\n"
	goodRequest     = "GET / HTTP/1.1\r\nHost: a\r\nX-Kept: 1\r\n\r\n"
	otherRequest    = "GET / HTTP/1.1\r\nHost: a\r\nX-Kept: 1\r\nX-Removed: evil\r\n\r\n"
	harmlessRequest = "GET / HTTP/1.1\r\nHost: a\r\nX-Renamed: none\r\nX-Kept: 1\r\n\r\n"
)

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

// evasion is one of the ways.
type evasion struct {
	name  string
	inSYN string // data in the SYN
	do    func(r *raw)
	want  string // what the server reads; "-": nothing of the trigger, whatever else
}

// evasions are the ways in which a client can have the box and the server see
// different streams.
var evasions = []evasion{
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
	{"RST within the window, not at its beginning", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 30, flags: tcpRST})
		r.data(25, evilRequest[25:])
	}, goodRequest},
	{"RST with a bad checksum", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 25, flags: tcpRST, spoil: true})
		r.data(25, evilRequest[25:])
	}, goodRequest},
	{"RST with a TTL that dies before the server", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 25, flags: tcpRST, ttl: 3})
		r.data(25, evilRequest[25:])
		r.data(0, evilRequest)
	}, goodRequest},
	{"SYN within the session", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 24, flags: tcpSYN, syn: true})
		r.data(25, evilRequest[25:])
	}, goodRequest},
	{"FIN with a TTL that dies before the server", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 25, flags: tcpACK | tcpFIN, ttl: 3})
		r.data(25, evilRequest[25:])
	}, "-"},
	{"FIN with a bad checksum", "", func(r *raw) {
		r.data(0, evilRequest[:25])
		r.send(crafted{off: 25, flags: tcpACK | tcpFIN, spoil: true})
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
	// The ports take the line out themselves where that is all there is to do.
	{"a corrected request again with other content", "", func(r *raw) { r.data(0, evilRequest); r.data(0, otherRequest) }, goodRequest},
	{"a corrected request with a TTL that dies before the server, again with other content", "", func(r *raw) {
		r.send(crafted{data: evilRequest, ttl: 3})
		r.data(0, otherRequest)
	}, "-"},
	{"a corrected request with an old timestamp (PAWS), again with other content", "", func(r *raw) {
		r.send(crafted{data: evilRequest, stamp: 5})
		r.data(0, otherRequest)
	}, "-"},
	{"a part of a corrected request again", "", func(r *raw) { r.data(0, evilRequest); r.data(20, evilRequest[20:]) }, goodRequest},
	{"a corrected request again, and one byte more", "", func(r *raw) {
		r.data(0, evilRequest)
		r.data(0, evilRequest+evilRequest[:1])
		r.data(len(evilRequest)+1, evilRequest[1:])
	}, goodRequest + goodRequest},
	{"two requests in one segment", "", func(r *raw) { r.data(0, evilRequest+evilRequest) }, goodRequest + goodRequest},
	{"one request behind the other", "", func(r *raw) {
		r.data(0, evilRequest)
		r.data(len(evilRequest), evilRequest)
		r.data(2*len(evilRequest), evilRequest)
	}, goodRequest + goodRequest + goodRequest},
	{"the second request first", "", func(r *raw) { r.data(len(evilRequest), evilRequest); r.data(0, evilRequest) }, goodRequest + goodRequest},
	{"a FIN with it", "", func(r *raw) { r.send(crafted{data: evilRequest, flags: tcpACK | tcpFIN}) }, goodRequest},
	{"twice in a request", "", func(r *raw) {
		r.data(0, strings.Replace(evilRequest, "X-Kept: 1\r\n", "x-removed: 1\r\nX-Kept: 1\r\n", 1))
	}, goodRequest},
	{"in a folded line", "", func(r *raw) { r.data(0, strings.Replace(evilRequest, "evil", "\r\n evil", 1)) }, "-"},
	{"with line feeds alone", "", func(r *raw) { r.data(0, strings.ReplaceAll(evilRequest, "\r\n", "\n")) }, "-"},
	{"one line with a line feed alone", "", func(r *raw) { r.data(0, strings.Replace(evilRequest, "evil\r\n", "evil\n", 1)) }, "-"},
	{"the line before with a line feed alone", "", func(r *raw) { r.data(0, strings.Replace(evilRequest, "Host: a\r\n", "Host: a\n", 1)) }, "-"},
	{"in HTTP/1.0", "", func(r *raw) { r.data(0, strings.Replace(evilRequest, "HTTP/1.1", "HTTP/1.0", 1)) }, "-"},
	{"with a body", "", func(r *raw) {
		r.data(0, strings.Replace(evilRequest, "X-Kept: 1\r\n\r\n", "Content-Length: 1\r\nX-Kept: 1\r\n\r\nb", 1))
	}, strings.Replace(goodRequest, "X-Kept: 1\r\n\r\n", "Content-Length: 1\r\nX-Kept: 1\r\n\r\nb", 1)},
}

// evasions6 are those that only IPv6 has.
var evasions6 = []evasion{
	{"extension headers", "", func(r *raw) { r.send(crafted{data: evilRequest, ahead: true}) }, goodRequest},
	{"a fragment that is all", "", func(r *raw) { r.send(crafted{data: evilRequest, atomic: true}) }, goodRequest},
	{"extension headers before the fragment header", "", func(r *raw) {
		r.send(crafted{data: evilRequest, ahead: true, frag: [][2]int{{64, 32 + len(evilRequest)}, {0, 40}, {40, 64}}})
	}, goodRequest},
	{"extension headers before some of the fragment headers", "", func(r *raw) {
		r.send(crafted{data: evilRequest, ahead: true, frag: [][2]int{{0, 40}}})
		r.send(crafted{data: evilRequest, frag: [][2]int{{40, 32 + len(evilRequest)}}})
		r.data(0, evilRequest)
	}, goodRequest},
	{"overlapping fragments behind extension headers", "", func(r *raw) {
		r.send(crafted{data: harmlessRequest, ahead: true, frag: [][2]int{{32, 64}}})
		r.send(crafted{data: evilRequest, frag: [][2]int{{48, 32 + len(evilRequest)}, {0, 48}}})
		r.data(0, evilRequest)
	}, "-"},
	{"a first fragment without the TCP header", "", func(r *raw) {
		r.send(crafted{data: evilRequest, frag: [][2]int{{0, 8}, {8, 32 + len(evilRequest)}}})
		r.data(0, evilRequest)
	}, goodRequest},
}

// longRequest fills the server's window (64 KiB at first), nearly.
var longRequest = "GET / HTTP/1.1\r\nHost: a\r\nX-Padding: " + strings.Repeat("p", 50_000) + "\r\nX-Removed: evil\r\nX-Kept: 1\r\n\r\n"

// TestEvasions sends each, and an ordinary session behind it, which tells that
// the box has done with all that came before.
func TestEvasions(t *testing.T) { eachWay(t, testEvasions) }

func testEvasions(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	neighbours(t, b.Server, "s0", netns.ClientMAC, rawClients[false], rawClients[true])
	wire := netns.NewCapture(t, b.Client, "c0")
	t.Run("IPv4", func(t *testing.T) { evade(t, b, wire, false, evasions) })
	t.Run("IPv6", func(t *testing.T) { evade(t, b, wire, true, slices.Concat(evasions, evasions6)) })
	if n := b.status(t).Kernel.Struck; n == 0 {
		t.Error("no request was corrected by the ports; want the ordinary ones")
	}
}

func evade(t *testing.T, b *box, wire *netns.Capture, v6 bool, all []evasion) {
	addr := netns.Server4 + ":80"
	if v6 {
		addr = "[" + netns.Server6 + "]:80"
	}
	var l net.Listener
	b.Server.Must(t, func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false) // which knows no least TTL
		l, err = lc.Listen(t.Context(), "tcp", addr)
		return err
	})
	t.Cleanup(func() { l.Close() })
	// Segments whose TTL is as low as one that dies on the way are to die here.
	c, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	minTTL(t, c, v6, 10)
	session := func(port uint16, inSYN string) (*raw, *reader) {
		r := &raw{t: t, wire: wire, v6: v6, port: port, isn: 0xfffffff0}
		r.open(inSYN)
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return r, readAll(s)
	}
	for i, e := range all {
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
func minTTL(t *testing.T, c syscall.RawConn, v6 bool, least int) {
	t.Helper()
	level, option := unix.SOL_IP, unix.IP_MINTTL
	if v6 {
		level, option = unix.SOL_IPV6, unix.IPV6_MINHOPCOUNT
	}
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, least) })
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}
