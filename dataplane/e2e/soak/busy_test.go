package soak

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// busy keeps many sessions busy while the program is killed. Each message is
// one write, so that no part of it is held; a session either has triggers in
// all of its messages or in none.
type busy struct {
	bed       *netns.Bed
	known     func(from string) string // what the box's ports know of a session
	group     sync.WaitGroup
	stop      atomic.Bool
	exchanges atomic.Uint64

	mu        sync.Mutex
	conns     map[net.Conn]bool // the server's
	resets    []reset           // sessions that ended early
	failures  []error
	corrected [2]int // triggers that arrived as they were, and corrected
}

func newBusy(t *testing.T, box *box, n int) *busy {
	t.Helper()
	bed := box.Bed
	b := &busy{bed: bed, known: box.known, conns: map[net.Conn]bool{}}
	var l net.Listener
	bed.Server.Must(t, func() (err error) {
		l, err = net.Listen("tcp", "10.77.0.2:80")
		return err
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
	for i := range n {
		b.group.Go(func() { b.client(i) })
	}
	return b
}

// reset is a session that ended early.
type reset struct {
	from   string // the client's address
	edited bool
}

func (b *busy) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, err)
}

// either returns which of the two forms the next bytes of r have.
func either(r *bufio.Reader, plain, corrected string) (int, error) {
	got := make([]byte, 0, max(len(plain), len(corrected)))
	for !bytes.HasSuffix(got, []byte("\r\n\r\n")) {
		c, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if got = append(got, c); len(got) == cap(got) {
			break
		}
	}
	switch string(got) {
	case corrected:
		return 1, nil
	case plain:
		return 0, nil
	}
	return 0, fmt.Errorf("%w: got %q; want %q or %q", errDiffers, got, corrected, plain)
}

// size is the length of the body of answer n to session id.
func size(id, n int) int {
	if id%8 == 0 && n%10 == 3 {
		return 150_000
	}
	return (id + n) % 900
}

func pattern(id, n int) []byte {
	b := make([]byte, size(id, n))
	for i := range b {
		b[i] = byte('a' + (i*7+id+n)%26)
	}
	return b
}

// request and answer are message n of session id, plain and corrected.
func request(id, n int) (plain, corrected string) {
	first, last := fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\nX-Session: %d\r\n", n, id), "X-Kept: "+strings.Repeat("k", n%300)+"\r\n\r\n"
	if id%2 == 0 {
		return first + last, first + last
	}
	return first + "X-Removed: yes\r\n" + last, first + last
}

func answer(id, n int) (plain, corrected string) {
	first, last := "HTTP/1.1 200 OK\r\n", "Content-Length: "+strconv.Itoa(size(id, n))+"\r\n\r\n"
	if id%2 == 0 {
		return first + last, first + last
	}
	return first + "X-Answer: short\r\n" + last, first + "X-Answer: an answer that is quite a bit longer than what came\r\n" + last
}

// client runs session after session until it is told to stop: one is followed
// by another when it was reset.
func (b *busy) client(id int) {
	rng := rand.New(rand.NewPCG(*seed, uint64(id)))
	for !b.stop.Load() {
		var c net.Conn
		err := b.bed.Client.Do(func() (err error) {
			c, err = net.DialTimeout("tcp", "10.77.0.2:80", patience)
			return err
		})
		if err != nil {
			b.fail(fmt.Errorf("session %d: connect: %w", id, err))
			return
		}
		n, err := b.converse(c, rng, id)
		if err == nil {
			c.Close()
			return
		}
		from := c.LocalAddr().String()
		if !ended(err) {
			b.fail(fmt.Errorf("session %d from %s, exchange %d: client (%s): %w\nserver: %s\nports: %s", id, from, n, kernel(c.(*net.TCPConn)), err, b.serverOf(from), b.known(from)))
		} else {
			b.mu.Lock()
			b.resets = append(b.resets, reset{from, id%2 == 1})
			b.mu.Unlock()
		}
		c.Close()
	}
}

func (b *busy) converse(c net.Conn, rng *rand.Rand, id int) (n int, err error) {
	r := bufio.NewReader(c)
	for n = 0; !b.stop.Load(); n++ {
		c.SetDeadline(time.Now().Add(patience))
		plain, _ := request(id, n)
		if _, err := io.WriteString(c, plain); err != nil {
			return n, err
		}
		plain, corrected := answer(id, n)
		if _, err := either(r, plain, corrected); err != nil {
			return n, err
		}
		want := pattern(id, n)
		got := make([]byte, len(want))
		for at := 0; at < len(got); {
			k, err := r.Read(got[at:])
			if at += k; err != nil {
				return n, err
			}
			c.SetDeadline(time.Now().Add(patience)) // it has stalled when nothing moves
		}
		if !bytes.Equal(got, want) {
			return n, difference(got, want, 0)
		}
		b.exchanges.Add(1)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond) // a user's pace
	}
	return n, nil
}

// serverOf is what the server's kernel says of the session from that address.
func (b *busy) serverOf(from string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		if c.RemoteAddr().String() == from {
			return kernel(c.(*net.TCPConn))
		}
	}
	return "gone"
}

// serve answers one session's requests.
func (b *busy) serve(c net.Conn) {
	b.mu.Lock()
	b.conns[c] = true
	b.mu.Unlock()
	defer func() {
		c.Close()
		b.mu.Lock()
		delete(b.conns, c)
		b.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	id := -1
	for n := 0; ; n++ {
		_, err := r.Peek(1)
		if err == nil && id < 0 {
			head, _ := r.Peek(r.Buffered())
			if _, err := fmt.Sscanf(string(head), "GET /0 HTTP/1.1\r\nHost: a\r\nX-Session: %d\r\n", &id); err != nil {
				b.fail(fmt.Errorf("server: session begins with %.200q", head))
				return
			}
		}
		if err != nil {
			return // the client's end says why
		}
		plain, corrected := request(id, n)
		form, err := either(r, plain, corrected)
		if err != nil {
			if !ended(err) {
				b.fail(fmt.Errorf("session %d from %v, exchange %d: server: %w", id, c.RemoteAddr(), n, err))
			}
			return
		}
		if plain != corrected {
			b.mu.Lock()
			b.corrected[form]++
			b.mu.Unlock()
		}
		plain, _ = answer(id, n)
		if _, err := c.Write(append([]byte(plain), pattern(id, n)...)); err != nil {
			return
		}
	}
}

// progress waits until so many exchanges more have been completed.
func (b *busy) progress(t *testing.T, n uint64) {
	t.Helper()
	want := b.exchanges.Load() + n
	for end := time.Now().Add(patience); b.exchanges.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("sessions made %d exchanges in %v; want %d", b.exchanges.Load()+n-want, patience, n)
		}
	}
}

// finish ends all sessions.
func (b *busy) finish() {
	b.stop.Store(true)
	b.group.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.SetDeadline(time.Now())
	}
}
