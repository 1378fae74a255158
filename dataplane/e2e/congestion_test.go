package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

// Bits of TCPInfo.Options (linux/tcp.h).
const ecnAgreed, ecnSeen = 8, 16

// TestCongestionIsTold marks packets of corrected sessions on both sides of the
// box: both senders must hear of it from their receivers (RFC 3168).
func TestCongestionIsTold(t *testing.T) { eachWay(t, testCongestionIsTold) }

func testCongestionIsTold(t *testing.T, attach string) {
	const size = 3 << 20
	trouble := netns.Trouble{Mark: 0.2}
	bed, done := netns.NewBadBed(t, netns.BadBed{MTU: 1500, Offload: attach == "tcx", Trouble: [2]netns.Trouble{trouble, trouble}})
	b := newBoxOn(t, bed, attach, settingsText, "testdata/definitions")
	for _, n := range []*netns.NS{b.Client, b.Server} {
		n.Sysctl(t, "net/ipv4/tcp_ecn", "1")
	}
	l := listen(t, b)
	for _, addr := range []string{netns.Server4, netns.Server6} {
		c, server := pairTo(t, b, l, netip.AddrPortFrom(netip.MustParseAddr(addr), 80).String())
		body := strings.Repeat("marked or not ", size/14)
		head := fmt.Sprintf("Content-Length: %d\r\n", len(body))
		go io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n"+head+"\r\n"+body)
		expect(t, server, "PUT / HTTP/1.1\r\nHost: a\r\n"+head+"\r\n"+body)
		go io.WriteString(server, "HTTP/1.1 200 OK\r\nX-Answer: short\r\n"+head+"\r\n"+body)
		expect(t, c, "HTTP/1.1 200 OK\r\nX-Answer: an answer that is quite a bit longer than what came\r\n"+head+"\r\n"+body)
		for who, end := range map[string]net.Conn{"client": c.Conn, "server": server} {
			info := tcpInfo(t, end)
			if info.Options&ecnAgreed == 0 || info.Options&ecnSeen == 0 || info.Delivered_ce == 0 {
				t.Errorf("%s at %s: options %#x, %d segments told to be marked; want ECN agreed on, seen and told", who, addr, info.Options, info.Delivered_ce)
			}
		}
	}
	if done.Marked.Load() == 0 {
		t.Errorf("the paths: %v; want packets marked", done)
	}
}

// expect reads want.
func expect(t *testing.T, from io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Fatalf("read %d bytes of %d, %v, or others than wanted: %.200q", n, len(want), err, got[:n])
	}
}

// tcpInfo is what the kernel tells of a connection.
func tcpInfo(t *testing.T, c net.Conn) (info *unix.TCPInfo) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) })
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestClosedWindow has the receivers of corrected messages read nothing until
// their windows are closed, and for a while more; then all arrives. What is
// inserted must wait like the rest.
func TestClosedWindow(t *testing.T) { eachWay(t, testClosedWindow) }

func testClosedWindow(t *testing.T, attach string) {
	const messages = 40
	b := newBoxBy(t, attach)
	l := listen(t, b)
	for _, addr := range []string{netns.Server4, netns.Server6} {
		c, server := pairTo(t, b, l, netip.AddrPortFrom(netip.MustParseAddr(addr), 80).String())
		var asked, arrives, answered, gets strings.Builder
		for i := range messages {
			request, body := fmt.Sprintf("PUT /%d HTTP/1.1\r\nHost: a\r\n", i), strings.Repeat("closed ", 500+70*i)
			rest := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
			asked.WriteString(request + "X-Removed: b\r\n" + rest)
			arrives.WriteString(request + rest)
			answered.WriteString("HTTP/1.1 200 OK\r\nX-Answer: short\r\n" + rest)
			gets.WriteString("HTTP/1.1 200 OK\r\nX-Answer: an answer that is quite a bit longer than what came\r\n" + rest)
		}
		small(t, server)
		atServer := netns.NewCapture(t, b.Server, "s0")
		go io.WriteString(c, asked.String())
		closes(t, atServer)
		expect(t, server, arrives.String())
		small(t, c.Conn)
		atClient := netns.NewCapture(t, b.Client, "c0")
		go io.WriteString(server, answered.String())
		closes(t, atClient)
		expect(t, c, gets.String())
	}
	if s := b.status(t); s.Sessions.Edited != 2 || s.Sessions.Passed+s.Sessions.Reset != 0 || s.Corrections != 4*messages {
		t.Errorf("sessions = %+v, %d corrections; want 2 edited, none passed or reset, %d corrections", s.Sessions, s.Corrections, 4*messages)
	}
}

// small gives a connection a small receive buffer.
func small(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
}

// closes waits until the host of a capture has closed its window, and was asked twice
// whether it has opened it.
func closes(t *testing.T, at *netns.Capture) {
	t.Helper()
	closed := 0
	for end := time.Now().Add(patience); closed < 3; {
		frame, ok := at.Next(t, time.Until(end))
		if !ok {
			t.Fatalf("the window was told to be closed %d times; want it closed, and asked about", closed)
		}
		var f packet.Frame
		if frame.Outgoing && f.Parse(frame.Data) == nil && f.Flags&packet.SYN == 0 && f.Window() == 0 {
			closed++
		}
	}
}
