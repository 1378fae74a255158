package control

import (
	"net"
	"sync"
)

// limited is a listener with at most so many connections open at once: those
// beyond wait in the kernel's queue.
type limited struct {
	net.Listener
	free chan struct{}
	quit chan struct{}
	once sync.Once
}

func newLimited(l net.Listener, n int) *limited {
	return &limited{Listener: l, free: make(chan struct{}, n), quit: make(chan struct{})}
}

// Accept waits for room, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.quit:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, done: sync.OnceFunc(func() { <-l.free })}, nil
}

// Close ends the listener and whoever waits in Accept.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.quit) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	done func()
}

func (c *limitedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
