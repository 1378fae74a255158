package http

import (
	"fmt"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// choosy rules want bodies behind some heads only.
type choosy struct {
	pickRules
	path string
}

func (c choosy) WantsOf(m *protocol.Message, kind string) bool {
	path, _ := m.Lookup("request.path")
	return path == c.path && c.Wants(kind)
}

// A body that only rules about other messages ask for is not held, however long.
func TestNarrow(t *testing.T) {
	rules := choosy{append(to("request.body", "value", "evil", "value", "good"), to("response.body", "value", "evil", "value", "good")...), "/a"}
	w := newWire(t, rules, Options{MaxBody: 100})
	evil := "Content-Length: 4\r\n\r\nevil"
	play(w, []part{c("POST /a HTTP/1.1\r\n" + evil), s("HTTP/1.1 200 OK\r\n" + evil), c("POST /b HTTP/1.1\r\n" + evil), s("HTTP/1.1 200 OK\r\n" + evil)}, bytewise)
	good := "Content-Length: 4\r\n\r\ngood"
	if got, want := w.toServer(), "POST /a HTTP/1.1\r\n"+good+"POST /b HTTP/1.1\r\n"+evil; got != want {
		t.Errorf("server gets %q; want %q", got, want)
	}
	if got, want := w.toClient(), "HTTP/1.1 200 OK\r\n"+good+"HTTP/1.1 200 OK\r\n"+evil; got != want {
		t.Errorf("client gets %q; want %q", got, want)
	}
	long := fmt.Sprintf("POST /b HTTP/1.1\r\nContent-Length: %d\r\n\r\n", 1<<20) + strings.Repeat("x", 1<<20)
	w = newWire(t, rules, Options{MaxBody: 100})
	play(w, []part{c(long)}, wholly)
	if w.End != session.Continue || w.toServer() != long {
		t.Errorf("long body: end %d, %d bytes got through", w.End, len(w.toServer()))
	}
}

// A long body that is of another kind than rules ask for passes, whatever its
// policy: its first byte tells.
func TestLongBodyOfAnotherKind(t *testing.T) {
	for _, first := range []string{"x", "  x", "\xef\xbb\xbfx", "{"} {
		for _, framing := range []string{"length", "chunked"} {
			body := first + strings.Repeat("x", 1000)
			b := fmt.Sprintf("POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			if framing == "chunked" {
				b = chun + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			}
			w := newWire(t, remove("request.json", "key", "a"), Options{MaxBody: 100})
			play(w, []part{c(b)}, bytewise)
			if passed := w.End == session.Continue && w.toServer() == b; passed != (first != "{") {
				t.Errorf("%q, %s: end %d, %d bytes got through", first, framing, w.End, len(w.toServer()))
			}
		}
	}
}
