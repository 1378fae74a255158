package decoders

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// watching are rules that need a text to be there, but for one on /all.
const watching = `
id: WP-2099-1
revision: 1
title: t
vulnerabilities: [CVE-2099-1]
product: {name: n, affected: ["<1"]}
behaviour: b
sources: [https://example.com/]
protocol: http
proof: vectors only
rules:
  - {at: request.json, when: 'key == "__proto__"', do: {remove: element}}
  - {at: request.json, when: 'value.contains("ü/x") && jsonText(request.body, "a") != "1"', do: {set: {field: value, to: good}}}
  - {at: request.json, when: 'type == "string" && value.lowerAscii().startsWith("${")', do: {set: {field: value, to: good}}}
  - {at: request.form, when: 'key.contains("[__proto__]") || value == "a b&c"', do: {remove: element}}
  - {at: request.body, when: 'request.content_type != "multipart/form-data" && value.contains("evil")', do: {reject: {status: 400}}}
  - {at: request.part, when: 'filename == "evil"', do: {reject: {status: 400}}}
  - {at: response.body, when: 'request.body.contains("evil")', do: {reject: {status: 500}}}
  - {at: request.json, when: 'request.path == "/all" && depth > 90', do: {reject: {status: 400}}}
tests:
  - {name: harmless, client: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}
  - {name: harmless too, client: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}
`

func watchingRules(t testing.TB) protocol.Rules {
	t.Helper()
	d, err := patch.Parse("t.yaml", []byte(watching))
	if err != nil {
		t.Fatal(err)
	}
	set, errs := patch.Compile([]*patch.Definition{d}, map[string]protocol.Schema{"http": http.Schema()}, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}

// posted is a request with a body, in chunks of that size if it is not 0.
func posted(path, media, body string, chunk int) string {
	head := "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Type: " + media + "\r\n"
	if chunk == 0 {
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	head += "Transfer-Encoding: chunked\r\n\r\n"
	for len(body) > 0 {
		n := min(chunk, len(body))
		head += fmt.Sprintf("%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return head + "0\r\n\r\n"
}

// through has a request go through a decoder in pieces of at most that size.
func through(t testing.TB, rules protocol.Rules, o http.Options, request string, piece int) *wiretest.Wire {
	w := wiretest.New(t, http.New(rules, protocol.Conn{}, o))
	for len(request) > 0 && w.End == session.Continue {
		n := min(piece, len(request))
		w.Client(request[:n])
		request = request[n:]
	}
	return w
}

const form = "application/x-www-form-urlencoded"

// A body that is too long to be held passes as it comes as long as it has none of
// the texts that rules need.
func TestLongBodyIsWatched(t *testing.T) {
	rules := watchingRules(t)
	long := strings.Repeat(`{"key":"value \u0041\n","n":[1,2,{}]},`, 100)
	pairs := strings.Repeat("a+b=%23&c=%%4&", 100)
	for _, tc := range []struct {
		name, path, media, body string
		passes                  bool
	}{
		{"harmless JSON", "/", "application/json", "[" + long + "1]", true},
		{"JSON where a rule may hold for any", "/all", "application/json", "[" + long + "1]", false},
		{"a key", "/", "application/json", "[" + long + `{"__proto__":1}]`, false},
		{"an escaped key", "/", "application/json", "[" + long + `{"\u005f_pr\u006Fto__":1}]`, false},
		{"part of a value", "/", "text/plain", "[" + long + `"a\u00fc\/xb"]`, false},
		{"half of it", "/", "text/plain", "[" + long + `"a\u00fc\/y"]`, true},
		{"case that is folded", "/", "application/json", "[" + long + `"\u0024{X"]`, false},
		{"a harmless form", "/", form, pairs, true},
		{"a key in a form", "/", form, pairs + "x%5b__proto%5f%5F%5d=1", false},
		{"a value in a form", "/", form, pairs + "x=a+b%26c", false},
		{"a text anywhere", "/", "image/png", long + "Evil", false},
		{"none", "/", "image/png", long + "Evi\x00l", true},
		{"an upload, of which rules ask for parts", "/", "multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\n" + long + "\r\n--B--\r\n", true},
	} {
		for _, chunk := range []int{0, 1000, 1} {
			for _, piece := range []int{1 << 20, 100, 1} {
				request := posted(tc.path, tc.media, tc.body, chunk)
				w := through(t, rules, http.Options{MaxBody: 1000}, request, piece)
				got := w.ToServer()
				if passed := got == request && w.End == session.Continue; passed != tc.passes {
					t.Errorf("%s, chunks of %d, pieces of %d: %d octets of %d, end %d, evidence %+v", tc.name, chunk, piece, len(got), len(request), w.End, w.Evidence())
				}
				if !strings.HasPrefix(request, got) || !tc.passes && (w.End != session.Reset || got == request) {
					t.Errorf("%s, chunks of %d, pieces of %d: the server got %q, end %d", tc.name, chunk, piece, got, w.End)
				}
				if tc.passes {
					continue
				}
				w = through(t, rules, http.Options{MaxBody: 1000, Exceed: protocol.ExceedPass}, request, piece)
				if got := w.ToServer(); got != request || len(w.Evidence()) != 1 {
					t.Errorf("%s, chunks of %d, pieces of %d, to pass: %d octets of %d, evidence %+v", tc.name, chunk, piece, len(got), len(request), w.Evidence())
				}
			}
		}
	}
}

// So does one with more values than are shown, which is held.
func TestManyValuesAreWatched(t *testing.T) {
	rules := watchingRules(t)
	many := "[" + strings.Repeat("0,", 40000)
	for body, passes := range map[string]bool{many + "1]": true, many + `"\u0024{"]`: false, many + `{"__proto__":1}]`: false, many + "0": true} {
		request := posted("/", "application/json", body, 0)
		w := through(t, rules, http.Options{}, request, len(request))
		if got := w.ToServer(); (got == request && w.End == session.Continue) != passes || !passes && (got != "" || w.End != session.Reset) {
			t.Errorf("behind 40,000 values, %q: %d octets of %d, end %d, evidence %+v", body[len(many):], len(got), len(request), w.End, w.Evidence())
		}
	}
}

// FuzzWatched: what the rules would correct of a body that is held does not pass
// when it is watched.
func FuzzWatched(f *testing.F) {
	rules := watchingRules(f)
	for i, s := range []string{`[{"a":2},{"__proto__":1}]`, `{"\u005f_proto__":"\ud83d\ude00"}`, `["\u00fc/x"]`, `["${x"]`, "x[__proto__]=1&a=%", "x=a+b%26c", "an evil text", `["\\u0024{", "\ud800\u0024{"]`} {
		f.Add([]byte(s), uint64(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		const limit = 4
		if len(body) <= limit {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		media := []string{"application/json", form, "text/plain"}[r.IntN(3)]
		request := posted("/", media, string(body), []int{0, 1 + r.IntN(9)}[r.IntN(2)])
		held := through(t, rules, http.Options{}, request, len(request))
		watched := through(t, rules, http.Options{MaxBody: limit}, request, 1+r.IntN(20))
		got := watched.ToServer()
		if !strings.HasPrefix(request, got) {
			t.Errorf("the server got %q of %q", got, request)
		}
		if held.ToServer() != request && (watched.End != session.Reset || got == request) {
			t.Errorf("held, %q is corrected, %+v; watched, the server got %q, end %d, %+v", request, held.Evidence(), got, watched.End, watched.Evidence())
		}
		if watched.End == session.Continue && got != request {
			t.Errorf("watched, %q passes as %q", request, got)
		}
	})
}

// BenchmarkWatched: JSON that is watched, in segments of 64 KB.
func BenchmarkWatched(b *testing.B) {
	rules := watchingRules(b)
	request := posted("/", "application/json", "["+strings.Repeat(`{"key":"value \u0041\n","n":[1,2,{}],"text":"`+strings.Repeat("plain text ", 50)+`"},`, 20000)+"1]", 0)
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		d := http.New(rules, protocol.Conn{}, http.Options{})
		for rest := []byte(request); len(rest) > 0; {
			shown := rest[:min(len(rest), 512<<10)]
			v := d.Inspect(session.ToServer, shown, false)
			rest = rest[min(int(v.Release), len(shown)):]
			if v.End != session.Continue || v.Release == 0 && len(shown) == len(rest) {
				b.Fatalf("%+v", v)
			}
		}
	}
}
