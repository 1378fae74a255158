package soak

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// peer is one end of a session: what it writes and when, what it must read.
type peer struct {
	*net.TCPConn
	habits
	out   [][]byte
	gates []int // out[i] is written once so many bytes were read
	want  []byte
	fin   bool // behind the last of out comes a FIN

	mu      sync.Mutex
	moved   *sync.Cond
	read    int
	written int
	over    bool
}

func newPeer(c *net.TCPConn, h habits) *peer {
	p := &peer{TCPConn: c, habits: h}
	p.moved = sync.NewCond(&p.mu)
	return p
}

// client makes the client's end of a plan.
func (p *plan) client(c *net.TCPConn) *peer {
	e := newPeer(c, p.ends[0])
	ends := []int{0} // of answers
	for i, x := range p.exchanges {
		e.out = append(e.out, x.sent)
		e.gates = append(e.gates, ends[max(0, i-p.depth+1)])
		e.want = append(e.want, x.gets...)
		ends = append(ends, len(e.want))
	}
	e.fin = p.end == halfClosed
	return e
}

// server makes the server's end of a plan.
func (p *plan) server(c *net.TCPConn) *peer {
	e := newPeer(c, p.ends[1])
	for _, x := range p.exchanges {
		e.want = append(e.want, x.arrives...)
		if x.answer != nil {
			e.out = append(e.out, x.answer)
			e.gates = append(e.gates, len(e.want))
		}
	}
	e.fin = p.end == serverCloses
	return e
}

// run writes and reads all, up to the other end's FIN if eof. It returns what
// differed.
func (e *peer) run(eof bool) error {
	wrote := make(chan error, 1)
	go func() { wrote <- e.writeAll() }()
	err := e.readAll(eof)
	e.mu.Lock()
	e.over = err != nil
	e.moved.Broadcast()
	e.mu.Unlock()
	if err != nil {
		e.SetWriteDeadline(time.Now())
		<-wrote
		return err
	}
	return <-wrote
}

func (e *peer) writeAll() error {
	rng := rand.New(rand.NewPCG(e.seed, 0))
	for i, b := range e.out {
		e.mu.Lock()
		for e.read < e.gates[i] && !e.over {
			e.moved.Wait()
		}
		over := e.over
		e.mu.Unlock()
		if over {
			return nil
		}
		if err := e.writePieces(rng, b); err != nil {
			return fmt.Errorf("write message %d: %w", i, err)
		}
	}
	if e.fin {
		if err := e.CloseWrite(); err != nil {
			return fmt.Errorf("close for writing: %w", err)
		}
	}
	return nil
}

func (e *peer) writePieces(rng *rand.Rand, b []byte) error {
	for len(b) > 0 {
		n := len(b)
		if e.pieces > 0 {
			n = min(n, 1+rng.IntN(e.pieces))
			if len(b) > 300*e.pieces {
				n = len(b) - 300*e.pieces // a hundred thousand segments show no more than hundreds
			}
		}
		if err := e.writeOut(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; e.pauses && rng.IntN(8) == 0 {
			time.Sleep(time.Duration(rng.IntN(8000)) * time.Microsecond) // the sender's pace, around the engine's patience
		}
	}
	return nil
}

// writeOut writes b. A large session may take minutes on a bad network and a busy
// machine: it has stalled only when nothing moves.
func (e *peer) writeOut(b []byte) error {
	for len(b) > 0 {
		n, err := e.Write(b[:min(len(b), 128<<10)])
		if err != nil {
			return err
		}
		e.mu.Lock()
		e.written += n
		e.mu.Unlock()
		e.goOn()
		b = b[n:]
	}
	return nil
}

// goOn gives the session time for its next bytes, unless it is over.
func (e *peer) goOn() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.SetDeadline(time.Now().Add(patience))
	}
}

// hurry lets the session wait for no more than what is on its way.
func (e *peer) hurry() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	e.moved.Broadcast()
	e.SetReadDeadline(time.Now().Add(time.Second))
}

// readAll reads and compares.
func (e *peer) readAll(eof bool) error {
	buf := make([]byte, 64<<10)
	for e.read < len(e.want) {
		n, err := e.Read(buf[:min(len(buf), len(e.want)-e.read)])
		if got, want := buf[:n], e.want[e.read:e.read+n]; !bytes.Equal(got, want) {
			return difference(got, want, e.read)
		}
		e.mu.Lock()
		e.read += n
		e.moved.Broadcast()
		e.mu.Unlock()
		if n > 0 {
			e.goOn()
		}
		if err != nil {
			return e.explain(err)
		}
	}
	if !eof {
		return nil
	}
	n, err := e.Read(buf)
	if n > 0 {
		return fmt.Errorf("%d bytes more than wanted: %.200q", n, buf[:n])
	}
	if err != io.EOF {
		return fmt.Errorf("behind all bytes: %w; want the end of the stream", e.explain(err))
	}
	return nil
}

// mismatch is bytes other than they must be.
var errDiffers = errors.New("bytes differ")

func difference(got, want []byte, at int) error {
	i := 0
	for got[i] == want[i] {
		i++
	}
	from := max(0, i-40)
	return fmt.Errorf("%w at offset %d: got %.120q; want %.120q", errDiffers, at+i, got[from:], want[from:])
}

// explain says how far an end has come when it failed, with its kernel's view.
func (e *peer) explain(err error) error {
	what := "failed"
	if errors.Is(err, os.ErrDeadlineExceeded) {
		what = "stalled"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	total := 0
	for _, b := range e.out {
		total += len(b)
	}
	return fmt.Errorf("%s having read %d of %d, written %d of %d bytes (%s): %w", what, e.read, len(e.want), e.written, total, kernel(e.TCPConn), err)
}

// kernel is what the kernel has to say of a connection.
func kernel(c *net.TCPConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return err.Error()
	}
	var i *unix.TCPInfo
	raw.Control(func(fd uintptr) { i, err = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) })
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("state %d, unacknowledged %d, not sent %d, retransmissions %d, backoff %d, acknowledged %d, received %d, window %d, receives %d, out of order %d, last heard %v ago, of bytes %v",
		i.State, i.Unacked, i.Notsent_bytes, i.Total_retrans, i.Backoff, i.Bytes_acked, i.Bytes_received, i.Snd_wnd, i.Rcv_wnd,
		i.Rcv_ooopack, time.Duration(i.Last_ack_recv)*time.Millisecond, time.Duration(i.Last_data_recv)*time.Millisecond)
}

// abort reads some bytes and resets.
func (e *peer) abort(after int) error {
	e.want = e.want[:min(after, len(e.want))]
	wrote := make(chan error, 1)
	go func() { wrote <- e.writeAll() }()
	err := e.readAll(false)
	e.SetLinger(0)
	e.Close()
	e.mu.Lock()
	e.over = true
	e.moved.Broadcast()
	e.mu.Unlock()
	<-wrote
	return err
}

// ended says whether a session's failure is that the other end is gone.
func ended(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}
