package port

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// forward sends what comes up out of the other port, until the returned
// function is called; that one returns the longest frame it met on each side.
func forward(t *testing.T, p *Port) (stop func() [2]int) {
	var quit atomic.Bool
	var longest [2]int
	done := make(chan struct{})
	buf := make([]byte, BufferSize)
	drain := func(s Side) {
		for range 128 { // and then the heartbeat
			v, frame, err := p.Recv(s, buf)
			if errors.Is(err, ErrAgain) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			longest[s] = max(longest[s], len(frame))
			if err := p.Send(s.Other(), v, frame); err != nil {
				t.Error(err)
			}
		}
	}
	p.Heartbeat()
	go func() {
		defer close(done)
		for !quit.Load() {
			p.Heartbeat()
			if _, err := p.Wait(StaleAfter / 8); err != nil {
				t.Error(err)
				return
			}
			drain(A)
			drain(B)
		}
	}()
	return func() [2]int {
		quit.Store(true)
		p.Wake()
		<-done
		return longest
	}
}

// transfer sends n bytes from a server at addr to a client and compares.
func transfer(t *testing.T, bed *netns.Bed, addr string, n int64) {
	t.Helper()
	var l net.Listener
	bed.Server.Must(t, func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	})
	defer l.Close()
	content := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), n) }
	sent := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(c, content())
			err = errors.Join(err, c.Close())
		}
		sent <- err
	}()
	var c net.Conn
	bed.Client.Must(t, func() (err error) {
		c, err = net.DialTimeout("tcp", addr, patience)
		return err
	})
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	got, want := sha256.New(), sha256.New()
	if m, err := io.Copy(got, c); err != nil || m != n {
		t.Errorf("read from %s = %d bytes, %v; want %d", addr, m, err, n)
	}
	io.Copy(want, content())
	if err := <-sent; err != nil {
		t.Errorf("send from %s: %v", addr, err)
	}
	if string(got.Sum(nil)) != string(want.Sum(nil)) {
		t.Errorf("transfer from %s: content differs", addr)
	}
}

func TestStreamsThroughEngine(t *testing.T) {
	const size = 32 << 20
	for _, v := range []struct {
		name, attach string
		features     []string
	}{{"offloads on", "tcx", nil}, {"offloads off", "tcx", netns.Offloads}, {"xdp", "xdp", nil}} {
		t.Run(v.name, func(t *testing.T) {
			bed, p, _ := wired(t, v.attach, protected)
			features := v.features
			off := func(name string) error { return netns.Features(name, false, features...) }
			if features != nil {
				bed.Ends(t, off)
				bed.Ports(t, off)
			}
			stop := forward(t, p)
			transfer(t, bed, "10.77.0.2:80", size)
			transfer(t, bed, "[fd77::2]:80", size)
			transfer(t, bed, "10.77.0.2:8080", size) // in the kernel
			longest := stop()
			if whole := longest[B] > 1514; whole != (v.name == "offloads on") {
				t.Errorf("longest frame from the server = %d bytes; want more than the MTU only with offloads on", longest[B])
			}
			c, err := p.Counters()
			if err != nil {
				t.Fatal(err)
			}
			// On a busy machine the loop may be late, and packets bypass it.
			if c[B].HandedUp == 0 || c[B].HandedUp+c[B].Bypassed < 2*size/1460 || c[B].Forwarded-c[B].Bypassed < size/1460 || c[A].TxFailed != 0 {
				t.Errorf("Counters()[B] = %+v; want at least %d packets up, %d forwarded; TxFailed of A = %d, want 0", c[B], 2*size/1460, size/1460, c[A].TxFailed)
			}
		})
	}
}

// TestLost has more frames come than wait for an engine that beats and does not
// read.
func TestLost(t *testing.T) { eachWay(t, testLost) }

func testLost(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	defer alive(p)()
	from, to := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	for i := range 3 * tapQueue {
		from.Send(t, handed["IPv4"])
		if i%64 == 0 {
			crossed(t, from, to) // they have come
		}
	}
	crossed(t, from, to)
	read := uint64(0)
	buf := make([]byte, BufferSize)
	for {
		if _, _, err := p.Recv(A, buf); errors.Is(err, ErrAgain) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		read++
	}
	c, err := p.Counters()
	if err != nil {
		t.Fatal(err)
	}
	bed.Box.Must(t, func() error {
		lost, err := p.Lost(A)
		if lost == 0 || c[A].HandedUp != read+lost {
			t.Errorf("handed up %d, read %d, lost %d; want some lost, and the sum", c[A].HandedUp, read, lost)
		}
		return err
	})
}
