package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

// TestFastOpen has a client put its request into the SYN, with a cookie of the
// server's (RFC 7413). The options pass; the request reaches the server corrected,
// behind the handshake.
func TestFastOpen(t *testing.T) { eachWay(t, testFastOpen) }

func testFastOpen(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	for _, n := range []*netns.NS{b.Client, b.Server} {
		n.Sysctl(t, "net/ipv4/tcp_fastopen", "1027") // both parts, for every listener
	}
	l := listen(t, b)
	fast := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1) })
		return err
	}}
	for _, addr := range []string{netns.Server4 + ":80", "[" + netns.Server6 + "]:80"} {
		// The first one brings the client the cookie.
		for i := range 2 {
			left, arrived := netns.NewCapture(t, b.Client, "c0"), netns.NewCapture(t, b.Server, "s0")
			var c net.Conn
			b.Client.Must(t, func() (err error) {
				c, err = fast.Dial("tcp", addr)
				return err
			})
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			request := fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n", i)
			if _, err := fmt.Fprint(c, request+"X-Removed: b\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			server.SetDeadline(time.Now().Add(patience))
			expect(t, server, request+"\r\n")
			again := newConn(c)
			fmt.Fprint(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			expect(t, again, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			again.exchange(t, server, "GET /next HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n", "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
			if had, has := synOf(t, left.All(t), true), synOf(t, arrived.All(t), false); len(had.Body()) > 0 != (i == 1) || len(has.Body()) > 0 || !bytes.Equal(had.Options(), has.Options()) {
				t.Errorf("session %d with %s: the SYN left with %q and options %x, and arrived with %q and %x; want a request in the second one's, none arrive, the same options",
					i+1, addr, had.Body(), had.Options(), has.Body(), has.Options())
			}
		}
	}
	if s := b.status(t).Sessions; s.Edited != 4 || s.PickedUp+s.Reset != 0 {
		t.Errorf("sessions = %+v; want four, edited", s)
	}
}

// synOf is the first SYN without ACK that went one way.
func synOf(t *testing.T, all []netns.Frame, outgoing bool) *packet.Frame {
	t.Helper()
	for _, frame := range all {
		var f packet.Frame
		if frame.Outgoing == outgoing && f.Parse(frame.Data) == nil && f.Flags&(packet.SYN|packet.ACK) == packet.SYN {
			return &f
		}
	}
	t.Fatal("no SYN went by")
	return nil
}

// TestSimultaneousOpen has both ends open the session at once, each before it
// hears of the other.
func TestSimultaneousOpen(t *testing.T) { eachWay(t, testSimultaneousOpen) }

func testSimultaneousOpen(t *testing.T, attach string) {
	slow := netns.Trouble{Delay: 100 * time.Millisecond}
	bed, _ := netns.NewBadBed(t, netns.BadBed{MTU: 1500, Trouble: [2]netns.Trouble{slow, slow}})
	b := newBoxOn(t, bed, attach, settingsText, "testdata/definitions")
	for port := 4000; port < 4020; port++ {
		wire := netns.NewCapture(t, b.Server, "s0")
		client, server, err := openBoth(b, fmt.Sprintf("%s:%d", netns.Client4, port), netns.Server4+":80")
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				continue // one came too late: the other's SYN met a closed port
			}
			t.Fatal(err)
		}
		defer client.Close()
		defer server.Close()
		if synOf(t, wire.All(t), true) == nil {
			t.Fatal("the server has not opened the session as well")
		}
		c := newConn(client)
		c.SetDeadline(time.Now().Add(patience))
		server.SetDeadline(time.Now().Add(patience))
		for i := range 3 {
			request := fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n", i)
			c.exchange(t, server, request+"X-Removed: "+strings.Repeat("b", i)+"\r\n\r\n", request+"\r\n")
		}
		if s := b.status(t).Sessions; s.Edited != 1 || s.PickedUp+s.Reset != 0 {
			t.Errorf("sessions = %+v; want one edited, seen from its beginning", s)
		}
		return
	}
	t.Fatal("the two ends never opened a session at once")
}

// openBoth has both ends connect to each other.
func openBoth(b *box, client, server string) (c, s net.Conn, err error) {
	open := func(n *netns.NS, from, to string) (conn net.Conn, err error) {
		local, err := net.ResolveTCPAddr("tcp", from)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: patience, LocalAddr: local}
		d.SetMultipathTCP(false)
		err = n.Do(func() (err error) {
			conn, err = d.Dial("tcp", to)
			return err
		})
		return conn, err
	}
	var both sync.WaitGroup
	var errs [2]error
	both.Go(func() { c, errs[0] = open(b.Client, client, server) })
	both.Go(func() { s, errs[1] = open(b.Server, server, client) })
	both.Wait()
	if err = errors.Join(errs[:]...); err != nil {
		for _, end := range []net.Conn{c, s} {
			if end != nil {
				end.Close()
			}
		}
	}
	return c, s, err
}
