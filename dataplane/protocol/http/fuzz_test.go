package http

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// firstMessage notes the first message of a direction: how many bytes it has
// and what the decoder made of it.
type firstMessage struct {
	d       *Decoder
	dir     session.Direction
	seen    bool
	size    int
	method  any
	target  any
	headers map[string][]string
	body    any
}

// Wants asks for all but the framing, for which a body out of form would be
// followed instead of held.
func (f *firstMessage) Wants(kind string) bool {
	k := &kinds[f.dir]
	return strings.HasPrefix(kind, k.message) && kind != k.chunk && kind != k.trailer
}

func (f *firstMessage) Match(m *protocol.Message) []protocol.Correction {
	if fault, _ := m.Lookup(kinds[f.dir].message + ".fault"); f.seen || m.Dir != f.dir || m.Continues || fault != "" {
		return nil
	}
	half := &f.d.halves[f.dir]
	f.seen, f.size = true, half.head.size
	if half.hold.active {
		f.size = half.hold.raw.End
	}
	f.method, _ = m.Lookup("request.method")
	f.target, _ = m.Lookup("request.target")
	h, _ := m.Lookup(kinds[f.dir].message + ".headers")
	f.headers, _ = h.(map[string][]string)
	f.body, _ = m.Lookup(kinds[f.dir].body)
	return nil
}

// FuzzRequest compares with another reader of HTTP: what we take for one whole
// request and let through, it must take for the same request, or refuse.
func FuzzRequest(f *testing.F) {
	for _, tc := range faultyRequests {
		f.Add([]byte(strings.Replace(tc.b, "{X}", xbad, 1)))
	}
	for _, tc := range exchanges {
		f.Add([]byte(tc.parts[0].b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rules := &firstMessage{dir: session.ToServer}
		w := newWire(t, rules, Options{MaxHead: 8 << 10, MaxBody: 8 << 10})
		rules.d = w.d
		w.feed(session.ToServer, string(b), false)
		w.feed(session.ToServer, "", true)
		if !rules.seen {
			return
		}
		if got := w.Out(session.ToServer); !bytes.HasPrefix(b, got) {
			t.Fatalf("to server: %q; want a beginning of %q", got, b)
		}
		start := len(b) - len(bytes.TrimLeft(b, "\r\n"))
		in := bytes.NewReader(b[start:])
		br := bufio.NewReader(in)
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if req.Method != rules.method || req.RequestURI != rules.target || string(body) != rules.body {
			t.Errorf("read %v %v with body %q; net/http reads %q %q with body %q", rules.method, rules.target, rules.body, req.Method, req.RequestURI, body)
		}
		// net/http leaves trailers of a body unread when it ends early.
		if end := in.Size() - int64(in.Len()+br.Buffered()); end != int64(rules.size) {
			t.Errorf("message of %d bytes; net/http reads %d", rules.size, end)
		}
		compareFields(t, rules.headers, req.Header)
	})
}

// compareFields compares what both keep of the fields; net/http moves some
// elsewhere.
func compareFields(t *testing.T, ours map[string][]string, theirs http.Header) {
	for name, values := range theirs {
		if !isToken(name) {
			continue // it keeps blanks that are no part of a name
		}
		got := ours[strings.ToLower(name)]
		if len(got) != len(values) && name != "Content-Length" {
			t.Errorf("field %q: %q; net/http reads %q", name, got, values)
			continue
		}
		for i := range values {
			if strings.TrimSpace(got[i]) != strings.TrimSpace(values[i]) && !strings.ContainsAny(got[i], " \t") {
				t.Errorf("field %q: %q; net/http reads %q", name, got, values)
			}
		}
	}
}

// FuzzResponse does the same for responses.
func FuzzResponse(f *testing.F) {
	for _, tc := range faultyResponses {
		f.Add([]byte(tc.b))
	}
	for _, tc := range exchanges {
		for _, p := range tc.parts {
			if p.dir == session.ToClient {
				f.Add([]byte(p.b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rules := &firstMessage{dir: session.ToClient}
		w := newWire(t, rules, Options{MaxHead: 8 << 10, MaxBody: 8 << 10})
		rules.d = w.d
		w.feed(session.ToServer, get, false)
		w.feed(session.ToClient, string(b), false)
		w.feed(session.ToClient, "", true)
		if got := w.Out(session.ToClient); !bytes.HasPrefix(b, got) {
			t.Fatalf("to client: %q; want a beginning of %q", got, b)
		}
		if w.End != session.Continue || !rules.seen || rules.body == nil {
			return
		}
		in := bytes.NewReader(b)
		br := bufio.NewReader(in)
		resp, err := http.ReadResponse(br, &http.Request{Method: "GET"})
		if err != nil {
			return
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode == 101 {
			return
		}
		if string(body) != rules.body {
			t.Errorf("body %q; net/http reads %q", rules.body, body)
		}
		compareFields(t, rules.headers, resp.Header)
	})
}

// FuzzSegmentation feeds anything, whole and cut, under both policies: the
// outcome is the same, and the contract is kept.
func FuzzSegmentation(f *testing.F) {
	for i, tc := range exchanges {
		var up, down string
		for _, p := range tc.parts {
			if p.dir == session.ToServer {
				up += p.b
			} else {
				down += p.b
			}
		}
		f.Add([]byte(up), []byte(down), uint64(i))
	}
	for i, tc := range faultyRequests {
		f.Add([]byte(get+strings.Replace(tc.b, "{X}", xbad, 1)+get), []byte(ok2+ok2), uint64(i))
	}
	for i, tc := range faultyResponses {
		f.Add([]byte(get+bad+get), []byte(tc.b+ok2), uint64(i))
	}
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		rules := randomRules(r)
		o := Options{MaxHead: 300, MaxBody: 100, MaxOutstanding: 5, MidStream: r.IntN(4) == 0,
			Exceed: pick(r, protocol.ExceedPass, protocol.ExceedReset), Ambiguous: pick(r, AmbiguousDecode, AmbiguousRefuse)}
		size := pick(r, 1, 3, 50)
		cutter := func(b string) (out []string) {
			for len(b) > 0 {
				n := min(1+r.IntN(size), len(b))
				out, b = append(out, b[:n]), b[n:]
			}
			return out
		}
		whole, cut := newWire(t, rules, o), newWire(t, rules, o)
		parts := []part{c(string(up)), s(string(down))}
		play(whole, parts, wholly)
		play(cut, parts, cutter)
		if !o.MidStream { // where a message begins in a session under way, segments tell
			compare(t, "fuzz", whole, cut)
		}
	})
}
