package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// client carries out orders, one at a time.
type client struct {
	idle []int // connections that Idle holds
	buf  [256 << 10]byte
}

func (c *client) do(o Order) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	addr, err := netip.ParseAddr(o.Address)
	if err != nil || !addr.Is4() {
		return Result{}, fmt.Errorf("server %q is no IPv4 address", o.Address)
	}
	to := netip.AddrPortFrom(addr, uint16(o.Port))
	switch o.Kind {
	case Stream, Requests, Connects:
		return c.crowd(to, o)
	case PingPong:
		return c.roundTrips(to, o, bytes.Repeat([]byte("p"), 64), 64)
	case Exchange:
		return c.roundTrips(to, o, shortRequest, len(shortest))
	case Packets:
		return c.packets(to, o)
	case Idle:
		return c.hold(to, o.Connections, o.Marked)
	}
	return Result{}, fmt.Errorf("unknown kind of load %q", o.Kind)
}

// roundTrips sends request and waits for want bytes, again and again.
func (c *client) roundTrips(to netip.AddrPort, o Order, request []byte, want int) (Result, error) {
	fd, err := connect(to, true)
	if err != nil {
		return Result{}, err
	}
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, false); err != nil {
		return Result{}, err
	}
	limit := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return Result{}, err
	}
	taken := make([]time.Duration, 0, 1<<17)
	began := time.Now()
	for now := began; now.Sub(began) < o.Duration; {
		if err := c.exchange(fd, request, want); err != nil {
			return Result{}, err
		}
		then := now
		now = time.Now()
		taken = append(taken, now.Sub(then))
	}
	slices.Sort(taken)
	return Result{Count: int64(len(taken)), Elapsed: time.Since(began), P50: taken[len(taken)/2], P99: taken[len(taken)*99/100]}, nil
}

func (c *client) exchange(fd int, request []byte, want int) error {
	if _, err := unix.Write(fd, request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for got := 0; got < want; {
		n, err := unix.Read(fd, c.buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if n == 0 {
			return errors.New("the server closed the connection")
		}
		got += n
	}
	return nil
}

// hold opens n connections, has one request answered on each and keeps them; 0
// closes them all.
func (c *client) hold(to netip.AddrPort, n int, marked bool) (Result, error) {
	if n == 0 {
		for _, fd := range c.idle {
			unix.Close(fd)
		}
		c.idle = nil
		return Result{}, nil
	}
	for range n {
		fd, err := connect(to, true)
		if err != nil {
			return Result{}, err
		}
		c.idle = append(c.idle, fd)
		if err := unix.SetNonblock(fd, false); err != nil {
			return Result{}, err
		}
		if err := c.exchange(fd, request(marked, false), len(answerGone)); err != nil {
			return Result{}, err
		}
	}
	return Result{Count: int64(n)}, nil
}
