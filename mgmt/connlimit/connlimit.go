// Package connlimit bounds how many connections a server holds, in all and
// from one address, so that whoever opens many and says nothing takes neither
// the box's memory nor everybody else's turn.
package connlimit

import (
	"net"
	"net/netip"
	"sync"
)

// Listener closes at once what is over its limits.
type Listener struct {
	net.Listener
	total, each int

	mu   sync.Mutex
	open map[netip.Addr]int
	n    int
}

// New returns l limited to total connections, each of them from one address.
func New(l net.Listener, total, each int) *Listener {
	return &Listener{Listener: l, total: total, each: each, open: map[netip.Addr]int{}}
}

// Accept returns the next connection within the limits.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := source(c)
		if l.enter(addr) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(addr) })}, nil
		}
		c.Close()
	}
}

func (l *Listener) enter(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= l.total || l.open[a] >= l.each {
		return false
	}
	l.n++
	l.open[a]++
	return true
}

func (l *Listener) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n--
	if l.open[a]--; l.open[a] == 0 {
		delete(l.open, a)
	}
}

func source(c net.Conn) netip.Addr {
	ap, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // the zero Addr counts as one more source
	return ap.Addr().Unmap()
}

type conn struct {
	net.Conn
	leave func()
}

func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
