package port

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/session"
)

// ruleTexts are conditions of all kinds that have a text to look for.
var ruleTexts = []string{
	`  - {at: request.header, when: 'name == "x-middleware-subrequest"', do: {remove: element}}`,
	`  - {at: request.header, when: 'name == "cookie" && value.contains("evil=")', do: {remove: element}}`,
	`  - {at: request.line, when: 'path.startsWith("/shop7/") && path.matches("(?i)%2e")', do: {reject: {status: 403}}}`,
	`  - {at: request.line, when: 'query.contains("..") || target.endsWith("#a")', do: {reject: {status: 400}}}`,
	`  - {at: request.header, when: 'request.path == "/Admin" && name in ["te", "x-a"]', do: {reject: {status: 404}}}`,
	`  - {at: response.header, when: 'name == "x-debug" || value.lowerAscii().contains("internal error")', do: {remove: element}}`,
	`  - {at: response.line, when: 'reason == "Bad Gateway"', do: {set: {field: reason, to: "No"}}}`,
	`  - {at: request.body, when: 'value.contains("zz")', do: {reject: {status: 400}}}`,
}

const definition = `id: WP-2099-%d
revision: 1
title: t
vulnerabilities: [CVE-2099-1]
product: {name: p, affected: ["<1.0"]}
behaviour: b
sources: ["https://example.org/a"]
protocol: http
proof: vectors only
tests:
  - {name: a, client: a, server: b}
  - {name: b, client: a}
rules:
`

func compile(t testing.TB, rules ...string) *patch.Set {
	t.Helper()
	var defs []*patch.Definition
	for i, r := range rules {
		d, err := patch.Parse("t.yaml", []byte(fmt.Sprintf(definition, i)+r+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		defs = append(defs, d)
	}
	set, errs := patch.Compile(defs, map[string]protocol.Schema{"http": http.Schema()}, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}

// vets puts a set's rules in force below, without those that a body may concern.
func (j *judge) vets(set *patch.Set) {
	texts := set.Texts("http", patch.Look{Sight: http.SimpleHeads, Worth: Worth, WorthLength: WorthLength})
	j.SetVetting(Vetting{Requests: len(texts.Every[0]) == 0, Responses: len(texts.Every[1]) == 0,
		Texts: texts.Of, Long: texts.Long, Keep: texts.LooksBack})
}

// compare has a client and a server exchange messages, each one segment, and
// fails if one goes on below that the decoder with the same rules does not
// release as it is. It returns how many went on.
func (j *judge) compare(t *testing.T, set *patch.Set, client uint16, messages []string) int {
	k := j.open(client)
	defer k.end()
	d := http.New(set.For("s"), protocol.Conn{}, http.Options{})
	unseen := int64(0)
	for i, m := range messages {
		from := Side(i % 2)
		if len(m) > 3000 || len(m) == 0 || k.say(from, m) != on {
			return i
		}
		v := d.Inspect(session.Direction(from), []byte(m), false)
		released := v.Release
		for released > 0 && released < int64(len(m)) && len(v.Edits)+len(v.Reply)+len(v.Evidence) == 0 && v.End == session.Continue {
			m = m[released:]
			v = d.Inspect(session.Direction(from), []byte(m), false)
			released = v.Release
		}
		if len(v.Edits)+len(v.Reply)+len(v.Evidence) > 0 || v.End != session.Continue || released < int64(len(m)) {
			t.Fatalf("message %d went on: %q of %q; the decoder: %+v", i, m, messages, v)
		}
		if unseen = released - int64(len(m)); unseen > 0 {
			return i + 1 // the rest of the body does not follow here
		}
	}
	return len(messages)
}

// The parts that hostile messages are made of, beside bytes of any kind.
var scraps = []string{
	"GET ", "POST ", "HEAD ", "get ", "/", "/shop7/", "/admin", "%2e", "?q=..", "#a", "?", " ", "  ", "\t", "\r\n", "\n", "\r", "\r\n\r\n", "\n\n", "\x00", "\x80", "\x7f",
	" HTTP/1.1\r\n", " HTTP/1.0\r\n", " http/1.1\r\n", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n", "200", "204 No Content\r\n", "304 Not Modified\r\n", "101 Switching\r\n", "100 Continue\r\n\r\n", "502 Bad Gateway\r\n", "99", "2x0 ",
	"Host: a\r\n", "Content-Length: 3\r\n", "content-length: 0\r\n", "Content-Length : 3\r\n", "Content-Length:\r\n", "Content-Length: 3, 3\r\n", "Content-Length: +3\r\n", "Content-Length: 99999999999\r\n", "CONTENT-LENGTH:3\r\n",
	"Transfer-Encoding: chunked\r\n", "transfer-encoding:\r\n chunked\r\n", "Expect: 100-continue\r\n", "Upgrade: websocket\r\n", "Connection: close\r\n", "Connection: upgrade\r\n",
	"X-Middleware-Subrequest: a\r\n", "x-mIDDLEWARE-SUBREQUEST:\r\n", "Cookie: EVIL=1\r\n", "Cookie: a=b; ", "evil=", "X-Debug: a\r\n", "X-A: Internal  error\r\n", "X-A: internal Error\r\n", "TE: a\r\n", " folded\r\n", "\tfolded\r\n",
	": a\r\n", "no colon\r\n", "a b: c\r\n", "a:b\r\n", "a: \r\n", "3\r\nabc\r\n0\r\n\r\n", "abc", "Accept: text/html,*/*;q=0.8\r\n",
}

// hostile makes a message: a good one with changes, or scraps.
func hostile(r *rand.Rand, good string) string {
	if r.IntN(4) == 0 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(scraps[r.IntN(len(scraps))])
		}
		return b.String()
	}
	b := []byte(good)
	for range r.IntN(3) {
		at := r.IntN(len(b) + 1)
		switch r.IntN(5) {
		case 0:
			b = append(b[:at:at], b[min(len(b), at+1+r.IntN(4)):]...)
		case 1, 2:
			b = append(b[:at:at], append([]byte(scraps[r.IntN(len(scraps))]), b[at:]...)...)
		case 3: // a line of its own
			lines := strings.SplitAfter(string(b), "\r\n")
			n := 1 + r.IntN(len(lines))
			b = []byte(strings.Join(lines[:n], "") + scraps[r.IntN(len(scraps))] + strings.Join(lines[n:], ""))
		default:
			if at < len(b) {
				b[at] = byte(r.IntN(256))
			}
		}
	}
	return string(b)
}

var goodRequests = []string{
	"GET / HTTP/1.1\r\n\r\n",
	"GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
	"GET /" + strings.Repeat("long/", 200) + " HTTP/1.1\r\nHost: a.example\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n",
}

var goodResponses = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 404 Not Found\r\nServer: a\r\nContent-Length: 5\r\nX: y\r\n\r\nabcde",
	"HTTP/1.1 304\r\nETag: \"a\"\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("b", 900),
}

// TestVettedIsReleased shows random sessions of hostile messages to the program
// and to the decoder.
func TestVettedIsReleased(t *testing.T) {
	set := compile(t, ruleTexts[:7]...)
	j := newJudge(t)
	j.vets(set)
	const sessions = 30_000
	passed, whole := 0, 0
	for seed := range uint64(sessions) {
		r := rand.New(rand.NewPCG(seed, 7))
		var m []string
		for i := range 6 {
			good := goodRequests
			if i%2 == 1 {
				good = goodResponses
			}
			text := good[r.IntN(len(good))]
			if r.IntN(3) > 0 {
				text = hostile(r, text)
			}
			m = append(m, text)
		}
		n := j.compare(t, set, uint16(seed%60_000)+1, m)
		passed += n
		if n == len(m) {
			whole++
		}
	}
	if passed < sessions/2 || passed > 5*sessions || whole == 0 {
		t.Errorf("%d of %d messages went on, %d whole sessions; want many of both kinds", passed, 6*sessions, whole)
	}
}

// FuzzVetted is the same for one exchange.
func FuzzVetted(f *testing.F) {
	for _, q := range goodRequests {
		for _, a := range goodResponses {
			f.Add(q, a)
		}
	}
	for _, s := range scraps {
		f.Add("GET /a"+s+" HTTP/1.1\r\nA: "+s+"\r\n"+s+"\r\n", "HTTP/1.1 200 "+s+"\r\n"+s+"Content-Length: 3\r\n\r\nabc")
	}
	set := compile(f, ruleTexts[:7]...)
	j := newJudge(f)
	j.vets(set)
	f.Fuzz(func(t *testing.T, request, response string) {
		j.compare(t, set, 4000, []string{request, response, goodRequests[0]})
	})
}

// TestTriggersGoUp: what a rule is about never goes on below.
func TestTriggersGoUp(t *testing.T) {
	set := compile(t, ruleTexts[:7]...)
	j := newJudge(t)
	j.vets(set)
	request := func(line, field string) string { return "GET " + line + " HTTP/1.1\r\nHost: a\r\n" + field + "\r\n" }
	response := func(line, field string) string {
		return "HTTP/1.1 " + line + "\r\n" + field + "Content-Length: 0\r\n\r\n"
	}
	for _, c := range []struct {
		name, request, response string
		went                    int
	}{
		{"neither", request("/", ""), response("200 OK", ""), 2},
		{"a header", request("/", "X-Middleware-SUBREQUEST: a\r\n"), "", 0},
		{"a part of a value", request("/", "Cookie: a=b; EviL=1\r\n"), "", 0},
		{"the value without its end", request("/", "Cookie: a=b; evil\r\n"), "", 1},
		{"a path", request("/ShOP7/%2E", ""), "", 0},
		{"a query", request("/?a=../", ""), "", 0},
		{"a fragment", request("/#a", ""), "", 0},
		{"a header of the response", request("/", ""), response("200 OK", "X-DEBUG: a\r\n"), 1},
		{"a value of the response", request("/", ""), response("200 OK", "A: Internal Error\r\n"), 1},
		{"a reason", request("/", ""), response("502 bad gateway", ""), 1},
	} {
		if got := j.compare(t, set, 5000, []string{c.request, c.response}); got != c.went {
			t.Errorf("%s: %d messages went on; want %d", c.name, got, c.went)
		}
	}
}

// TestEveryMessageGoesUp: rules that do not say what to look for, or look back
// from the response to its request, keep what they may be about from going on.
func TestEveryMessageGoesUp(t *testing.T) {
	const hosted = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
	for _, c := range []struct {
		name, rule string
		went       int
	}{
		{"no rule", ruleTexts[0], 2},
		{"a length", `  - {at: request.header, when: 'size(value) > 100', do: {remove: element}}`, 2},
		{"a length that it has", `  - {at: request.header, when: 'octets(value) >= 3', do: {remove: element}}`, 0},
		{"a length to be below", `  - {at: request.header, when: 'size(value) < 100', do: {remove: element}}`, 0},
		{"no condition", `  - {at: response.header, do: report}`, 1},
		{"a map", `  - {at: request.line, when: '"a" in request.headers', do: {remove: element}}`, 2},
		{"a map that has it", `  - {at: request.line, when: '"host" in request.headers', do: {reject: {status: 400}}}`, 0},
		{"an element that requests have not", `  - {at: request.part, do: report}`, 2},
		{"another method", `  - {at: request.line, when: 'method != "GET"', do: {reject: {status: 400}}}`, 2},
		{"this method", `  - {at: request.line, when: 'method != "POST"', do: {reject: {status: 400}}}`, 0},
		{"a status", `  - {at: response.line, when: 'status == 415', do: report}`, 2},
		{"this status", `  - {at: response.line, when: 'status in [415, 200]', do: report}`, 1},
		{"an empty value", `  - {at: request.line, when: 'query == ""', do: {reject: {status: 400}}}`, 0},
		{"an address", `  - {at: request.line, when: 'client.address == "192.0.2.1"', do: {reject: {status: 400}}}`, 0},
		{"bodies of requests, which these have not", ruleTexts[7], 2},
		{"a response that looks back", `  - {at: response.header, when: 'name == "x-b" && request.path == "/"', do: {remove: element}}`, 2},
		{"a response that looks back, and has it", `  - {at: response.header, when: 'name == "content-length" && request.path == "/"', do: {remove: element}}`, 1},
		{"bodies of responses", `  - {at: response.body, when: 'value.contains("zz")', do: {set: {field: value, to: ""}}}`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := patch.Parse("t.yaml", []byte(fmt.Sprintf(definition, 1)+c.rule+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			set, errs := patch.Compile([]*patch.Definition{d}, map[string]protocol.Schema{"http": http.Schema()}, nil)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			j := newJudge(t)
			j.vets(set)
			if got := j.compare(t, set, 5000, []string{hosted, goodResponses[0]}); got != c.went {
				t.Errorf("%d messages went on; want %d", got, c.went)
			}
		})
	}
}
