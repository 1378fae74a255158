package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// talkers are sessions that ask all the time, and check what they are answered.
type talkers struct {
	group sync.WaitGroup
	done  atomic.Bool
	asked atomic.Uint64
}

// talk starts n sessions; of every other one the first so many requests have a
// header that the box is to remove.
func talk(t *testing.T, b *box, n, edited int) *talkers {
	t.Helper()
	k := &talkers{}
	for i := range n {
		c := dial(t, b.Client, []string{"10.77.0.2:80", "[fd77::2]:80"}[i/2%2])
		k.group.Go(func() {
			for n := 0; !k.done.Load(); n++ {
				header := ""
				if i%2 == 0 && n < edited {
					header = "X-Removed: yes\r\n"
				}
				got, err := c.try("/echo", fmt.Sprintf("X-Kept: %d.%d\r\n%s", i, n, header), nil)
				if err != nil || !strings.Contains(got, fmt.Sprintf("removed=[] kept=[%d.%d]", i, n)) {
					t.Errorf("session %d, request %d: %.200q, %v", i, n, got, err)
					return
				}
				k.asked.Add(1)
				time.Sleep(time.Millisecond) // so that the processor is left to others, too
			}
		})
	}
	return k
}

// goOn waits until so many requests more were answered.
func (k *talkers) goOn(t *testing.T, n uint64) {
	t.Helper()
	want := k.asked.Load() + n
	for end := time.Now().Add(patience); k.asked.Load() < want; time.Sleep(time.Millisecond) {
		if t.Failed() || time.Now().After(end) {
			t.Fatalf("the sessions were answered %d times less than wanted", want-k.asked.Load())
		}
	}
}

func (k *talkers) end() {
	k.done.Store(true)
	k.group.Wait()
}

// TestPolicyWithinHalfASecond kills the process and stops it, while sessions are
// busy, and has half of a request come in over and over, which the engine holds
// back. From when on does it go past, to a service that fails open? To one that
// fails closed it never does. The sessions go on.
func TestPolicyWithinHalfASecond(t *testing.T) { eachWay(t, testPolicyWithinHalfASecond) }

func testPolicyWithinHalfASecond(t *testing.T, attach string) {
	const tries, most = 10, 500 * time.Millisecond
	b := newBoxBy(t, attach)
	startNginx(t, b.Server)
	k := talk(t, b, 8, 0)
	for name, sig := range map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP} {
		fastest := time.Hour // of several: one may have waited for a processor
		for i := 0; i < tries && fastest > most; i++ {
			k.goOn(t, 200)
			fastest = min(fastest, b.untilPast(t, uint16(30000+100*i+int(sig)), func() {
				if sig == syscall.SIGKILL {
					b.process.end(t, sig)
				} else {
					b.process.Process.Signal(sig)
				}
			}))
			k.goOn(t, 200)
			if sig == syscall.SIGKILL {
				b.start(t)
			} else {
				b.process.Process.Signal(syscall.SIGCONT)
				b.event(t, "wire", "went past")
			}
			if got := once(t, b, "/refused", ""); !strings.Contains(got, "refused by the patch") {
				t.Errorf("%s: a request afterwards = %q; want it refused", name, got)
			}
		}
		t.Logf("%s: the policy is in force after %v", name, fastest)
		if fastest > most {
			t.Errorf("%s: the policy is in force after %v; want %v at most", name, fastest, most)
		}
	}
	k.end()
}

// untilPast is how long after do, which takes the engine away, frames go past it.
func (b *box) untilPast(t *testing.T, port uint16, do func()) time.Duration {
	t.Helper()
	mark := []byte("GET /half-of-a-request")
	from, at := netns.NewCapture(t, b.Client, "c0"), netns.NewCapture(t, b.Server, "s0")
	open, closed := &raw{t: t, wire: from, port: port}, &raw{t: t, wire: from, port: port, to: 81}
	send := func() {
		open.data(0, string(mark))
		closed.data(0, string(mark))
	}
	past := func(wait time.Duration) bool {
		f, ok := at.Next(t, wait)
		if !ok || f.Outgoing || !bytes.Contains(f.Data, mark) {
			return false
		}
		if to := binary.BigEndian.Uint16(f.Data[36:]); to != 80 {
			t.Errorf("half of a request to port %d went past; its service fails closed", to)
		}
		return true
	}
	send()
	began := time.Now()
	do()
	for end := began.Add(patience); time.Now().Before(end); {
		send()
		for wait := time.Now().Add(2 * time.Millisecond); time.Now().Before(wait); {
			if past(time.Until(wait)) {
				return time.Since(began)
			}
		}
	}
	t.Fatal("nothing goes past to a service that fails open")
	return 0
}
