package e2e

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net"
	"sync"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// recorder stands at one end of the wire, carries connections on and notes what
// goes over each: what one end sent and the other got can then be compared byte
// by byte, though neither the programs nor the wire keep it.
type recorder struct {
	mu    sync.Mutex
	seen  map[string]*tally // by the client's port and the service's
	open  sync.WaitGroup
	fault error
}

// tally is what went over one connection.
type tally struct {
	sum  [2]hash.Hash // to the server, to the client
	size [2]int64
}

func (t *tally) String() string {
	return fmt.Sprintf("%d bytes up (%.8x), %d down (%.8x)", t.size[0], t.sum[0].Sum(nil), t.size[1], t.sum[1].Sum(nil))
}

// record listens on an address in a namespace and carries what comes to another
// one there. farEnd: the connection comes off the wire, it does not go onto it.
func (r *recorder) record(t *testing.T, n *netns.NS, from, to string, farEnd bool) {
	t.Helper()
	var l net.Listener
	n.Must(t, func() (err error) {
		l, err = net.Listen("tcp", from)
		return err
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			r.open.Add(1)
			go func() {
				defer r.open.Done()
				r.carry(n, in, to, farEnd)
			}()
		}
	}()
}

func (r *recorder) carry(n *netns.NS, in net.Conn, to string, farEnd bool) {
	defer in.Close()
	var out net.Conn
	err := n.Do(func() (err error) {
		out, err = net.Dial("tcp4", to)
		return err
	})
	if err != nil {
		r.fail(err)
		return
	}
	defer out.Close()
	onWire := [2]net.Addr{out.LocalAddr(), out.RemoteAddr()}
	if farEnd {
		onWire = [2]net.Addr{in.RemoteAddr(), in.LocalAddr()}
	}
	t := &tally{sum: [2]hash.Hash{sha256.New(), sha256.New()}}
	r.mu.Lock()
	r.seen[fmt.Sprintf("%d to %d", onWire[0].(*net.TCPAddr).Port, onWire[1].(*net.TCPAddr).Port)] = t
	r.mu.Unlock()
	var both sync.WaitGroup
	for i, c := range [2][2]net.Conn{{in, out}, {out, in}} {
		both.Go(func() {
			t.size[i], _ = io.Copy(io.MultiWriter(c[1], t.sum[i]), c[0])
			c[1].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

// compare reports connections over which the two ends had not the same bytes.
func compare(t *testing.T, near, far *recorder) {
	t.Helper()
	near.open.Wait()
	far.open.Wait()
	if near.fault != nil || far.fault != nil {
		t.Errorf("recorders: %v, %v", near.fault, far.fault)
	}
	if len(near.seen) != len(far.seen) {
		t.Errorf("%d connections at the client, %d at the server", len(near.seen), len(far.seen))
	}
	for key, a := range near.seen {
		if b := far.seen[key]; b == nil || a.String() != b.String() {
			t.Errorf("connection %s: client had %s, server %v", key, a, b)
		}
	}
}
