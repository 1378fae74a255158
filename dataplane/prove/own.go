package prove

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// ownHost is a host beside the client's kernel, on the same interface, whose
// TCP sends its segments as no kernel would. It has one session at a time.
type ownHost struct {
	fd   int
	next uint16 // port of the next session

	mu   sync.Mutex
	conn *ownConn
}

// Its address, which the client's kernel knows nothing of.
const ownMAC = "02:00:00:00:00:c9"

var (
	ownIP    = net.IPv4(10, 77, 0, 9).To4()
	serverIP = net.ParseIP(netns.Server4).To4()
)

// newOwnHost joins a bed. The server is told its hardware address.
func newOwnHost(h *netns.Host, bed *netns.Bed) *ownHost {
	o := &ownHost{fd: -1, next: 20000}
	own, err := net.ParseMAC(ownMAC)
	if err != nil {
		h.Fatal(err)
	}
	bed.Server.Must(h, func() error {
		l, err := netlink.LinkByName("s0")
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ownIP, HardwareAddr: own})
	})
	bed.Client.Must(h, func() error {
		l, err := netlink.LinkByName("c0")
		if err != nil {
			return err
		}
		if o.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err := unix.SetsockoptTimeval(o.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
			return err
		}
		return unix.Bind(o.fd, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index, Protocol: 0x0008 /* ETH_P_IP, network order */})
	})
	ctx, stop := context.WithCancel(h.Ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.listen(ctx)
	}()
	h.Cleanup(func() {
		stop()
		<-done
		unix.Close(o.fd)
	})
	return o
}

// listen takes in frames; between them it looks after what is not acknowledged.
func (o *ownHost) listen(ctx context.Context) {
	buf := make([]byte, 70<<10)
	for ctx.Err() == nil {
		n, from, err := unix.Recvfrom(o.fd, buf, 0)
		o.mu.Lock()
		c := o.conn
		o.mu.Unlock()
		if c == nil {
			continue
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); err == nil && ok && ll.Pkttype != unix.PACKET_OUTGOING {
			if s, ok := parseSegment(buf[:n]); ok && s.to == c.port {
				c.receive(s)
			}
		}
		c.tick()
	}
}

// dial opens a session.
func (o *ownHost) dial(to int) (link, error) {
	o.mu.Lock()
	o.next++
	c := &ownConn{host: o, port: o.next, to: uint16(to), iss: rand.Uint32()}
	c.changed = sync.NewCond(&c.mu)
	c.una, c.nxt, c.sent = c.iss, c.iss+1, time.Now()
	o.conn = c
	o.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.emit(c.iss, flagSYN, nil)
	if !c.await(patience, func() bool { return c.open || c.over != nil }) {
		return nil, fmt.Errorf("no answer to the SYN within %v", patience)
	}
	if !c.open {
		return nil, c.over
	}
	return c, nil
}

// ownConn is a session of an ownHost.
type ownConn struct {
	host     *ownHost
	port, to uint16

	mu       sync.Mutex
	changed  *sync.Cond
	iss      uint32
	una, nxt uint32 // first byte not acknowledged, first not sent
	rcv      uint32 // next byte to come
	data     []byte // from iss+1 on, all that was given to deliver
	in       []byte // what came and was not read
	open     bool
	reset    bool  // by the server
	over     error // io.EOF, or the reset
	deadline time.Time
	sent     time.Time // the last time of new data or progress
}

// await waits until what says so, with mu held.
func (c *ownConn) await(limit time.Duration, what func() bool) bool {
	end := time.Now().Add(limit)
	t := time.AfterFunc(limit, func() {
		c.mu.Lock() // so that nobody is between the question and the wait
		c.changed.Broadcast()
		c.mu.Unlock()
	})
	defer t.Stop()
	for !what() {
		if !time.Now().Before(end) {
			return false
		}
		c.changed.Wait()
	}
	return true
}

func (c *ownConn) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *ownConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.await(time.Until(c.deadline), func() bool { return len(c.in) > 0 || c.over != nil }) {
		return 0, os.ErrDeadlineExceeded
	}
	if len(c.in) == 0 {
		return 0, c.over
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

// Close ends the session, or resets it where the server has not ended it.
func (c *ownConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	flags := byte(flagRST | flagACK)
	if c.over == io.EOF {
		flags = flagFIN | flagACK
	}
	c.emit(c.nxt, flags, nil)
	c.host.mu.Lock()
	c.host.conn = nil
	c.host.mu.Unlock()
	if c.over == nil {
		c.over = io.ErrClosedPipe
	}
	return nil
}
