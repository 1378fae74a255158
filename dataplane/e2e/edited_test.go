package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// TestSettledSessionGoesOn kills the process that has shifted a session's
// sequence numbers. With all edits acknowledged the ports go on translating, and
// the next process picks the session up where it is.
func TestSettledSessionGoesOn(t *testing.T) { eachWay(t, testSettledSessionGoesOn) }

func testSettledSessionGoesOn(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	l := listen(t, b)
	c, server := pair(t, b, l)
	c.exchange(t, server, "GET /first HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n", "GET /first HTTP/1.1\r\nHost: a\r\n\r\n")

	b.process.end(t, syscall.SIGKILL)
	stale(t, b, l)
	// One line would yet be taken out by the ports, until they miss the heartbeat.
	const second = "GET /second HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\nX-Removed: c\r\n\r\n"
	c.exchange(t, server, second, second)

	b.start(t)
	c.exchange(t, server, "GET /third HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n", "GET /third HTTP/1.1\r\nHost: a\r\n\r\n")
	c.exchange(t, server, "GET /fourth HTTP/1.1\r\nHost: a\r\n\r\n", "GET /fourth HTTP/1.1\r\nHost: a\r\n\r\n")
	if s := b.status(t).Sessions; s.Reset != 0 || s.PickedUp == 0 {
		t.Errorf("sessions after the restart = %+v; want one picked up, none reset", s)
	}
}

// TestUnsettledSessionIsNeverCorrupted kills the process that has acknowledged
// bytes which the server did not get: without it nothing of the session may
// pass, not even of a fail-open service, and afterwards it is reset.
func TestUnsettledSessionIsNeverCorrupted(t *testing.T) {
	eachWay(t, testUnsettledSessionIsNeverCorrupted)
}

func testUnsettledSessionIsNeverCorrupted(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	l := listen(t, b)
	c, server := pair(t, b, l)
	fmt.Fprint(c, "GET /held HTTP/1.1\r\nHo")
	acknowledged(t, c)
	b.process.end(t, syscall.SIGKILL)
	arrived := netns.NewCapture(t, b.Server, "s0")
	stale(t, b, l)
	fmt.Fprint(c, "st: a\r\n\r\n")
	for _, f := range arrived.All(t) {
		if strings.Contains(string(f.Data), "st: a") {
			t.Error("a frame of an unsettled session passed without the engine")
		}
	}
	b.start(t)
	if n, err := c.Read(make([]byte, 100)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client's read after the restart = %d bytes, %v; want a reset", n, err)
	}
	b.event(t, "reset", "")
	if p := b.status(t).Ports[0]; p.Dropped == 0 {
		t.Errorf("port a dropped %d frames; want those of the unsettled session", p.Dropped)
	}
	fmt.Fprint(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	if n, err := server.Read(make([]byte, 100)); err == nil {
		t.Errorf("server read %d bytes after the restart; want nothing of the session", n)
	}
	again, server := pair(t, b, l)
	again.exchange(t, server, "GET / HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
}

func listen(t *testing.T, b *box) net.Listener {
	t.Helper()
	var l net.Listener
	b.Server.Must(t, func() (err error) {
		l, err = net.Listen("tcp", ":80")
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l
}

// pair opens a session and returns both its ends.
func pair(t *testing.T, b *box, l net.Listener) (*conn, net.Conn) {
	t.Helper()
	return pairTo(t, b, l, "10.77.0.2:80")
}

func pairTo(t *testing.T, b *box, l net.Listener, address string) (*conn, net.Conn) {
	t.Helper()
	c := dial(t, b.Client, address)
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	// The client's own retransmissions come ever more seldom.
	c.SetDeadline(time.Now().Add(4 * patience))
	server.SetDeadline(time.Now().Add(4 * patience))
	return c, server
}

// exchange sends a request, checks that it arrives as wanted, and answers it.
func (c *conn) exchange(t *testing.T, server net.Conn, request, want string) {
	t.Helper()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if n, err := io.ReadFull(server, got); err != nil || string(got) != want {
		t.Fatalf("server read %.200q, %v; want %.200q", got[:n], err, want)
	}
	io.WriteString(server, answer)
	got = make([]byte, len(answer))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != answer {
		t.Fatalf("client read %q, %v; want %q", got[:n], err, answer)
	}
}

// acknowledged waits until all that was written to c has been acknowledged.
func acknowledged(t *testing.T, c *conn) {
	t.Helper()
	raw, err := c.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		var info *unix.TCPInfo
		raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) })
		if err != nil {
			t.Fatal(err)
		}
		if info.Unacked == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("what was sent is not acknowledged")
}

// stale waits until the ports have given the engine up: what it is to look at
// passes, of a fail-open service.
func stale(t *testing.T, b *box, l net.Listener) {
	t.Helper()
	c := dial(t, b.Client, "10.77.0.2:80")
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fmt.Fprint(c, "GET /st")
	s.SetDeadline(time.Now().Add(4 * patience))
	if _, err := io.ReadFull(s, make([]byte, 7)); err != nil {
		t.Fatalf("half a request without the engine: %v; want it to pass", err)
	}
}

// TestReplacedWhileStopped: while the process is held up, a session that it has
// edited ends, and another one begins between the same ends. That has its own
// numbers.
func TestReplacedWhileStopped(t *testing.T) { eachWay(t, testReplacedWhileStopped) }

func testReplacedWhileStopped(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	l := listen(t, b)
	old, server := pair(t, b, l)
	for range 3 {
		old.exchange(t, server, "GET /old HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n", "GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	b.process.pause(t)
	stale(t, b, l)
	old.Conn.(*net.TCPConn).SetLinger(0)
	old.Close()
	if _, err := io.Copy(io.Discard, server); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the server's end of a session that was reset: %v; want the reset", err)
	}
	var c net.Conn
	b.Client.Must(t, func() (err error) {
		d := net.Dialer{LocalAddr: old.LocalAddr(), Timeout: patience}
		c, err = d.Dial("tcp", "10.77.0.2:80")
		return err
	})
	t.Cleanup(func() { c.Close() })
	again := newConn(c)
	if server, err := l.Accept(); err != nil {
		t.Fatal(err)
	} else {
		defer server.Close()
		again.SetDeadline(time.Now().Add(4 * patience))
		server.SetDeadline(time.Now().Add(4 * patience))
		const past = "GET /past HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n"
		again.exchange(t, server, past, past)
		b.process.Process.Signal(syscall.SIGCONT)
		b.event(t, "wire", "went past")
		again.exchange(t, server, "GET /new HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n", "GET /new HTTP/1.1\r\nHost: a\r\n\r\n")
		again.exchange(t, server, "GET /last HTTP/1.1\r\nHost: a\r\n\r\n", "GET /last HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	if s := b.status(t).Sessions; s.Reset != 0 || s.Lost != 0 {
		t.Errorf("sessions = %+v; want none reset", s)
	}
}

// TestStoppedAndContinued holds the process up without ending it: what its
// sessions did meanwhile it has not seen, so it starts over.
func TestStoppedAndContinued(t *testing.T) { eachWay(t, testStoppedAndContinued) }

func testStoppedAndContinued(t *testing.T, attach string) {
	const size = 30 << 20
	b := newBoxBy(t, attach)
	dir := startNginx(t, b.Server)
	writeFile(t, filepath.Join(dir, "big"), content(size), size)
	edited, plain := dial(t, b.Client, "10.77.0.2:80"), dial(t, b.Client, "10.77.0.2:80")
	edited.get(t, "/echo", "X-Removed: yes\r\n", nil)
	plain.get(t, "/echo", "", nil)
	download := startFetch(t, b.Client, "http://10.77.0.2/big")

	b.process.pause(t)
	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "the server has seen it\n" {
		t.Errorf("fail-open request while the process is stopped = %q; want it to reach the server", got)
	}
	plain.get(t, "/echo", "X-Kept: unseen\r\n", nil)
	edited.get(t, "/echo", "X-Kept: unseen\r\n", nil)
	b.process.Process.Signal(syscall.SIGCONT)
	b.event(t, "wire", "went past")

	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "refused by the patch\n" {
		t.Errorf("request after the process goes on = %q; want it refused", got)
	}
	if got := plain.get(t, "/echo", "X-Removed: yes\r\nX-Kept: seen\r\n", nil); !strings.Contains(got, "removed=[] kept=[seen]") {
		t.Errorf("request on a session that went on meanwhile = %q; want it corrected", got)
	}
	if got := edited.get(t, "/echo", "X-Removed: yes\r\nX-Kept: seen\r\n", nil); !strings.Contains(got, "removed=[] kept=[seen]") {
		t.Errorf("request on a session that was edited before = %q; want it corrected", got)
	}
	download.finish(t, "download", sum(t, content(size)))
	if s := b.status(t); s.Ports[0].Bypassed == 0 || s.Sessions.Edited < 2 {
		t.Errorf("status = %+v, %+v; want packets that went past, and the edited session from before", s.Sessions, s.Ports[0])
	}
}

// TestHeldBytesOutliveAStop holds the process up while it has bytes that it
// acknowledged and the server did not get. Both ends wait in silence, and
// nothing of the session can have gone past: it goes on as if nothing had been.
func TestHeldBytesOutliveAStop(t *testing.T) {
	b := newBox(t)
	l := listen(t, b)
	c, server := pair(t, b, l)
	fmt.Fprint(c, "GET /held HTTP/1.1\r\nX-Removed: b\r\nHo")
	acknowledged(t, c)
	for range 2 {
		b.status(t) // between two answers lies a heartbeat
	}
	b.process.pause(t)
	stale(t, b, l)
	b.process.Process.Signal(syscall.SIGCONT)
	b.event(t, "wire", "went past")
	c.exchange(t, server, "st: a\r\n\r\n", "GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
	if s := b.status(t).Sessions; s.Reset != 0 {
		t.Errorf("sessions after the stop = %+v; want none reset", s)
	}
}

// TestSilentSessionIsReset kills the process that has acknowledged a whole
// request which the server did not get: each end waits for the other and says
// nothing. The next process tells both.
func TestSilentSessionIsReset(t *testing.T) {
	for _, address := range []string{"10.77.0.2:80", "[fd77::2]:80"} {
		b := newBox(t)
		l := listen(t, b)
		c, server := pairTo(t, b, l, address)
		for _, end := range []net.Conn{c.Conn, server} {
			end.(*net.TCPConn).SetKeepAlive(false)
		}
		fmt.Fprint(c, "GET /held HTTP/1.1\r\nHo")
		acknowledged(t, c)
		b.process.end(t, syscall.SIGKILL)
		b.start(t)
		for name, end := range map[string]net.Conn{"client": c, "server": server} {
			if n, err := end.Read(make([]byte, 100)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the %s's read after the restart = %d bytes, %v; want a reset", address, name, n, err)
			}
		}
	}
}

// TestGoneSessionIsForgotten has ends give up a session that is held back while the
// engine is gone, which the other end does not hear of. The next process finds out
// that nobody is there any more, or resets who is.
func TestGoneSessionIsForgotten(t *testing.T) {
	for name, gone := range map[string][2]bool{"both": {true, true}, "the client": {true, false}, "the server": {false, true}} {
		b := newBox(t)
		l := listen(t, b)
		c, server := pair(t, b, l)
		fmt.Fprint(c, "GET /held HTTP/1.1\r\nX-Removed: b\r\nHo")
		acknowledged(t, c)
		b.process.end(t, syscall.SIGKILL)
		for i, end := range []net.Conn{c.Conn, server} {
			if gone[i] {
				end.(*net.TCPConn).SetLinger(0)
				end.Close()
			}
		}
		b.start(t)
		for i, end := range []net.Conn{c.Conn, server} {
			if gone[i] {
				continue
			}
			if n, err := end.Read(make([]byte, 100)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s gone: a read of the other after the restart = %d bytes, %v; want a reset", name, n, err)
			}
		}
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			s := b.status(t).Sessions
			if s.Doomed == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s gone: sessions = %+v; want none that is yet to be reset", name, s)
			}
		}
	}
}
