package http

import (
	"fmt"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// A body that no rule asks for costs a call when its head is there and one at
// its end, however long it is.
func TestUnseenBodyCostsOneCall(t *testing.T) {
	const size = 100 << 20
	w := newWire(t, ruleSet{removeX}, Options{})
	w.feed(session.ToServer, get, false)
	before := w.Calls
	w.feed(session.ToClient, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size), false)
	segment := strings.Repeat("x", 1<<20)
	for range size >> 20 {
		w.feed(session.ToClient, segment, false)
		w.ToClient()
	}
	if got := w.Calls - before; got != 2 {
		t.Errorf("100 MB response cost %d calls; want 2", got)
	}
	w.feed(session.ToServer, get, false)
	w.feed(session.ToClient, ok2, false)
	if got := w.toClient(); got != ok2 {
		t.Errorf("next response: got %q; want %q", got, ok2)
	}
}

func TestUnseenRequestBodyCostsNoCall(t *testing.T) {
	w := newWire(t, ruleSet{removeX}, Options{})
	w.feed(session.ToServer, "PUT / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", false)
	for range 100 {
		w.feed(session.ToServer, "0123456789", false)
	}
	if w.Calls != 1 {
		t.Errorf("request with a body cost %d calls; want 1", w.Calls)
	}
}

// A body over the limit: the rules still get the head, the body passes, and the
// session stays inspected; or it is reset.
func TestBodyOverLimit(t *testing.T) {
	rules := ruleSet{removeX, when("request.body", "evil", protocol.Remove, protocol.Correction{})}
	long := strings.Repeat("evil", 10)
	for _, body := range []string{
		"Content-Length: 40\r\n\r\n" + long,
		"Transfer-Encoding: chunked\r\n\r\n28\r\n" + long + "\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("4\r\nevil\r\n", 10) + "0\r\n\r\n",
	} {
		for _, split := range []func(string) []string{wholly, bytewise} {
			w := newWire(t, rules, Options{MaxBody: 16, Exceed: protocol.ExceedPass})
			play(w, []part{c("POST / HTTP/1.1\r\n" + xbad + body + "GET / HTTP/1.1\r\n" + xbad + "\r\n")}, split)
			want := "POST / HTTP/1.1\r\n" + body + "GET / HTTP/1.1\r\n\r\n"
			if got := w.toServer(); got != want {
				t.Errorf("policy pass: got %q; want %q", got, want)
			}
			if n := len(w.Log[session.ToServer]); n != 3 {
				t.Errorf("policy pass: %d pieces of evidence; want 3", n)
			}
			w = newWire(t, rules, Options{MaxBody: 16})
			play(w, []part{c("POST / HTTP/1.1\r\n" + body)}, split)
			if w.End != session.Reset || w.toServer() != "" {
				t.Errorf("policy reset: end %d, got %q; want a reset and nothing", w.End, w.toServer())
			}
		}
	}
}

func TestTooManyOutstanding(t *testing.T) {
	for _, o := range []Options{{MaxOutstanding: 3}, {MaxHead: 64, MaxBody: 10}} {
		w := newWire(t, ruleSet{removeX, when("response.line", "none", protocol.Report, protocol.Correction{})}, o)
		for range 40 {
			w.feed(session.ToServer, get, false)
		}
		if w.End != session.Reset {
			t.Errorf("%+v: end = %d after 40 requests; want reset", o, w.End)
		}
	}
}

// The time for a message fed byte by byte grows with its length, not with its
// square: every byte is looked at a bounded number of times.
func TestBytewiseScanIsLinear(t *testing.T) {
	var s headScan
	line := "A: " + strings.Repeat("b", 1000) + "\r\n"
	head := []byte("GET / HTTP/1.1\r\n" + strings.Repeat(line, 50) + "\r\n")
	for i := 1; i < len(head); i++ {
		if n := s.next(head[:i]); n != 0 {
			t.Fatalf("next(%d bytes) = %d; want 0", i, n)
		}
		if s.from != i {
			t.Fatalf("after %d bytes looked at %d; want all", i, s.from)
		}
	}
	if n := s.next(head); n != len(head) {
		t.Errorf("next(all) = %d; want %d", n, len(head))
	}
}
