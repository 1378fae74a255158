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

// A request of whose body there is more than rules are shown does not reach the
// server; a response does.
func TestBodyOfMoreThanIsShown(t *testing.T) {
	drop := func(kind, field string, value any) pickRules {
		return pickOne(kind, field, value, protocol.Drop, protocol.Correction{})
	}
	part := "--b\r\n\r\nx\r\n"
	for _, tc := range []struct {
		name, media string
		rules       pickRules
		front, item string // of the body, and what is in it often
		most        int    // of the items that may be in it
		behind      string
	}{
		{"values of JSON", jsonType, drop("request.json", "value", "evil"), "[", "0,", 32766, `"x"]`},
		{"values of a document", jsonType, drop("request.document", "depth", int64(-1)), "[", "0,", 32766, `"x"]`},
		{"depth of JSON", jsonType, drop("request.json", "value", "evil"), "", "[", 8192, ""},
		{"parts of XML", "text/xml", drop("request.xml", "value", "evil"), "<a>", "<b/>", 32765, "<c/></a>"},
		{"parts", "multipart/form-data; boundary=b", drop("request.part", "value", "evil"), "", part, 4095, "--b\r\n\r\ny\r\n--b--\r\n"},
	} {
		for _, over := range []int{-1, 1} {
			body := tc.front + strings.Repeat(tc.item, tc.most+over) + tc.behind
			sent := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", tc.media, len(body), body)
			w := newWire(t, tc.rules, Options{})
			w.feed(session.ToServer, sent, false)
			if got, end := w.toServer(), w.End; (got == sent) != (over < 0) || (end == session.Continue) != (over < 0) {
				t.Errorf("%s, %d more than there may be: the server got %d of %d bytes, end %v", tc.name, over, len(got), len(sent), end)
			}
		}
	}
	body := "[" + strings.Repeat("0,", 40000) + "0]"
	for _, named := range []string{"gzip", "deflate", "br", "zstd", "deflate, gzip"} { // whether it can be undone or not
		w := newWire(t, drop("request.json", "value", "evil"), Options{})
		w.feed(session.ToServer, codedPost(jsonType, named, body), false)
		if got := w.toServer(); got != "" || w.End != session.Reset {
			t.Errorf("many values, said to be %s: the server got %d bytes, end %v", named, len(got), w.End)
		}
	}
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	w := newWire(t, drop("response.json", "value", "evil"), Options{})
	w.feed(session.ToServer, get, false)
	w.feed(session.ToClient, answer, false)
	if got := w.toClient(); got != answer {
		t.Errorf("a response with many values: the client got %d of %d bytes, end %v", len(got), len(answer), w.End)
	}
	first := `["evil",` + body[1:]
	w = newWire(t, pickOne("request.json", "value", "evil", protocol.Reject, protocol.Correction{Reply: &protocol.Reply{Status: 403}}), Options{})
	w.feed(session.ToServer, fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(first), first), false)
	if got := w.toClient(); !strings.HasPrefix(got, "HTTP/1.1 403") || w.End != session.Continue {
		t.Errorf("many values, the first of which is refused: the client got %q, end %v", got, w.End)
	}
}
