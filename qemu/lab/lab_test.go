package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// cabled is a lab whose hosts are joined directly. Its server is handle, called
// for each connection of this computer's loopback.
func cabled(t *testing.T, handle func(*net.TCPConn), client, server *Capture) *Lab {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go handle(c.(*net.TCPConn))
		}
	}()
	l, err := New(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	l.Cable(client, server)
	return l
}

// through opens a connection of this computer that leads over the wire.
func through(t *testing.T, l *Lab, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go l.Forward(ln, to)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// echo sends everything back, and its end after the end.
func echo(c *net.TCPConn) {
	io.Copy(c, c)
	c.Close()
}

// TestHalfClose sends, ends, and still gets all of the answer, which the
// server completes only after that end.
func TestHalfClose(t *testing.T) {
	for _, to := range []netip.AddrPort{Service4, Service6, Free4} {
		t.Run(to.String(), func(t *testing.T) {
			c := through(t, cabled(t, func(c *net.TCPConn) {
				all, _ := io.ReadAll(c)
				c.Write(bytes.ToUpper(all))
				c.Close()
			}, nil, nil), to)
			sent := bytes.Repeat([]byte("wirepatch "), 100_000)
			go func() {
				c.Write(sent)
				c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			if want := bytes.ToUpper(sent); !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, SHA-256 %x; want %d, %x", len(got), sha256.Sum256(got), len(want), sha256.Sum256(want))
			}
		})
	}
}

// TestBothWays carries random bytes both ways at once.
func TestBothWays(t *testing.T) {
	c := through(t, cabled(t, echo, nil, nil), Service4)
	sent := make([]byte, 3<<20)
	seed := rand.NewChaCha8([32]byte{1})
	seed.Read(sent)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back, SHA-256 %x; want %d, %x", len(got), sha256.Sum256(got), len(sent), sha256.Sum256(sent))
	}
}

// TestServerResets: a reset by the server arrives as a reset.
func TestServerResets(t *testing.T) {
	c := through(t, cabled(t, func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 1))
		kernel{c}.Abort()
	}, nil, nil), Service4)
	c.Write([]byte("x"))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read() = %d, %v; want a reset", n, err)
	}
}

// TestClientResets: a reset by the client arrives as a reset.
func TestClientResets(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	c := through(t, cabled(t, func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 1))
		close(began)
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}, nil, nil), Service4)
	c.Write([]byte("x"))
	<-began
	kernel{c}.Abort()
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server's Read() = %v; want a reset", err)
	}
}

// TestRefused: nobody serves the port, so that the connection is reset, maybe
// before connecting is even done.
func TestRefused(t *testing.T) {
	l := cabled(t, echo, nil, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go l.Forward(ln, netip.AddrPortFrom(Server4.Addr(), 81))
	c, err := net.Dial("tcp", ln.Addr().String())
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Dial() and Read() = %v; want a reset", err)
	}
}

// TestBackpressure: a server that does not read stops the client, instead of
// filling the lab's memory.
func TestBackpressure(t *testing.T) {
	const limit = 64 << 20
	c := through(t, cabled(t, func(c *net.TCPConn) {
		<-t.Context().Done() // without a reference to it the connection would be collected, and so closed
		c.Close()
	}, nil, nil), Service4)
	c.SetWriteDeadline(time.Now().Add(2 * time.Second))
	n, err := c.Write(make([]byte, limit))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write() = %d, %v; want it to stand still before %d bytes", n, err, limit)
	}
}

// TestClose ends sessions that are open.
func TestClose(t *testing.T) {
	l := cabled(t, echo, nil, nil)
	c := through(t, l, Service4)
	c.Write([]byte("x"))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("Read() after Close = %d, nil; want an error", n)
	}
}

// TestRecorded: what the server host saw is what was sent.
func TestRecorded(t *testing.T) {
	l := cabled(t, echo, nil, nil)
	c, err := l.Client.Dial(t.Context(), Service4)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("hello"))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	received, sent := l.Recorded(netip.MustParseAddrPort(c.LocalAddr().String()))
	if diff := cmp.Diff([]string{"hello", "hello"}, []string{string(received), string(sent)}); diff != "" {
		t.Errorf("Recorded() (-want +got):\n%s", diff)
	}
}

// TestCaptures: a cable changes nothing, so both captures hold the same frames.
func TestCaptures(t *testing.T) {
	files := [2]*memory{{}, {}}
	captures := [2]*Capture{NewCapture(files[0]), NewCapture(files[1])}
	l := cabled(t, echo, captures[0], captures[1])
	c, err := l.Client.Dial(t.Context(), Service6)
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("hello"))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	l.Close()
	var frames [2][][]byte
	for i := range files {
		if err := captures[i].Close(); err != nil {
			t.Fatal(err)
		}
		if frames[i], err = ReadCapture(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, mac := range []net.HardwareAddr{ClientMAC, ServerMAC} {
		a, b := from(frames[0], mac), from(frames[1], mac)
		// What was sent last may not have arrived when the lab was closed.
		n := min(len(a), len(b))
		if n < 4 {
			t.Errorf("host %d sent %d frames, of which %d arrived; want at least 4", i, len(a), n)
		}
		if diff := cmp.Diff(a[:n], b[:n]); diff != "" {
			t.Errorf("frames of host %d (-wire A +wire B):\n%s", i, diff)
		}
	}
}

func from(frames [][]byte, mac net.HardwareAddr) (own [][]byte) {
	for _, f := range frames {
		if bytes.Equal(f[6:12], mac) {
			own = append(own, f)
		}
	}
	return own
}

type memory struct{ bytes.Buffer }

func (*memory) Close() error { return nil }

// TestPlugEnds returns when the wire does, and when it is told to.
func TestPlugEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(wire net.Conn, cancel func())
	}{
		{"wire", func(wire net.Conn, _ func()) { wire.Close() }},
		{"context", func(_ net.Conn, cancel func()) { cancel() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, err := NewHost(ClientMAC, Client4)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			near, far := net.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- h.Plug(ctx, near, nil) }()
			tc.end(far, cancel)
			select {
			case err := <-done:
				if err == nil {
					t.Error("Plug() = nil; want why it ended")
				}
			case <-time.After(patience):
				t.Error("Plug() does not return")
			}
		})
	}
}
