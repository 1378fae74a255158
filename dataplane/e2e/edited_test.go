package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// TestEditedSessionIsNeverCorrupted kills the process that has shifted a
// session's sequence numbers: without it nothing of the session may pass, not
// even of a fail-open service, and afterwards it is reset.
func TestEditedSessionIsNeverCorrupted(t *testing.T) {
	b := newBox(t)
	var l net.Listener
	b.Server.Must(t, func() (err error) {
		l, err = net.Listen("tcp", "10.77.0.2:80")
		return err
	})
	defer l.Close()
	c := dial(t, b.Client, "10.77.0.2:80")
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.SetDeadline(time.Now().Add(patience))
	c.SetDeadline(time.Now().Add(patience))

	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n")
	buf := make([]byte, 4096)
	n, err := server.Read(buf)
	if want := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"; err != nil || string(buf[:n]) != want {
		t.Fatalf("server read %q, %v; want %q", buf[:n], err, want)
	}
	b.process.end(t, syscall.SIGKILL)
	arrived := netns.NewCapture(t, b.Server, "s0")
	stale(t, b, l)
	fmt.Fprint(c, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, f := range arrived.All(t) {
		if strings.Contains(string(f.Data), "/second") {
			t.Error("a frame of an edited session passed without the engine")
		}
	}
	b.start(t)
	fmt.Fprint(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	if n, err := c.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client's read after the restart = %q, %v; want a reset", buf[:n], err)
	}
	b.event(t, "reset", "")
	if p := b.status(t).Ports[0]; p.Dropped == 0 {
		t.Errorf("port a dropped %d frames; want those of the edited session", p.Dropped)
	}
	if n, err := server.Read(buf); err == nil {
		t.Errorf("server read %q after the restart; want nothing of the session", buf[:n])
	}

	again := dial(t, b.Client, "10.77.0.2:80")
	fmt.Fprint(again, "GET / HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n\r\n")
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Read(buf); err != nil || strings.Contains(string(buf[:n]), "X-Removed") {
		t.Errorf("server read %q, %v on a new session; want the header removed", buf[:n], err)
	}
	server.Close()
}

// stale waits until the ports have given the engine up: new sessions of a
// fail-open service pass.
func stale(t *testing.T, b *box, l net.Listener) {
	t.Helper()
	c := dial(t, b.Client, "10.77.0.2:80")
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestStoppedAndContinued holds the process up without ending it: what its
// sessions did meanwhile it has not seen, so it starts over.
func TestStoppedAndContinued(t *testing.T) {
	const size = 30 << 20
	b := newBox(t)
	dir := startNginx(t, b.Server)
	writeFile(t, filepath.Join(dir, "big"), content(size), size)
	edited, plain := dial(t, b.Client, "10.77.0.2:80"), dial(t, b.Client, "10.77.0.2:80")
	edited.get(t, "/echo", "X-Removed: yes\r\n", nil)
	plain.get(t, "/echo", "", nil)
	download := startFetch(t, b.Client, "http://10.77.0.2/big")

	b.process.Process.Signal(syscall.SIGSTOP)
	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "the server has seen it\n" {
		t.Errorf("fail-open request while the process is stopped = %q; want it to reach the server", got)
	}
	plain.get(t, "/echo", "X-Kept: unseen\r\n", nil)
	b.process.Process.Signal(syscall.SIGCONT)
	b.event(t, "wire", "went past")

	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "refused by the patch\n" {
		t.Errorf("request after the process goes on = %q; want it refused", got)
	}
	if got := plain.get(t, "/echo", "X-Removed: yes\r\nX-Kept: seen\r\n", nil); !strings.Contains(got, "removed=[] kept=[seen]") {
		t.Errorf("request on a session that went on meanwhile = %q; want it corrected", got)
	}
	fmt.Fprint(edited, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
	if n, err := edited.Read(make([]byte, 100)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read on an edited session = %d bytes, %v; want a reset", n, err)
	}
	download.finish(t, "download", sum(t, content(size)))
	if s := b.status(t); s.Ports[0].Bypassed == 0 || s.Sessions.Edited < 2 {
		t.Errorf("status = %+v, %+v; want packets that went past, and the edited session from before", s.Sessions, s.Ports[0])
	}
}
