package prove

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// delivery is how bytes get to the server.
type delivery int

const (
	whole    delivery = iota // in one write; datagrams in their order
	single                   // byte by byte
	cuts                     // in random pieces
	disorder                 // in random pieces, or datagrams, that do not arrive in order
	overlap                  // in pieces that overlap, and say otherwise what was said before
	doubled                  // each datagram arrives twice
	lost                     // some datagrams are lost, and all of them sent again
	split                    // datagrams in IP fragments
)

func (d delivery) String() string {
	return [...]string{"whole", "byte by byte", "in random cuts", "out of order", "with overlapping retransmission",
		"each twice", "with losses", "in IP fragments"}[d]
}

// ways are the deliveries that there are for a proof's exchanges.
func (p *proof) ways() []delivery {
	if p.Over == "udp" {
		return []delivery{whole, disorder, doubled, lost, split}
	}
	return []delivery{whole, single, cuts, disorder, overlap}
}

// link is a TCP session to a server.
type link interface {
	io.ReadCloser
	SetReadDeadline(time.Time) error
	deliver(data []byte, how delivery, rng *rand.Rand) error
}

// dial opens a session from the client of a bed: the kernel's where its
// segments do as they are told, an own one else.
func (w *world) dial(how delivery) (link, error) {
	if how == disorder || how == overlap {
		return w.own.dial(port)
	}
	var c net.Conn
	err := w.bed.Client.Do(func() (err error) {
		c, err = (&net.Dialer{Timeout: patience}).Dial("tcp4", net.JoinHostPort(netns.Server4, strconv.Itoa(port)))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &kernelLink{TCPConn: c.(*net.TCPConn)}, nil
}

// kernelLink is a session of the kernel's.
type kernelLink struct {
	*net.TCPConn
	ended bool // by the server, in order
}

func (k *kernelLink) Read(p []byte) (int, error) {
	n, err := k.TCPConn.Read(p)
	k.ended = k.ended || err == io.EOF
	return n, err
}

func (k *kernelLink) deliver(data []byte, how delivery, rng *rand.Rand) error {
	k.SetWriteDeadline(time.Now().Add(patience))
	for _, n := range pieces(len(data), how, rng) {
		if _, err := k.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Close ends the session as clients do where the server has ended it: some servers
// do not live through a reset.
func (k *kernelLink) Close() error {
	if !k.ended {
		k.SetLinger(0) // no port is left waiting
	}
	return k.TCPConn.Close()
}

// Ends of a long request that go byte by byte; its middle goes in pieces.
const slowEnd, middlePiece = 1200, 1000

// pieces cuts n bytes.
func pieces(n int, how delivery, rng *rand.Rand) (out []int) {
	for at := 0; at < n; {
		size := n - at
		switch {
		case how == single && (n <= 4*slowEnd || at < slowEnd || size <= slowEnd):
			size = 1
		case how == single:
			size = min(middlePiece, size-slowEnd)
		case how != whole && rng.IntN(3) == 0:
			size = 1 + rng.IntN(min(size, 8))
		case how != whole:
			size = 1 + rng.IntN(min(size, max(n/6, 40), 1400))
		}
		out = append(out, size)
		at += size
	}
	return out
}
