package http

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func TestSetFields(t *testing.T) {
	for _, tc := range []struct {
		kind, field, value string
		b, want            string // want "": refused
	}{
		{"request.line", "target", "/new?x", "GET /p HTTP/1.1\r\n\r\n", "GET /new?x HTTP/1.1\r\n\r\n"},
		{"request.line", "target", "", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "target", "/a\x7f", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "path", "/%41é", "GET /p?q HTTP/1.1\r\n\r\n", "GET /%41é?q HTTP/1.1\r\n\r\n"},
		{"request.line", "path", "/a?b", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "path", "a", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "path", "", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "path", "", "GET http://h/p HTTP/1.1\r\n\r\n", "GET http://h HTTP/1.1\r\n\r\n"},
		{"request.line", "path", "/p", "GET http://h?q HTTP/1.1\r\n\r\n", "GET http://h/p?q HTTP/1.1\r\n\r\n"},
		{"request.line", "path", "/p", "CONNECT h:1 HTTP/1.1\r\n\r\n", ""},
		{"request.line", "query", "", "GET /p?q HTTP/1.1\r\n\r\n", "GET /p? HTTP/1.1\r\n\r\n"},
		{"request.line", "query", "a b", "GET /p?q HTTP/1.1\r\n\r\n", ""},
		{"request.line", "query", "a", "OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS *?a HTTP/1.1\r\n\r\n"},
		{"request.line", "method", "PUT", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "version", "HTTP/1.0", "GET /p HTTP/1.1\r\n\r\n", "GET /p HTTP/1.0\r\n\r\n"},
		{"request.line", "version", "HTTP/2", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.line", "version", "HTTP/1.1", "GET /p HTTP/1.0\r\n\r\n", ""},
		{"request.line", "version", "HTTP/1.0", "PUT /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
		{"response.line", "version", "HTTP/1.0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"response.line", "version", "HTTP/1.0", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
		{"request.line", "nonsense", "PUT", "GET /p HTTP/1.1\r\n\r\n", ""},
		{"request.header", "value", "v", "GET /p HTTP/1.1\r\nA:\r\n\r\n", "GET /p HTTP/1.1\r\nA:v\r\n\r\n"},
		{"request.header", "value", "v", "GET /p HTTP/1.1\r\nA: 1\r\n  2\r\n\r\n", "GET /p HTTP/1.1\r\nA: v\r\n\r\n"},
		{"request.header", "value", "a\x00", "GET /p HTTP/1.1\r\nA: 1\r\n\r\n", ""},
		{"request.header", "name", "B-C", "GET /p HTTP/1.1\r\nA: 1\r\n\r\n", "GET /p HTTP/1.1\r\nB-C: 1\r\n\r\n"},
		{"request.header", "name", "B C", "GET /p HTTP/1.1\r\nA: 1\r\n\r\n", ""},
		{"request.header", "name", "Content-Length", "GET /p HTTP/1.1\r\nA: 1\r\n\r\n", ""},
		{"request.header", "value", "5", "GET /p HTTP/1.1\r\nContent-Length: 0\r\n\r\n", ""},
		{"response.line", "status", "404", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 OK\r\nContent-Length: 0\r\n\r\n"},
		{"response.line", "status", "204", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"response.line", "status", "100", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"response.line", "status", "2000", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"response.line", "reason", "Fine", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"},
		{"response.line", "reason", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
		{"response.body", "value", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"response.body", "value", "yy", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nyy"},
		{"response.body", "value", "yy", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nyy"},
		{"response.body", "value", "yy", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \nx\r\n0\n\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nyy\r\n0\n\n"},
	} {
		name := fmt.Sprintf("%s.%s = %q in %q", tc.kind, tc.field, tc.value, tc.b)
		w := newWire(t, ruleSet{when(tc.kind, "", protocol.Set, set(tc.field, tc.value))}, Options{})
		dir := session.ToServer
		if strings.HasPrefix(tc.kind, "response") {
			dir = session.ToClient
			w.feed(session.ToServer, get, false)
		}
		w.feed(dir, tc.b, false)
		want := tc.want
		if want == "" {
			want = tc.b
		}
		if got := string(w.Out(dir)); got != want {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
		if log := w.Log[dir]; len(log) != 1 || strings.HasPrefix(log[0].Note, "refused") != (tc.want == "") {
			t.Errorf("%s: evidence %+v; want one, refused: %t", name, log, tc.want == "")
		}
	}
}

// What rules cannot ask for is left alone, and nothing panics.
func TestOddCorrections(t *testing.T) {
	for _, c := range []protocol.Correction{
		{Element: 7}, {Element: -1}, {Action: 99}, {Action: protocol.Reject}, {Action: protocol.Remove},
	} {
		w := newWire(t, odd{c}, Options{})
		w.feed(session.ToServer, get, false)
		if got := w.toServer(); got != get {
			t.Errorf("%+v: got %q; want %q", c, got, get)
		}
	}
}

type odd struct{ c protocol.Correction }

func (odd) Wants(kind string) bool                            { return kind == "request.line" }
func (o odd) Match(m *protocol.Message) []protocol.Correction { return []protocol.Correction{o.c} }

// A head of nothing but small fields, all of them corrected, costs what its
// bytes cost.
func TestManyCorrections(t *testing.T) {
	head := "GET / HTTP/1.1\r\n" + strings.Repeat("a:\r\n", 16000) + "\r\n"
	w := newWire(t, ruleSet{when("request.header", "a", protocol.Set, set("value", "b"))}, Options{})
	w.feed(session.ToServer, head, false)
	if got, want := w.toServer(), strings.ReplaceAll(head, "a:", "a:b"); got != want {
		t.Errorf("got %d bytes; want %d", len(got), len(want))
	}
	s := scratches.Get().(*scratch)
	if h := &w.d.halves[session.ToServer]; cap(h.head.fields) > keepElements || cap(s.elems[h.dir].list) > 2*keepElements {
		t.Errorf("%d fields and %d elements are kept for the next message", cap(h.head.fields), cap(s.elems[h.dir].list))
	}
}

// Whatever was corrected, another reader finds valid messages, as many as were
// forwarded, and nothing of what was removed.
func TestCorrectedIsValid(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 4))
		k, rules := randomTalk(r), append(ruleSet{removeX, when("response.header", "X-Bad", protocol.Remove, protocol.Correction{})}, randomRules(r)...)
		w := k.runWhole(t, rules)
		if w.End != session.Continue {
			continue
		}
		methods := readRequests(t, w.toServer())
		readResponses(t, w.toClient(), methods, k)
		if t.Failed() {
			t.Fatalf("seed %d: requests %q\nresponses %q\nto server %q\nto client %q", seed, k.requests, k.responses, w.toServer(), w.toClient())
		}
	}
}

func readRequests(t *testing.T, stream string) (n int) {
	br := bufio.NewReader(strings.NewReader(stream))
	for {
		for { // net/http takes no empty lines before a request
			if b, _ := br.Peek(2); string(b) != "\r\n" {
				break
			}
			br.Discard(2)
		}
		if _, err := br.Peek(1); err == io.EOF {
			return n
		}
		req, err := http.ReadRequest(br)
		if err != nil {
			if strings.Contains(err.Error(), "unsupported transfer encoding") {
				return -1
			}
			t.Errorf("request %d: %v", n, err)
			return n
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil || req.Header.Get("X-Bad") != "" {
			t.Errorf("request %d: X-Bad %q, body: %v", n, req.Header.Get("X-Bad"), err)
		}
		n++
	}
}

func readResponses(t *testing.T, stream string, forwarded int, k talk) {
	br := bufio.NewReader(strings.NewReader(stream))
	for i, request := range k.requests {
		method, _, _ := strings.Cut(strings.TrimSpace(request), " ")
		for interim := true; interim; {
			resp, err := http.ReadResponse(br, &http.Request{Method: method})
			if err != nil {
				if !strings.Contains(err.Error(), "unsupported transfer encoding") {
					t.Errorf("response %d: %v", i, err)
				}
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Header.Get("X-Bad") != "" {
				t.Errorf("response %d: X-Bad %q, body: %v", i, resp.Header.Get("X-Bad"), err)
			}
			interim = resp.StatusCode/100 == 1
			if k.rejected[i] && !interim && resp.StatusCode != 403 {
				t.Errorf("response %d: status %d; want our own, 403", i, resp.StatusCode)
			}
		}
	}
	if b, _ := io.ReadAll(br); len(b) > 0 {
		t.Errorf("%q behind the last response", b)
	}
}

// The length that tells of another answer's body can be set, as it frames nothing;
// the one that frames the message cannot.
func TestLengthThatOnlyTells(t *testing.T) {
	rules := to("response.header", "name", "content-length", "value", "12")
	for _, tt := range []struct{ request, response, want string }{
		{"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"},
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n"},
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"},
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	} {
		w := newWire(t, rules, Options{})
		play(w, []part{c(tt.request), s(tt.response)}, wholly)
		if got := w.toClient(); got != tt.want {
			t.Errorf("%q: the client got %q; want %q", tt.request, got, tt.want)
		}
	}
	w := newWire(t, to("response.header", "name", "content-length", "value", "1e3"), Options{})
	play(w, []part{c("HEAD / HTTP/1.1\r\n\r\n"), s("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")}, wholly)
	if got := w.toClient(); got != "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" {
		t.Errorf("the client got %q; want the length left alone, for what is no number", got)
	}
}
