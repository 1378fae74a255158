package http

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// talk is a random valid conversation: requests, and for each the response that
// the server would give if it got the request.
type talk struct {
	requests, responses []string
	rejected            []bool
}

func pick[T any](r *rand.Rand, xs ...T) T { return xs[r.IntN(len(xs))] }

func randomFields(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(5) {
		b.WriteString(pick(r, "Via: 1.1 h\r\n", "X-Bad: 1\r\n", "X-Bad:\t2 \r\n", "X-Set: some value\r\n", "Accept:*/*\r\n", "Cookie: a=b; c=d\r\n", "Range: bytes=0-1, -5\r\n", "Empty:\r\n"))
	}
	return b.String()
}

// randomBody returns framing fields and the body.
func randomBody(r *rand.Rand) (fields, body string) {
	content := pick(r, "", "evil", "x", "\r\n\r\n", strings.Repeat("body ", 40), "evil\r\n0\r\n\r\n", "GET /bad HTTP/1.1\r\n\r\n",
		`{"k":1, "j":[2,{"k":"evil"}]}`, `{"k":}`, "a=1&b=2&a=3", "<a k=\"1\">evil</a>", namedPart("a")+"1\r\n"+namedPart("b")+"2\r\n--B--")
	kind := pick(r, "", "", "Content-Type: application/json\r\n", "Content-Type: application/x-www-form-urlencoded\r\n", "Content-Type: multipart/form-data; boundary=B\r\n")
	if r.IntN(2) == 0 {
		return kind + fmt.Sprintf("Content-Length: %d\r\n", len(content)), content
	}
	var b strings.Builder
	for len(content) > 0 {
		n := 1 + r.IntN(len(content))
		fmt.Fprintf(&b, "%s%s\r\n%s\r\n", fmt.Sprintf(pick(r, "%x", "%X", "00%x"), n), pick(r, "", ";a=b", ";c=\"q;\""), content[:n])
		content = content[n:]
	}
	b.WriteString(pick(r, "0", "00;last") + "\r\n" + pick(r, "", "T: 1\r\n", "X-Bad: 1\r\nU:\r\n") + "\r\n")
	return kind + "Transfer-Encoding: " + pick(r, "chunked", "Chunked", "gzip, chunked") + "\r\n", b.String()
}

func randomTalk(r *rand.Rand) talk {
	var k talk
	for range 1 + r.IntN(6) {
		method := pick(r, "GET", "HEAD", "POST", "PUT")
		path := pick(r, "/", "/a?x=y", "/bad", "/path?", "http://h/abs")
		request := pick(r, "", "", "\r\n") + method + " " + path + " HTTP/1.1\r\n" + randomFields(r)
		fields, body := "", ""
		if method == "POST" || method == "PUT" {
			fields, body = randomBody(r)
			fields += pick(r, "", "", "Expect: 100-continue\r\n")
		}
		k.requests = append(k.requests, request+fields+"\r\n"+body)
		k.rejected = append(k.rejected, path == "/bad")
		k.responses = append(k.responses, randomResponse(r, method))
	}
	return k
}

func randomResponse(r *rand.Rand, method string) string {
	interim := pick(r, "", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: a\r\nX-Bad: 1\r\n\r\n")
	fields, body := randomBody(r)
	status := pick(r, "200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "500 ")
	if method == "HEAD" || status[0:3] == "204" || status[0:3] == "304" {
		body = ""
	}
	return interim + "HTTP/1.1 " + status + "\r\n" + randomFields(r) + fields + "\r\n" + body
}

var propertyRules = []rule{
	removeX, rejectBad,
	when("request.header", "X-Set", protocol.Set, set("value", "v")),
	when("request.line", "/a", protocol.Set, set("query", "replaced=by+this")),
	when("request.body", "evil", protocol.Set, set("value", "good, and longer")),
	when("request.body", "body", protocol.Remove, protocol.Correction{}),
	when("request.header", "Cookie", protocol.Remove, protocol.Correction{Shadow: true}),
	when("request.parameter", "x", protocol.Remove, protocol.Correction{}),
	when("request.segment", "bad", protocol.Report, protocol.Correction{}),
	when("request.cookie", "a=b", protocol.Remove, protocol.Correction{}),
	when("request.form", "a=", protocol.Remove, protocol.Correction{}),
	when("request.json", "evil", protocol.Set, set("value", "good")),
	when("request.json", `"k"`, protocol.Remove, protocol.Correction{}),
	when("request.xml", "k=", protocol.Remove, protocol.Correction{}),
	when("request.part", `"a"`, protocol.Remove, protocol.Correction{}),
	when("request.part.header", `"b"`, protocol.Set, set("value", "form-data; name=c")),
	when("request.chunk", ";a=b", protocol.Set, set("extension", "")),
	when("request.trailer", "X-Bad", protocol.Remove, protocol.Correction{}),
	when("response.chunk", ";c", protocol.Set, set("extension", ";d")),
	when("response.json", "1", protocol.Set, set("raw", "[1,2]")),
	when("response.header", "X-Bad", protocol.Remove, protocol.Correction{}),
	when("response.header", "X-Set", protocol.Set, set("name", "X-Other")),
	when("response.line", "500", protocol.Reject, deny(502, "broken")),
	when("response.line", "404", protocol.Set, set("reason", "Gone Fishing")),
	when("response.body", "evil", protocol.Set, set("value", "")),
}

func randomRules(r *rand.Rand) ruleSet {
	rules := ruleSet{rejectBad}
	for _, x := range propertyRules {
		if x.c.Action != protocol.Reject && r.IntN(2) == 0 || r.IntN(4) == 0 {
			rules = append(rules, x)
		}
	}
	return rules
}

// runWhole feeds the requests in one segment, then the responses in one.
func (k *talk) runWhole(t testing.TB, rules ruleSet) *wire {
	w := newWire(t, rules, Options{})
	var answers strings.Builder
	for i, b := range k.responses {
		if !k.rejected[i] {
			answers.WriteString(b)
		}
	}
	play(w, []part{c(strings.Join(k.requests, "")), s(answers.String())}, wholly)
	return w
}

// runCut feeds the same in random segments, the directions interleaved as they
// could be on a real wire: a response after its request.
func (k *talk) runCut(t testing.TB, rules ruleSet, r *rand.Rand) *wire {
	w := newWire(t, rules, Options{})
	size := pick(r, 1, 2, 7, 60, 1000)
	next := 0   // request
	asked := 0  // requests that are fed
	answer := 0 // response under way
	var up, down []byte
	for next < len(k.requests) || len(up) > 0 || answer < asked || len(down) > 0 {
		if len(up) == 0 && next < len(k.requests) {
			up, next = []byte(k.requests[next]), next+1
		}
		for len(down) == 0 && answer < asked {
			if !k.rejected[answer] {
				down = []byte(k.responses[answer])
			}
			answer++
		}
		if n := 1 + r.IntN(size); len(up) > 0 && (len(down) == 0 || r.IntN(2) == 0) {
			n = min(n, len(up))
			w.feed(session.ToServer, string(up[:n]), false)
			if up = up[n:]; len(up) == 0 {
				asked++
			}
		} else if len(down) > 0 {
			n = min(n, len(down))
			w.feed(session.ToClient, string(down[:n]), false)
			down = down[n:]
		}
	}
	w.feed(session.ToServer, "", true)
	w.feed(session.ToClient, "", true)
	return w
}

// However the same conversation is cut, the receivers get the same bytes and
// the auditor the same evidence.
func TestSegmentationDoesNotMatter(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		k, rules := randomTalk(r), randomRules(r)
		compare(t, fmt.Sprintf("seed %d", seed), k.runWhole(t, rules), k.runCut(t, rules, r))
		if t.Failed() {
			t.Fatalf("requests %q\nresponses %q", k.requests, k.responses)
		}
	}
}

// With no rule that changes anything, every byte arrives as it was.
func TestUntouchedPassesBitForBit(t *testing.T) {
	rules := ruleSet{when("request.body", "never there", protocol.Report, protocol.Correction{}),
		when("response.header", "never there", protocol.Report, protocol.Correction{})}
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		k := randomTalk(r)
		clear(k.rejected)
		w := k.runCut(t, rules, r)
		if got, want := w.toServer(), strings.Join(k.requests, ""); got != want {
			t.Fatalf("seed %d: to server %q; want %q", seed, got, want)
		}
		// What we say for the server is a 100 of our own.
		got := strings.ReplaceAll(w.toClient(), "HTTP/1.1 100 Continue\r\n\r\n", "")
		if want := strings.ReplaceAll(strings.Join(k.responses, ""), "HTTP/1.1 100 Continue\r\n\r\n", ""); got != want {
			t.Fatalf("seed %d: to client %q; want %q", seed, got, want)
		}
	}
}

func compare(t testing.TB, name string, whole, cut *wire) {
	t.Helper()
	for _, dir := range []session.Direction{session.ToServer, session.ToClient} {
		if a, b := whole.Out(dir), cut.Out(dir); !bytes.Equal(a, b) {
			t.Errorf("%s, %s: cut %q; whole %q", name, dir, b, a)
		}
		if diff := cmp.Diff(whole.Log[dir], cut.Log[dir]); diff != "" {
			t.Errorf("%s, %s: evidence (-whole +cut):\n%s", name, dir, diff)
		}
	}
	if whole.End != cut.End {
		t.Errorf("%s: end cut %d; whole %d", name, cut.End, whole.End)
	}
}
