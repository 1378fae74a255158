package http

import (
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

const (
	ok2   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	deny3 = "HTTP/1.1 403 Forbidden\r\nX-By: box\r\nContent-Length: 3\r\n\r\nno!"
	denyC = "HTTP/1.1 403 Forbidden\r\nX-By: box\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!"
	get   = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
	bad   = "GET /bad HTTP/1.1\r\nHost: h\r\n\r\n"
)

var (
	removeX   = when("request.header", "X-Bad", protocol.Remove, protocol.Correction{})
	rejectBad = when("request.line", "/bad", protocol.Reject, deny(403, "no!"))
)

// part is what one side sends, in turn.
type part struct {
	dir session.Direction
	b   string
}

func c(b string) part { return part{session.ToServer, b} }
func s(b string) part { return part{session.ToClient, b} }

var exchanges = []struct {
	name     string
	rules    ruleSet
	parts    []part
	toServer string
	toClient string
	end      session.End
}{
	{"untouched", ruleSet{removeX}, []part{c(get), s(ok2), c(get), s(ok2)}, get + get, ok2 + ok2, 0},
	{"header removed", ruleSet{removeX},
		[]part{c("GET / HTTP/1.1\r\nX-Bad: 1\r\nHost: h\r\nx-bad: 2\r\nX-Bad:3\r\n\r\n")},
		"GET / HTTP/1.1\r\nHost: h\r\nx-bad: 2\r\n\r\n", "", 0},
	{"folded header removed", ruleSet{removeX},
		[]part{c("GET / HTTP/1.1\r\nX-Bad: 1\r\n  more\r\nHost: h\r\n\r\n")},
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", 0},
	{"line ends of LF alone", ruleSet{removeX}, []part{c("\nGET / HTTP/1.1\nX-Bad: 1\nHost: h\n\n")},
		"\nGET / HTTP/1.1\nHost: h\n\n", "", 0},
	{"value set", ruleSet{when("request.header", "X-A", protocol.Set, set("value", "longer"))},
		[]part{c("GET / HTTP/1.1\r\nX-A: \t1 \r\nHost: h\r\n\r\n")},
		"GET / HTTP/1.1\r\nX-A: \tlonger \r\nHost: h\r\n\r\n", "", 0},
	{"value with line end refused", ruleSet{when("request.header", "X-A", protocol.Set, set("value", "a\r\nB: c"))},
		[]part{c("GET / HTTP/1.1\r\nX-A: 1\r\n\r\n")}, "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n", "", 0},
	{"path and query set", ruleSet{when("request.line", "/p", protocol.Set, set("path", "/other")), when("request.line", "/p", protocol.Set, set("query", "x=%20y"))},
		[]part{c("GET /p?q HTTP/1.1\r\n\r\nGET http://h/p HTTP/1.1\r\n\r\n")},
		"GET /other?x=%20y HTTP/1.1\r\n\r\nGET http://h/other?x=%20y HTTP/1.1\r\n\r\n", "", 0},
	{"blank in target refused", ruleSet{when("request.line", "/p", protocol.Set, set("target", "/ HTTP/1.1"))},
		[]part{c("GET /p HTTP/1.1\r\n\r\n")}, "GET /p HTTP/1.1\r\n\r\n", "", 0},
	{"shadow changes nothing", ruleSet{when("request.header", "X-Bad", protocol.Remove, protocol.Correction{Shadow: true})},
		[]part{c("GET / HTTP/1.1\r\nX-Bad: 1\r\n\r\n")}, "GET / HTTP/1.1\r\nX-Bad: 1\r\n\r\n", "", 0},
	{"rejected, session lives on", ruleSet{rejectBad}, []part{c(bad), c(get), s(ok2)}, get, deny3 + ok2, 0},
	{"rejected with body", ruleSet{rejectBad},
		[]part{c("POST /bad HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + get), s(ok2)}, get, deny3 + ok2, 0},
	{"rejected with chunks", ruleSet{rejectBad},
		[]part{c("POST /bad HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 ;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n" + get), s(ok2)}, get, deny3 + ok2, 0},
	{"HEAD rejected", ruleSet{rejectBad}, []part{c("HEAD /bad HTTP/1.1\r\n\r\n")}, "",
		"HTTP/1.1 403 Forbidden\r\nX-By: box\r\nContent-Length: 3\r\n\r\n", 0},
	{"rejected among pipelined", ruleSet{rejectBad}, []part{c(get + bad + bad + get + bad), s(ok2), s(ok2)},
		get + get, ok2 + deny3 + deny3 + ok2 + deny3, 0},
	{"reply behind a chunked response", ruleSet{rejectBad},
		[]part{c(get + bad), s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")}, get,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + deny3, 0},
	{"reply behind an interim and a bodyless response", ruleSet{rejectBad},
		[]part{c(get + bad), s("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), s("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")}, get,
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n" + deny3, 0},
	{"HEAD response has no body", ruleSet{rejectBad},
		[]part{c("HEAD / HTTP/1.1\r\n\r\n" + bad), s("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")},
		"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n" + deny3, 0},
	{"rejected on a connection to be closed", ruleSet{rejectBad},
		[]part{c("GET /bad HTTP/1.0\r\n\r\n")}, "", denyC, session.Close},
	{"rejected in the pipeline, to be closed", ruleSet{rejectBad},
		[]part{c(get + "GET /bad HTTP/1.1\r\nConnection: x, Close\r\n\r\n" + get), s(ok2)}, get, ok2 + denyC, session.Close},
	{"rejected while the client waits for 100", ruleSet{rejectBad},
		[]part{c("POST /bad HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")}, "", denyC, session.Close},
	{"dropped", ruleSet{when("request.line", "/bad", protocol.Drop, protocol.Correction{})},
		[]part{c(bad + get), s(ok2)}, get, ok2, 0},
	{"reset", ruleSet{when("request.line", "/bad", protocol.Reset, protocol.Correction{})},
		[]part{c(get + bad)}, get, "", session.Reset},
	{"body by length set", ruleSet{when("request.body", "evil", protocol.Set, set("value", "harmless"))},
		[]part{c("POST / HTTP/1.1\r\nContent-Length: 4\r\nA: b\r\n\r\nevil" + get)},
		"POST / HTTP/1.1\r\nContent-Length: 8\r\nA: b\r\n\r\nharmless" + get, "", 0},
	{"chunked body set", ruleSet{when("request.body", "il", protocol.Set, set("value", "harmless"))},
		[]part{c("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nev\r\n2;a\r\nil\r\n0\r\nT: 1\r\n\r\n" + get)},
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nharmless\r\n0\r\nT: 1\r\n\r\n" + get, "", 0},
	{"body removed", ruleSet{when("request.body", "evil", protocol.Remove, protocol.Correction{})},
		[]part{c("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nevil")},
		"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "", 0},
	{"held body, 100 said", ruleSet{when("request.body", "evil", protocol.Report, protocol.Correction{})},
		[]part{c("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"), c("good"), s(ok2)},
		"POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\ngood", "HTTP/1.1 100 Continue\r\n\r\n" + ok2, 0},
	{"held body, 100 said once", ruleSet{when("request.body", "evil", protocol.Report, protocol.Correction{}), when("request.line", "/a", protocol.Interim, protocol.Correction{Reply: &protocol.Reply{Status: 100}})},
		[]part{c("POST /a HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"), c("good"), s(ok2)},
		"POST /a HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\ngood", "HTTP/1.1 100 Continue\r\n\r\n" + ok2, 0},
	{"no 100 behind the end of the session", ruleSet{when("request.body", "evil", protocol.Report, protocol.Correction{})},
		[]part{c(get + "POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"), s("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), c("good")},
		get + "POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\ngood", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 0},
	{"no reply behind the end of the session", ruleSet{rejectBad},
		[]part{c(get + bad), s("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), c(bad)}, get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 0},
	{"reply behind an HTTP/1.0 response that keeps the session", ruleSet{rejectBad},
		[]part{c(get + bad), s("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")}, get, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok" + deny3, 0},
	{"framing field not removed", ruleSet{when("request.header", "Length", protocol.Remove, protocol.Correction{})},
		[]part{c("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nevil")}, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nevil", "", 0},
	{"response header removed", ruleSet{when("response.header", "X-Bad", protocol.Remove, protocol.Correction{})},
		[]part{c(get + get), s("HTTP/1.1 200 OK\r\nX-Bad: 1\r\nContent-Length: 2\r\n\r\nok"), s(ok2)}, get + get, ok2 + ok2, 0},
	{"response until close set", ruleSet{when("response.body", "evil", protocol.Set, set("value", "good!"))},
		[]part{c(get), s("HTTP/1.0 200 OK\r\n\r\nevil")}, get, "HTTP/1.0 200 OK\r\n\r\ngood!", 0},
	{"response rejected", ruleSet{when("response.line", "500", protocol.Reject, deny(403, "no!"))},
		[]part{c(get + get), s("HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\ntrace" + ok2)}, get + get, deny3 + ok2, 0},
	{"interim response rejected", ruleSet{when("response.line", "103", protocol.Reject, deny(403, "no!"))},
		[]part{c(get + get), s("HTTP/1.1 103 Hm\r\n\r\n" + ok2 + ok2)}, get + get, deny3 + ok2, 0},
	{"status set", ruleSet{when("response.line", "500", protocol.Set, set("status", "200")), when("response.line", "500", protocol.Set, set("reason", "Fine"))},
		[]part{c(get), s("HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nok")}, get, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok", 0},
	{"upgrade ends HTTP", ruleSet{rejectBad},
		[]part{c("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"), s("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), c(bad), s("\x00\x01")},
		"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n" + bad, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x00\x01", 0},
	{"connect ends HTTP", ruleSet{rejectBad},
		[]part{c("CONNECT a:1 HTTP/1.1\r\n\r\n"), s("HTTP/1.1 200 OK\r\n\r\n"), c(bad), s("\x00\x01")},
		"CONNECT a:1 HTTP/1.1\r\n\r\n" + bad, "HTTP/1.1 200 OK\r\n\r\n\x00\x01", 0},
	{"removal prevails over a change", ruleSet{when("request.header", "X-Bad", protocol.Set, set("value", "2")), removeX},
		[]part{c("GET / HTTP/1.1\r\nX-Bad: 1\r\nA: b\r\n\r\n")}, "GET / HTTP/1.1\r\nA: b\r\n\r\n", "", 0},
	{"empty lines between requests", ruleSet{removeX}, []part{c("\r\n\r\n" + get + "\r\n" + get)}, "\r\n\r\n" + get + "\r\n" + get, "", 0},
}

// play carries parts over a wire, each cut by split, and ends both streams.
func play(w *wire, parts []part, split func(string) []string) {
	for _, p := range parts {
		for _, b := range split(p.b) {
			w.feed(p.dir, b, false)
		}
	}
	w.feed(session.ToServer, "", true)
	w.feed(session.ToClient, "", true)
}

func wholly(b string) []string   { return []string{b} }
func bytewise(b string) []string { return strings.Split(b, "") }

func TestExchanges(t *testing.T) {
	for _, tc := range exchanges {
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				w := newWire(t, tc.rules, Options{})
				play(w, tc.parts, split)
				if got := w.toServer(); got != tc.toServer {
					t.Errorf("to server: got %q; want %q", got, tc.toServer)
				}
				if got := w.toClient(); got != tc.toClient {
					t.Errorf("to client: got %q; want %q", got, tc.toClient)
				}
				if w.End != tc.end {
					t.Errorf("end: got %d; want %d; evidence %+v", w.End, tc.end, w.Log)
				}
			})
		}
	}
}
