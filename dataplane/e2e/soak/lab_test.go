package soak

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// firstPort is the client's in session 0: both ends know a session by it.
const firstPort = 2000

// lab runs the two ends of sessions.
type lab struct {
	bed      *netns.Bed
	group    sync.WaitGroup
	sessions sync.Map // *session by client's port

	mu       sync.Mutex
	failures []error
	longest  time.Duration
	slow     *plan // that took so long
}

// session is a plan that is carried out.
type session struct {
	*plan
	clientDone chan struct{} // the client has closed
}

func newLab(t *testing.T, bed *netns.Bed) *lab {
	t.Helper()
	l := &lab{bed: bed}
	for _, addr := range []string{"10.77.0.2:80", "[fd77::2]:80"} {
		var listener net.Listener
		bed.Server.Must(t, func() (err error) {
			listener, err = net.Listen("tcp", addr)
			return err
		})
		t.Cleanup(func() { listener.Close() })
		go l.serve(listener)
	}
	return l
}

// start runs a session beside others.
func (l *lab) start(p *plan) {
	s := &session{p, make(chan struct{})}
	began := time.Now()
	l.sessions.Store(firstPort+p.id, s)
	l.group.Add(2) // the server's end, too
	go func() {
		defer l.group.Done()
		defer func() { l.took(p, time.Since(began)) }()
		defer close(s.clientDone)
		c, err := l.dial(p)
		if err != nil {
			l.fail(fmt.Errorf("%v: connect: %w", p, err))
			l.group.Done() // no server's end will come
			l.sessions.Delete(firstPort + p.id)
			return
		}
		defer c.Close()
		if p.end == aborted || p.end == refused {
			defer l.unaccepted(p)
		}
		c.SetDeadline(time.Now().Add(patience))
		e := p.client(c)
		if p.end == aborted {
			err = e.abort(p.abortAt)
		} else {
			err = e.run(p.end != clientCloses)
		}
		if err != nil {
			l.fail(fmt.Errorf("%v: client: %w", p, err))
		}
	}()
}

// unaccepted ends the server's end of a session whose reset may have come before
// the server knew of the session.
func (l *lab) unaccepted(p *plan) {
	l.group.Add(1)
	time.AfterFunc(2*time.Second, func() {
		defer l.group.Done()
		if _, ok := l.sessions.LoadAndDelete(firstPort + p.id); ok {
			l.group.Done()
		}
	})
}

// took notes the longest session.
func (l *lab) took(p *plan, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d > l.longest {
		l.longest, l.slow = d, p
	}
}

func (l *lab) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err)
}

// wait waits for the end of all sessions and returns what failed.
func (l *lab) wait() []error {
	l.group.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures
}

// dial connects from the plan's port, with the plan's habits.
func (l *lab) dial(p *plan) (*net.TCPConn, error) {
	from, to := netns.Client4, "10.77.0.2:80"
	if p.v6 {
		from, to = netns.Client6, "[fd77::2]:80"
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from), Port: firstPort + p.id}, Timeout: patience,
		Control: func(_, _ string, c syscall.RawConn) error { return p.ends[0].set(c) }}
	var c net.Conn
	err := l.bed.Client.Do(func() (err error) {
		c, err = d.Dial("tcp", to)
		return err
	})
	if err != nil {
		return nil, err
	}
	tcp := c.(*net.TCPConn)
	tcp.SetNoDelay(!p.ends[0].nagle)
	return tcp, nil
}

// set gives a socket the habits that must be known early.
func (h *habits) set(c syscall.RawConn) (err error) {
	control := func(fd uintptr) {
		if h.buffer > 0 {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, h.buffer)
		}
		err = errors.Join(err,
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.SetsockoptString(int(fd), unix.SOL_TCP, unix.TCP_CONGESTION, h.congestion))
	}
	return errors.Join(c.Control(control), err)
}

func (l *lab) serve(listener net.Listener) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		// Loaded only once: what a stray segment opens belongs to none.
		s, ok := l.sessions.LoadAndDelete(c.RemoteAddr().(*net.TCPAddr).Port)
		if !ok {
			c.Close()
			continue
		}
		go func() {
			defer l.group.Done()
			defer c.Close()
			s := s.(*session)
			if err := s.serve(c.(*net.TCPConn)); err != nil {
				l.fail(fmt.Errorf("%v: server: %w", s.plan, err))
			}
		}()
	}
}

// serve is the server's end of a session.
func (s *session) serve(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err == nil {
		err = s.ends[1].set(raw)
	}
	if err != nil {
		return err
	}
	c.SetNoDelay(!s.ends[1].nagle)
	c.SetDeadline(time.Now().Add(patience))
	e := s.server(c)
	if s.end != refused && s.end != aborted {
		return e.run(true)
	}
	// The reset may be lost on the way, then nothing tells of it: so wait no
	// longer than the client takes.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.clientDone:
			e.hurry()
		case <-stop:
		}
	}()
	err = e.run(true)
	full := e.read == len(e.want)
	switch {
	case errors.Is(err, errDiffers), s.end == refused && !full:
		return err
	case err == nil, ended(err), errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}
