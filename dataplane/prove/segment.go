package prove

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagPSH = 8
	flagACK = 16
)

// inFlight is how much an own session sends before it waits for
// acknowledgements; every receiver's window holds as much.
const inFlight = 24 << 10

// again is after how long without progress all is sent once more, in order.
const again = 400 * time.Millisecond

var errReset = errors.New("connection reset by peer")

// segment is what an own session needs to know of a TCP segment.
type segment struct {
	to       uint16
	seq, ack uint32
	flags    byte
	data     []byte
}

// parseSegment reads an Ethernet frame with TCP over IPv4 to the own host.
func parseSegment(f []byte) (s segment, ok bool) {
	if len(f) < 14+20 || f[12] != 8 || f[13] != 0 || f[14]>>4 != 4 || f[14+9] != unix.IPPROTO_TCP || !net.IP(f[30:34]).Equal(ownIP) {
		return s, false
	}
	end := 14 + int(binary.BigEndian.Uint16(f[16:]))
	t := 14 + int(f[14]&15)*4
	if end > len(f) || t+20 > end {
		return s, false
	}
	data := t + int(f[t+12]>>4)*4
	if data > end || data < t+20 {
		return s, false
	}
	return segment{binary.BigEndian.Uint16(f[t+2:]), binary.BigEndian.Uint32(f[t+4:]), binary.BigEndian.Uint32(f[t+8:]), f[t+13], f[data:end]}, true
}

// emit sends one segment.
func (c *ownConn) emit(seq uint32, flags byte, data []byte) {
	var options []byte
	if flags&flagSYN != 0 {
		options = []byte{2, 4, 1460 >> 8, 1460 & 255}
	}
	t := make([]byte, 20, 20+len(options)+len(data))
	binary.BigEndian.PutUint16(t[0:], c.port)
	binary.BigEndian.PutUint16(t[2:], c.to)
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], c.rcv)
	t[12] = byte(5+len(options)/4) << 4
	t[13] = flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	t = append(append(t, options...), data...)
	pseudo := append(append([]byte{}, ownIP...), serverIP...)
	pseudo = append(pseudo, 0, unix.IPPROTO_TCP, byte(len(t)>>8), byte(len(t)))
	binary.BigEndian.PutUint16(t[16:], internetSum(append(pseudo, t...)))

	f := make([]byte, 34, 34+len(t))
	server, _ := net.ParseMAC(netns.ServerMAC)
	own, _ := net.ParseMAC(ownMAC)
	copy(f[0:], server)
	copy(f[6:], own)
	f[12], f[14], f[22], f[23] = 8, 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(f[16:], uint16(20+len(t)))
	copy(f[26:], ownIP)
	copy(f[30:], serverIP)
	binary.BigEndian.PutUint16(f[24:], internetSum(f[14:34]))
	unix.Write(c.host.fd, append(f, t...)) // one that is lost is sent again
}

func internetSum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// receive takes in a segment.
func (c *ownConn) receive(s segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	if s.flags&flagRST != 0 {
		c.reset = true
		if c.over == nil {
			c.over = errReset
		}
		return
	}
	if s.flags&flagSYN != 0 {
		c.rcv, c.open, c.una = s.seq+1, true, s.ack
		c.emit(c.nxt, flagACK, nil)
		return
	}
	if s.flags&flagACK != 0 && int32(s.ack-c.una) > 0 {
		c.una, c.sent = s.ack, time.Now()
	}
	if len(s.data) == 0 && s.flags&flagFIN == 0 {
		return
	}
	if skip := int(int32(c.rcv - s.seq)); skip >= 0 && skip <= len(s.data) && c.over == nil {
		c.in = append(c.in, s.data[skip:]...)
		c.rcv += uint32(len(s.data) - skip)
		if s.flags&flagFIN != 0 {
			c.rcv++
			c.over = io.EOF
		}
	}
	c.emit(c.nxt, flagACK, nil)
}

// tick sends again what has not been acknowledged for a while.
func (c *ownConn) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reset || c.una == c.nxt || time.Since(c.sent) < again {
		return
	}
	c.sent = time.Now()
	if !c.open {
		c.emit(c.iss, flagSYN, nil)
		return
	}
	for at := c.una; int32(c.nxt-at) > 0; at += 1000 {
		c.emit(at, flagACK|flagPSH, c.at(at, min(int(c.nxt-at), 1000)))
	}
}

// at returns n bytes from a sequence number on.
func (c *ownConn) at(seq uint32, n int) []byte {
	from := int(seq - c.iss - 1)
	return c.data[from : from+n]
}

// deliver sends data so that it arrives out of order, or with overlaps, and
// waits until it is acknowledged.
func (c *ownConn) deliver(data []byte, how delivery, rng *rand.Rand) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = append(c.data, data...)
	for len(data) > 0 {
		n := min(len(data), inFlight)
		first := c.nxt
		c.nxt += uint32(n)
		c.sent = time.Now()
		if how == overlap {
			c.overlapping(first, pieces(n, how, rng), rng)
		} else {
			c.shuffled(first, pieces(n, how, rng), rng)
		}
		if !c.await(patience, func() bool { return c.una == c.nxt || c.reset }) {
			return errors.New("data was not acknowledged")
		}
		if c.reset {
			return errReset
		}
		data = data[n:]
	}
	return nil
}

func (c *ownConn) shuffled(first uint32, sizes []int, rng *rand.Rand) {
	at := make([]uint32, len(sizes))
	for i, n := range sizes {
		at[i] = first
		first += uint32(n)
	}
	for _, i := range rng.Perm(len(sizes)) {
		c.emit(at[i], flagACK|flagPSH, c.at(at[i], sizes[i]))
	}
}

// overlapping sends pieces in order. Each begins before the end of the one
// before it, and has other bytes there: they have arrived already, and do not
// count. Some come early as well, with their right bytes.
func (c *ownConn) overlapping(first uint32, sizes []int, rng *rand.Rand) {
	begin, ends := first, first
	for _, n := range sizes {
		ends += uint32(n)
	}
	for at := first; len(sizes) > 0; sizes = sizes[1:] {
		n := sizes[0]
		if later := int(ends-at) - n; later > 0 && rng.IntN(3) == 0 {
			from := at + uint32(n+rng.IntN(later))
			c.emit(from, flagACK|flagPSH, c.at(from, 1+rng.IntN(min(int(ends-from), 500))))
		}
		back := rng.IntN(min(int(at-begin), 60) + 1)
		b := append([]byte{}, c.at(at-uint32(back), back+n)...)
		for i := range back {
			b[i] = "\r\n :;,x0"[rng.IntN(8)]
		}
		c.emit(at-uint32(back), flagACK|flagPSH, b)
		at += uint32(n)
	}
}
