package http

import (
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

const xbad = "X-Bad: 1\r\n"

// faultyRequests are requests that are refused. {X} marks where a removable
// field stands.
var faultyRequests = []struct{ name, b string }{
	{"length and coding", "POST / HTTP/1.1\r\n{X}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"lengths that differ", "POST / HTTP/1.1\r\n{X}Content-Length: 4\r\nContent-Length: 5\r\n\r\nevil"},
	{"length list", "POST / HTTP/1.1\r\n{X}Content-Length: 4, 4\r\n\r\nevil"},
	{"signed length", "POST / HTTP/1.1\r\n{X}Content-Length: +4\r\n\r\nevil"},
	{"hexadecimal length", "POST / HTTP/1.1\r\n{X}Content-Length: 0x4\r\n\r\nevil"},
	{"empty length", "POST / HTTP/1.1\r\n{X}Content-Length:\r\n\r\nevil"},
	{"huge length", "POST / HTTP/1.1\r\n{X}Content-Length: 99999999999999999999\r\n\r\nevil"},
	{"two codings", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"chunked twice", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
	{"chunked not last", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
	{"identity", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: identity\r\n\r\n"},
	{"odd coding", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"},
	{"coding in 1.0", "POST / HTTP/1.0\r\n{X}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"bare CR", "GET / HTTP/1.1\r\n{X}A: b\rc\r\n\r\n"},
	{"NUL", "GET / HTTP/1.1\r\n{X}A: b\x00c\r\n\r\n"},
	{"blank before colon", "GET / HTTP/1.1\r\n{X}A : b\r\n\r\n"},
	{"no colon", "GET / HTTP/1.1\r\n{X}A\r\n\r\n"},
	{"odd name", "GET / HTTP/1.1\r\n{X}A(b): c\r\n\r\n"},
	{"no name", "GET / HTTP/1.1\r\n{X}: c\r\n\r\n"},
	{"blanks in request line", "GET  / HTTP/1.1\r\n{X}\r\n"},
	{"blank in target", "GET /a b HTTP/1.1\r\n{X}\r\n"},
	{"tab in target", "GET /a\tb HTTP/1.1\r\n{X}\r\n"},
	{"blank at the end of the request line", "GET / HTTP/1.1 \r\n{X}\r\n"},
	{"fold at the top", "GET / HTTP/1.1\r\n Content: 4\r\n{X}\r\n"},
	{"line of blanks", "GET / HTTP/1.1\r\n{X}A: b\r\n \t\r\n\r\n"},
	{"lone LF and a length", "POST / HTTP/1.1\r\n{X}A: b\nContent-Length: 4\r\n\r\nevil"},
	{"fold and a length", "POST / HTTP/1.1\r\n{X}A: b\r\n c\r\nContent-Length: 4\r\n\r\nevil"},
	{"fold that speaks of a length", "POST / HTTP/1.1\r\n{X}A: b\r\n Content-Length: 4\r\n\r\n"},
	{"chunk size with sign", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n+4\r\nevil\r\n0\r\n\r\n"},
	{"chunk size with 0x", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n0x4\r\nevil\r\n0\r\n\r\n"},
	{"chunk size with underscore", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n0_4\r\nevil\r\n0\r\n\r\n"},
	{"chunk size with blank", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n4 \r\nevil\r\n0\r\n\r\n"},
	{"no chunk size", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n;a\r\nevil\r\n0\r\n\r\n"},
	{"huge chunk size", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nevil\r\n0\r\n\r\n"},
	{"chunk line of LF", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n4\nevil\r\n0\r\n\r\n"},
	{"chunk extension with LF", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n4;a\nb\r\nevil\r\n0\r\n\r\n"},
	{"data beyond the chunk", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n3\r\nevil\r\n0\r\n\r\n"},
	{"fold at the top of trailers", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n0\r\n A: b\r\n\r\n"},
	{"fold of blanks in trailers", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n \t\r\n\r\n"},
	{"bare CR in the fold of a trailer", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\rd\r\n\r\n"},
	{"lone LF in front of a fold in trailers", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n c\r\n\r\n"},
	{"chunk line too long", "POST / HTTP/1.1\r\n{X}Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("a", 3000) + "\r\ne\r\n0\r\n\r\n"},
	{"head too long", "GET / HTTP/1.1\r\n{X}A: " + strings.Repeat("a", 3000) + "\r\n\r\n"},
	{"version in lower case", "GET / http/1.1\r\n{X}\r\n"},
	{"head cut off", "GET / HTTP/1.1\r\n{X}A: b{END}"},
	{"held body cut off", "POST / HTTP/1.1\r\n{X}Content-Length: 9\r\n\r\nbody{END}"},
}

func TestFaultyRequests(t *testing.T) {
	for _, wantsBody := range []bool{false, true} {
		rules := ruleSet{removeX}
		if wantsBody {
			rules = append(rules, when("request.body", "nothing", protocol.Report, protocol.Correction{}))
		}
		for _, tc := range faultyRequests {
			for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
				b, cutOff := strings.CutSuffix(strings.Replace(tc.b, "{X}", xbad, 1), "{END}")
				if cutOff && !wantsBody && strings.Contains(b, "body") {
					continue // a body that nobody holds may end where it likes
				}
				behind := get
				if cutOff {
					behind = ""
				}
				t.Run(tc.name+"/"+name, func(t *testing.T) {
					testRefused(t, rules, b, behind, split)
				})
			}
		}
	}
}

func testRefused(t *testing.T, rules ruleSet, b, behind string, split func(string) []string) {
	w := newWire(t, rules, Options{Exceed: protocol.ExceedReset, MaxHead: 2048})
	play(w, []part{c(b)}, split)
	if w.End != session.Reset {
		t.Errorf("policy reset: end = %d; want reset", w.End)
	}
	if got := w.toServer(); len(got) >= len(b) {
		t.Errorf("policy reset: the whole request got through: %q", got)
	}
	w = newWire(t, rules, Options{Exceed: protocol.ExceedPass, MaxHead: 2048})
	play(w, []part{c(b + behind)}, split)
	if got, want := w.toServer(), strings.Replace(b, xbad, "", 1)+behind; got != want {
		t.Errorf("policy pass: got %q; want %q", got, want)
	}
	log := w.Log[session.ToServer]
	if len(log) == 0 || log[len(log)-1].Action != "report" {
		t.Errorf("policy pass: evidence %+v; want a report at the end", log)
	}
}

// Foreign bytes are told from HTTP before their senders could wait for an answer.
func TestForeignIsReleasedEarly(t *testing.T) {
	for _, tc := range []struct {
		dir session.Direction
		b   string
	}{
		{session.ToServer, "\x16\x03\x01"},
		{session.ToServer, "GET /old\r\n"},
		{session.ToServer, "PRI * HTTP/2.0\r\n\r\n"},
		{session.ToServer, "some text that is no request\n"},
		{session.ToServer, strings.Repeat("A", maxMethod+1)},
		{session.ToClient, "SSH-"},
		{session.ToClient, "HTTP/2"},
	} {
		w := newWire(t, ruleSet{removeX}, Options{Exceed: protocol.ExceedPass})
		if tc.dir == session.ToClient {
			w.feed(session.ToServer, get, false)
		}
		w.feed(tc.dir, tc.b, false)
		if got := string(w.Out(tc.dir)); got != tc.b {
			t.Errorf("%s %q: released %q; want all", tc.dir, tc.b, got)
		}
	}
}

var faultyResponses = []struct{ name, b string }{
	{"lengths that differ", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"},
	{"odd length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok"},
	{"odd status", "HTTP/1.1 2x0 OK\r\n\r\n"},
	{"short status line", "HTTP/1.1 20\r\n\r\n"},
	{"coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"sloppy and odd length", "HTTP/1.1 200 OK\r\njunk\r\nContent-Length: 0x\r\n\r\nok"},
	{"sloppy and odd status", "HTTP/1.1 2OO OK\r\nA: \x00\r\nContent-Length: 0\r\n\r\n"},
	{"blank before the colon of a length", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"},
	{"folded length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok"},
	{"odd chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n"},
}

func TestFaultyResponses(t *testing.T) {
	for _, tc := range faultyResponses {
		for _, split := range []func(string) []string{wholly, bytewise} {
			w := newWire(t, ruleSet{removeX}, Options{Exceed: protocol.ExceedReset})
			play(w, []part{c(get), s(tc.b)}, split)
			if w.End != session.Reset {
				t.Errorf("%s, policy reset: end = %d; want reset", tc.name, w.End)
			}
			w = newWire(t, ruleSet{removeX}, Options{Exceed: protocol.ExceedPass})
			play(w, []part{c(get), s(tc.b)}, split)
			if got := w.toClient(); got != tc.b {
				t.Errorf("%s, policy pass: got %q; want %q", tc.name, got, tc.b)
			}
		}
	}
}

// What sloppy servers send reaches the client as it is, and inspection goes on.
func TestSloppyResponses(t *testing.T) {
	rules := ruleSet{when("response.header", "X-Bad", protocol.Remove, protocol.Correction{})}
	for _, fields := range []string{"junk\r\n", "A : b\r\n", "A b: c\r\n", "A: \x00\r\n", "A: b\rc\r\n", " fold\r\n", "A: b\r\n \r\n", "A: b\n"} {
		for _, split := range []func(string) []string{wholly, bytewise} {
			head := "HTTP/1.1 200 OK\r\n" + fields
			w := newWire(t, rules, Options{})
			play(w, []part{c(get + get), s(head + "Content-Length: 2\r\n" + xbad + "\r\nok" + head + xbad + "Content-Length: 2\r\n\r\nok")}, split)
			want := head + "Content-Length: 2\r\n\r\nok" + head + "Content-Length: 2\r\n\r\nok"
			if got := w.toClient(); got != want || w.End != 0 {
				t.Errorf("%q: got %q, end %d; want %q", fields, got, w.End, want)
			}
			w = newWire(t, rules, Options{Ambiguous: AmbiguousRefuse})
			play(w, []part{c(get), s(head + "Content-Length: 2\r\n\r\nok")}, split)
			if w.End != session.Reset {
				t.Errorf("%q, refused: end = %d; want reset", fields, w.End)
			}
		}
	}
}

func TestAmbiguousRefuse(t *testing.T) {
	for _, b := range []string{"GET / HTTP/1.1\nA: b\n\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"} {
		w := newWire(t, ruleSet{removeX}, Options{Ambiguous: AmbiguousRefuse})
		w.feed(session.ToServer, b, false)
		if w.End != session.Reset {
			t.Errorf("%q: end = %d; want reset", b, w.End)
		}
	}
}

func TestUnaskedResponse(t *testing.T) {
	w := newWire(t, ruleSet{removeX}, Options{})
	w.feed(session.ToClient, ok2, false)
	if got := w.toClient(); got != ok2 || w.End != session.Continue {
		t.Errorf("response without request: got %q, end %d; want it to pass", got, w.End)
	}
	w = newWire(t, ruleSet{removeX, rejectBad}, Options{MidStream: true})
	w.feed(session.ToClient, "the rest of a response", false)
	w.feed(session.ToServer, bad+get, false)
	w.feed(session.ToClient, ok2, false)
	if got, want := w.toClient(), "the rest of a response"+deny3+ok2; got != want || w.End != 0 {
		t.Errorf("picked up in the middle: got %q, end %d; want %q", got, w.End, want)
	}
	w = newWire(t, ruleSet{removeX, rejectBad}, Options{MidStream: true})
	w.feed(session.ToServer, "{the rest of a request's body}", false)
	w.feed(session.ToServer, bad+get, false)
	w.feed(session.ToClient, ok2, false)
	if got, want := w.toClient(), deny3+ok2; got != want || w.End != 0 {
		t.Errorf("picked up within a request: got %q, end %d; want %q", got, w.End, want)
	}
}
