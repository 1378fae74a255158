package prove

import (
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"sync/atomic"
	"testing"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/patch"
)

// answering is a world with a server over UDP that answers the datagram 02 as answer
// says, by how often it was asked, and all others with themselves.
func answering(t *testing.T, p *proof, answer func(n int64) []byte) *world {
	t.Helper()
	bed := netns.NewCable(t)
	var l net.PacketConn
	bed.Server.Must(t, func() (err error) {
		l, err = net.ListenPacket("udp4", fmt.Sprintf("%s:%d", netns.Server4, port))
		return err
	})
	t.Cleanup(func() { l.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			out := buf[:n]
			if n == 1 && buf[0] == 2 {
				out = answer(asked.Add(1))
			}
			if out != nil {
				l.WriteTo(out, from)
			}
		}
	}()
	c := exec.Command("sleep", "infinity") // what is asked whether it lives
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{c: c, exited: make(chan struct{})}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return &world{ctx: t.Context(), bed: bed, server: s, proof: p, limit: patience}
}

// A datagram that is lost makes no difference between two servers; one that is never
// sent does, and so does a server that has ended.
func TestLost(t *testing.T) {
	p := &proof{Over: "udp", Harmless: []entry{{steps: []step{{send: []byte{1}, wait: regexp.MustCompile("01")}}}}, definition: &patch.Definition{}}
	j := &judge{ctx: t.Context(), p: p}
	one := &trial{steps: []step{{send: []byte{2}}}}
	ok := func(int64) []byte { return []byte{0xaa} }
	for _, tt := range []struct {
		name string
		x, y func(n int64) []byte
		want bool
	}{
		{"nothing is lost", ok, ok, true},
		{"the first answer of one is lost", ok, func(n int64) []byte {
			if n == 1 {
				return nil
			}
			return []byte{0xaa}
		}, true},
		{"one never answers", ok, func(int64) []byte { return nil }, false},
		{"one answers otherwise", ok, func(int64) []byte { return []byte{0xbb} }, false},
	} {
		x, y := answering(t, p, tt.x), answering(t, p, tt.y)
		var as [2][]answer
		for i, w := range []*world{x, y} {
			a, err := w.exchange(one, whole, 0)
			if err != nil {
				t.Fatal(err)
			}
			as[i] = []answer{a}
		}
		same, err := j.again(one, whole, 0, x, &as[0], y, &as[1])
		if err != nil || same != tt.want {
			t.Errorf("%s: alike %v, %v; want %v", tt.name, same, err, tt.want)
		}
		if tt.want && x.repeated > 1 {
			t.Errorf("%s: asked again %d times", tt.name, x.repeated)
		}
		as[0][0].exited = true
		before := x.exchanges
		if same, err = j.again(one, whole, 0, x, &[]answer{as[0][0]}, y, &as[1]); err != nil || same || x.exchanges != before {
			t.Errorf("%s: a server that has ended is alike: %v, %v, or asked again", tt.name, same, err)
		}
	}
}
