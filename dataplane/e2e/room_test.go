package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallMachine is how much memory the dataplane is told that there is.
const smallMachine = 96 << 20

// TestRoom has more sessions than a small machine has memory for. Those that were
// corrected and rest make room for others and lose nothing; those that are in the
// middle of something meet their service's policy, and the process does not grow
// beyond its share.
func TestRoom(t *testing.T) { eachWay(t, testRoom) }

func testRoom(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	b.process.end(t, syscall.SIGTERM)
	b.args = append(b.args, "-ram", fmt.Sprint(smallMachine))
	b.start(t)
	answerAll(t, listen(t, b))
	before := b.status(t).Sessions
	room := int(before.EngineRoom)
	if room == 0 || room > 4000 || before.KernelRoom > 1<<18 {
		t.Fatalf("sessions = %+v; want room for fewer", before)
	}
	empty := b.resident(t)
	all := make([]*conn, room*3/2)
	for i := range all {
		all[i] = dial(t, b.Client, "10.77.0.2:80")
		all[i].asks(t, i)
	}
	s := b.status(t).Sessions
	if s.Engine > s.EngineRoom || s.Reset+s.Passed+s.Crowded != 0 || s.Edited != uint64(len(all)) {
		t.Errorf("%d corrected sessions: %+v; want no more in the engine than there is room for, the others with the ports, none lost", len(all), s)
	}
	for i, c := range all { // each is corrected as before, also those that were put aside
		c.asks(t, i)
	}
	if s := b.status(t).Sessions; s.Engine > s.EngineRoom || s.Reset+s.Passed+s.Crowded != 0 {
		t.Errorf("after another request in each: %+v; want none lost", s)
	}
	// Sessions that wait in the middle of a request cannot be put aside.
	const surplus = 100
	waiting := make([]*conn, room+surplus)
	for i := range waiting {
		waiting[i] = dial(t, b.Client, "10.77.0.2:80")
		fmt.Fprint(waiting[i], "GET / HTTP/1.1\r\nHost: a\r\nX-Removed: b\r\n")
	}
	b.event(t, "reset", "more sessions than memory")
	for i := range surplus / 2 { // the oldest
		waiting[i].SetDeadline(time.Now().Add(patience))
		if _, err := waiting[i].r.ReadByte(); err == nil || os.IsTimeout(err) {
			t.Fatalf("session %d of those that wait: %v; want a reset", i, err)
		}
	}
	fmt.Fprint(waiting[len(waiting)-1], "\r\n")
	waiting[len(waiting)-1].answer(t, "[]")
	s = b.status(t).Sessions
	if s.Engine > s.EngineRoom || s.Crowded < surplus/2 || s.Crowded != s.Reset || s.HeldBytes > s.HeldRoom {
		t.Errorf("with %d sessions in the middle of a request: %+v; want the oldest ones reset", len(waiting), s)
	}
	// The runtime's heap may be twice what lives on it.
	if grown, most := b.resident(t)-empty, int64(smallMachine)/2; grown > most {
		t.Errorf("the dataplane has grown by %d MB; want %d MB at most", grown>>20, most>>20)
	}
}

// answerAll answers every request with the values of its header X-Removed.
func answerAll(t *testing.T, l net.Listener) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["X-Removed"])
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
}

// asks sends a request with a header that the box is to remove.
func (c *conn) asks(t *testing.T, n int) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: a\r\nX-Removed: %s\r\n\r\n", n, strings.Repeat("x", n%50)); err != nil {
		t.Fatalf("session %d: %v", n, err)
	}
	c.answer(t, "[]")
}

// answer reads a response.
func (c *conn) answer(t *testing.T, want string) {
	t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := bufio.NewReader(r.Body).ReadString(0); body != want {
		t.Fatalf("the server answers %q, %v; want %q", body, err, want)
	}
}

// resident is the dataplane's memory, in bytes.
func (b *box) resident(t *testing.T) int64 {
	t.Helper()
	f, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", b.process.Process.Pid))
	var size, pages int64
	if err == nil {
		_, err = fmt.Sscan(string(f), &size, &pages)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
