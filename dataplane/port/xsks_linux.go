package port

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

const (
	maxQueues = 64 // QUEUES of bpf/frame_xdp.h
	// Frame buffers of a port: those that receive are shared out among its
	// queues.
	receiveBuffers, leastReceive = 8192, 256
	sendBuffers                  = 2048
	// etherMost is what an Ethernet header and four tags add to the MTU.
	etherMost = 14 + 4*4
	// burst is how many frames of one queue come up before the next one's turn.
	burst = 16
	// kickAfter is how many frames wait at most for one system call.
	kickAfter = 32
)

// xsks is a port's AF_XDP sockets, one for each receive queue. One goroutine
// serves them all, so each session has one owner whichever queues its two
// directions come in on. All that goes out leaves through the first: one queue
// keeps the order.
type xsks struct {
	name    string
	ifindex int
	receive int        // frame buffers of each queue
	limit   int        // longest frame to send
	share   bool       // without copies, if the driver can
	mu      sync.Mutex // of queues: others than the one goroutine only read
	queues  []*xsk
	turn    int // the queue that is looked at
	taken   int // frames of it since its turn came
	// lent is what recv returned last: the chunk goes back with the next call.
	lent     uint64
	lender   *xsk
	finisher packet.Finisher
	unsent   int   // frames in the tx ring that the kernel was not told of
	stuck    error // why the kernel took nothing when last told
}

// openXSKs opens a socket for each receive queue that an interface has now. Those
// that it gets later have none until Requeue: what comes in on them follows the
// policy.
func openXSKs(name string, ifindex, mtu int) (*xsks, error) {
	n, err := receiveQueues(name)
	if err != nil {
		return nil, err
	}
	c := &xsks{name: name, ifindex: ifindex, receive: leastReceive, limit: mtu + etherMost, share: slices.Contains(sharing, driverOf(name))}
	for c.receive*2*n <= receiveBuffers && c.receive < Backlog/4 {
		c.receive *= 2
	}
	if err := c.grow(n); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// grow opens the sockets that are missing for n queues.
func (c *xsks) grow(n int) error {
	if n > maxQueues {
		return fmt.Errorf("%d receive queues; want at most %d: ethtool -L %s combined %d", n, maxQueues, c.name, maxQueues)
	}
	for q := len(c.queues); q < n; q++ {
		sizes := xskSizes{receive: c.receive, frame: c.limit, share: c.share}
		if q == 0 {
			sizes.send = sendBuffers
		}
		x, err := openXSK(c.ifindex, q, sizes)
		if err != nil {
			return fmt.Errorf("AF_XDP socket: %w", err)
		}
		c.mu.Lock()
		c.queues = append(c.queues, x)
		c.mu.Unlock()
	}
	return nil
}

// receiveQueues is how many receive queues an interface has in use.
func receiveQueues(name string) (int, error) {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return 0, err
	}
	defer e.Close()
	c, err := e.GetChannels(name)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the number of queues: %w", err)
	}
	return max(int(c.CombinedCount+c.RxCount), 1), nil
}

func (c *xsks) zeroCopy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.queues {
		if !x.zeroCopy {
			return false
		}
	}
	return true
}

func (c *xsks) fds() []int {
	var all []int
	for _, x := range c.queues {
		all = append(all, x.fd)
	}
	return all
}

// ready also says no when a driver waits for a poll before it goes on.
func (c *xsks) ready() bool {
	waits := false
	for _, x := range c.queues {
		if x.fill.wakeup() {
			return false
		}
		waits = waits || x.rx.waiting() > 0
	}
	return waits
}

func (c *xsks) giveBack() {
	if c.lender != nil {
		c.lender.giveBack(c.lent)
		c.lender = nil
	}
}

// giveBack lets the kernel fill a chunk again; addr is anywhere in it.
func (x *xsk) giveBack(addr uint64) {
	x.fill.put(addr &^ (chunkSize - 1)) // there is room: the ring holds as many as there are chunks
	x.fill.publish()
}

func (c *xsks) recv(buf []byte) (packet.VNet, []byte, error) {
	c.giveBack()
	for range len(c.queues) + 1 {
		x := c.queues[c.turn]
		if c.taken < burst {
			if frame := c.take(x, buf); frame != nil {
				c.taken++
				return packet.VNet{}, frame, nil
			}
		}
		c.turn, c.taken = (c.turn+1)%len(c.queues), 0
	}
	return packet.VNet{}, nil, ErrAgain
}

// take returns the next frame of a queue: where it is, or in buf if it lies in
// several chunks. nil: there is none that is whole.
func (c *xsks) take(x *xsk, buf []byte) []byte {
	if x.rx.waiting() == 0 {
		return nil
	}
	d := x.rx.look(0)
	if d.Options&unix.XDP_PKT_CONTD == 0 {
		x.rx.consume(1)
		c.lent, c.lender = d.Addr, x
		return x.umem.mem[d.Addr : d.Addr+uint64(d.Len) : d.Addr+uint64(d.Len)]
	}
	n, chunks := x.rx.latest(), uint32(1)
	for x.rx.look(chunks-1).Options&unix.XDP_PKT_CONTD != 0 {
		if chunks++; chunks > n {
			return nil
		}
	}
	frame := buf[:0]
	for i := range chunks {
		d := x.rx.look(i)
		frame = append(frame, x.umem.mem[d.Addr:d.Addr+uint64(d.Len)]...)
		x.giveBack(d.Addr)
	}
	x.rx.consume(chunks)
	return frame
}

func (c *xsks) send(v packet.VNet, frame []byte, _ int) error {
	if v == (packet.VNet{}) {
		return c.put(frame)
	}
	return c.finisher.Finish(v, frame, c.put)
}

// put puts one finished frame into the tx ring.
func (c *xsks) put(frame []byte) error {
	if len(frame) > c.limit {
		return unix.EMSGSIZE
	}
	x := c.queues[0]
	n := (len(frame) + chunkSize - 1) / chunkSize
	if c.stuck != nil || !x.hasRoom(n) {
		c.push()
		if c.stuck != nil {
			return c.stuck
		}
		if !x.hasRoom(n) {
			return unix.ENOBUFS
		}
	}
	for i := range n {
		d := unix.XDPDesc{Addr: x.spare[len(x.spare)-1]}
		x.spare = x.spare[:len(x.spare)-1]
		d.Len = uint32(copy(x.umem.mem[d.Addr:d.Addr+chunkSize], frame[i*chunkSize:]))
		if i < n-1 {
			d.Options = unix.XDP_PKT_CONTD
		}
		x.tx.put(d)
	}
	x.tx.publish()
	if c.unsent++; c.unsent >= kickAfter {
		c.push()
	}
	return nil
}

// hasRoom says whether a frame of n chunks can be put into the tx ring.
func (x *xsk) hasRoom(n int) bool {
	if len(x.spare) < n || x.tx.room() < uint32(n) {
		x.reclaim()
	}
	return len(x.spare) >= n && x.tx.room() >= uint32(n)
}

// reclaim takes back the chunks of what has been sent.
func (x *xsk) reclaim() {
	n := x.completion.waiting()
	for i := range n {
		x.spare = append(x.spare, x.completion.look(i))
	}
	x.completion.consume(n)
}

func (c *xsks) flush() unsent {
	c.push()
	return unsent{}
}

// push has the kernel send what waits. It sends a few at each call; what it
// does not take in the end waits for the next one.
func (c *xsks) push() error {
	x := c.queues[0]
	if c.unsent == 0 && c.stuck == nil {
		return nil
	}
	c.unsent, c.stuck = 0, nil
	for range sendBuffers / 16 {
		if !x.tx.wakeup() {
			return nil
		}
		err := x.kick()
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EBUSY), errors.Is(err, unix.ENOBUFS):
			if x.tx.room() == uint32(len(x.tx.entries)) {
				return nil
			}
		case err != nil:
			c.stuck = err
			return err
		default:
			return nil
		}
	}
	c.unsent = 1
	return nil
}

// lost is what the rings had no room for, since the sockets were opened.
func (c *xsks) lost() (n uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.queues {
		s, err := x.statistics()
		if err != nil {
			return 0, err
		}
		n += s.Rx_dropped + s.Rx_ring_full
	}
	return n, nil
}

func (c *xsks) close() {
	for _, x := range c.queues {
		x.close()
	}
	c.queues = nil
}
