package lab

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const backlog = 128

// Listener accepts sessions that arrive at a Host. It is not gonet's, because
// the sessions of that one cannot be reset.
type Listener struct {
	ep     tcpip.Endpoint
	wq     *waiter.Queue
	closed chan struct{}
	once   sync.Once
}

// Listen accepts sessions to at, which must be an address of the host.
func (h *Host) Listen(at netip.AddrPort) (*Listener, error) {
	l := &Listener{wq: new(waiter.Queue), closed: make(chan struct{})}
	ep, err := h.stack.NewEndpoint(tcp.ProtocolNumber, network(at.Addr()), l.wq)
	if err == nil {
		l.ep = ep
		err = ep.Bind(full(at))
	}
	if err == nil {
		err = ep.Listen(backlog)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %s", at, err)
	}
	return l, nil
}

// Accept waits for a session. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (*Conn, error) {
	ready, notify := waiter.NewChannelEntry(waiter.ReadableEvents)
	l.wq.EventRegister(&ready)
	defer l.wq.EventUnregister(&ready)
	for {
		ep, wq, err := l.ep.Accept(nil)
		if err == nil {
			return newConn(wq, ep), nil
		}
		if _, wait := err.(*tcpip.ErrWouldBlock); !wait {
			return nil, fmt.Errorf("accepting: %s: %w", err, net.ErrClosed)
		}
		select {
		case <-notify:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close ends accepting.
func (l *Listener) Close() {
	l.once.Do(func() {
		close(l.closed)
		l.ep.Close()
	})
}
