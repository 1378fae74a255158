package http

import (
	"fmt"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// pickRule corrects the elements of a kind whose first matching field has a value.
type pickRule struct {
	kind, field string
	value       any
	c           protocol.Correction
}

type pickRules []pickRule

func (r pickRules) Wants(kind string) bool {
	for i := range r {
		if r[i].kind == kind {
			return true
		}
	}
	return false
}

func (r pickRules) Match(m *protocol.Message) []protocol.Correction {
	var out []protocol.Correction
	for i := range m.Elements {
		for j := range r {
			e := &m.Elements[i]
			if e.Kind != r[j].kind || e.Span.Start < m.Told {
				continue
			}
			if f := e.Field(r[j].field); r[j].field == "" || f.Value == r[j].value {
				c := r[j].c
				c.Element, c.Definition, c.Rule = i, "T-1", j
				out = append(out, c)
			}
		}
	}
	return out
}

func pickOne(kind, field string, value any, a protocol.Action, c protocol.Correction) pickRules {
	c.Action = a
	return pickRules{{kind, field, value, c}}
}

func remove(kind, field string, value any) pickRules {
	return pickOne(kind, field, value, protocol.Remove, protocol.Correction{})
}

func to(kind, field string, value any, target, text string) pickRules {
	return pickOne(kind, field, value, protocol.Set, protocol.Correction{Field: target, Value: text})
}

func put(kind, field string, value any, before bool, fields ...[2]string) pickRules {
	return pickOne(kind, field, value, protocol.Insert, protocol.Correction{Insert: &protocol.Insertion{Before: before, Fields: fields}})
}

const (
	form = "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
	jsn  = "POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
	xmlp = "POST / HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s"
	mult = "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n%s"
	chun = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
)

func with(f, body string) string { return fmt.Sprintf(f, len(body), body) }

// elementTests are messages and what the server gets of them; want "" is the
// message as it came.
var elementTests = []struct {
	name  string
	rules pickRules
	b     string
	want  string
}{
	{"parameter removed", remove("request.parameter", "key", "a[__proto__]"), "GET /?a%5B__proto__%5D=b&c=1 HTTP/1.1\r\n\r\n", "GET /?c=1 HTTP/1.1\r\n\r\n"},
	{"last parameter removed", remove("request.parameter", "key", "c"), "GET /?a=b&c=1 HTTP/1.1\r\n\r\n", "GET /?a=b HTTP/1.1\r\n\r\n"},
	{"parameters removed among others", remove("request.parameter", "key", "x"), "GET /?x=1&a=b&x&x=2&c=1&x=3 HTTP/1.1\r\n\r\n", "GET /?a=b&c=1 HTTP/1.1\r\n\r\n"},
	{"all parameters removed", remove("request.parameter", "", nil), "GET /?a=b&c=1&d HTTP/1.1\r\n\r\n", "GET /? HTTP/1.1\r\n\r\n"},
	{"parameter set", to("request.parameter", "key", "a", "value", "x y&z=1"), "GET /?a&a=1 HTTP/1.1\r\n\r\n", "GET /?a=x%20y%26z=1&a=x%20y%26z=1 HTTP/1.1\r\n\r\n"},
	{"parameter raw refused", to("request.parameter", "key", "a", "raw", "a b"), "GET /?a=1 HTTP/1.1\r\n\r\n", ""},
	{"parameter inserted", put("request.parameter", "key", "a", false, [2]string{"key", "n w"}, [2]string{"value", "1"}), "GET /?a=1&b HTTP/1.1\r\n\r\n", "GET /?a=1&n%20w=1&b HTTP/1.1\r\n\r\n"},
	{"parameter moved to the end", pickOne("request.parameter", "key", "a", protocol.Move, protocol.Correction{}), "GET /?a=1&b=2&c HTTP/1.1\r\n\r\n", "GET /?b=2&c&a=1 HTTP/1.1\r\n\r\n"},
	{"parameter moved to the front", pickOne("request.parameter", "key", "c", protocol.Move, protocol.Correction{First: true}), "GET /?a=1&b=2&c HTTP/1.1\r\n\r\n", "GET /?c&a=1&b=2 HTTP/1.1\r\n\r\n"},
	{"segment removed", remove("request.segment", "value", ".."), "GET /a/%2e%2E/b HTTP/1.1\r\n\r\n", "GET /a/b HTTP/1.1\r\n\r\n"},
	{"segment set", to("request.segment", "index", int64(1), "value", "x/y"), "GET /a/b HTTP/1.1\r\n\r\n", "GET /a/x%2Fy HTTP/1.1\r\n\r\n"},
	{"cookie removed", remove("request.cookie", "key", "b"), "GET / HTTP/1.1\r\nCookie: a=1; b=2;c=3\r\n\r\n", "GET / HTTP/1.1\r\nCookie: a=1;c=3\r\n\r\n"},
	{"cookie set", to("request.cookie", "key", "b", "value", "x"), "GET / HTTP/1.1\r\nCookie: a=1; b=2\r\n\r\n", "GET / HTTP/1.1\r\nCookie: a=1; b=x\r\n\r\n"},
	{"cookie inserted", put("request.cookie", "key", "a", true, [2]string{"key", "n"}, [2]string{"value", "1"}), "GET / HTTP/1.1\r\nCookie: a=1\r\n\r\n", "GET / HTTP/1.1\r\nCookie: n=1; a=1\r\n\r\n"},
	{"header inserted", put("request.header", "name", "host", true, [2]string{"name", "X-N"}, [2]string{"value", "1"}), "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nX-N: 1\r\nHost: h\r\n\r\n"},
	{"header moved", pickOne("request.header", "name", "a", protocol.Move, protocol.Correction{}), "GET / HTTP/1.1\r\nA: 1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"},
	{"form pair removed", remove("request.form", "key", "a"), with(form, "a=1&b=2"), with(form, "b=2")},
	{"form pair set, chunked", to("request.form", "key", "b", "value", "+"), "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\na=1&b\r\n2\r\n=2\r\n0\r\nT: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na=1&b=%2B\r\n0\r\nT: 1\r\n\r\n"},
	{"no form", remove("request.form", "", nil), with(jsn, "a=1&b=2"), ""},
	{"JSON member removed", remove("request.json", "key", "b"), with(jsn, `{"a":1, "b" : {"b":[1,2]}, "c":3}`), with(jsn, `{"a":1, "c":3}`)},
	{"JSON item removed", remove("request.json", "path", "/0/a/1"), with(jsn, `[{"a":[1,2,3]}]`), with(jsn, `[{"a":[1,3]}]`)},
	{"JSON value set", to("request.json", "path", "/a/b", "value", `x"y`), with(jsn, `{"a":{"b":17}}`), with(jsn, `{"a":{"b":"x\"y"}}`)},
	{"JSON raw set", to("request.json", "key", "a", "raw", `[1]`), with(jsn, `{"\u0061":17}`), with(jsn, `{"\u0061":[1]}`)},
	{"JSON raw of a member without a value", to("request.json", "type", "missing", "raw", `]`), with(jsn, `{"a":}`), with(jsn, `{"a":]}`)},
	{"JSON raw refused", to("request.json", "key", "a", "raw", `[1`), with(jsn, `{"a":17}`), ""},
	{"JSON duplicate removed", remove("request.json", "duplicate", true), with(jsn, `{"a":1,"b":2,"a":3}`), with(jsn, `{"a":1,"b":2}`)},
	{"JSON member inserted", put("request.json", "key", "a", false, [2]string{"key", "n"}, [2]string{"raw", "true"}), with(jsn, `{"a":1}`), with(jsn, `{"a":1,"n":true}`)},
	{"JSON under another type", remove("request.json", "key", "a"), with(form, `{"a":1,"b":2}`), with(form, `{"b":2}`)},
	{"no JSON", remove("request.json", "", nil), with(form, `a={}`), ""},
	{"JSON document not removed", remove("request.document", "valid", false), with(jsn, `{"":}`), ""},
	{"part removed", remove("request.part", "key", "a"), with(mult, "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n--B--\r\n"),
		with(mult, "--B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n--B--\r\n")},
	{"part renamed", to("request.part", "filename", "x.txt", "filename", "y\"z"), with(mult, "--B\r\nContent-Disposition: form-data; name=a; filename=\"x.txt\"\r\n\r\n1\r\n--B--\r\n"),
		with(mult, "--B\r\nContent-Disposition: form-data; name=a; filename=\"y%22z\"\r\n\r\n1\r\n--B--\r\n")},
	{"part's value set", to("request.part", "index", int64(0), "value", "new"), with(mult, "--B\r\nA: b\r\n\r\n1\r\n--B--\r\n"), with(mult, "--B\r\nA: b\r\n\r\nnew\r\n--B--\r\n")},
	{"part's field removed", remove("request.part.header", "name", "a"), with(mult, "--B\r\nA: b\r\nC: d\r\n\r\n1\r\n--B--\r\n"), with(mult, "--B\r\nC: d\r\n\r\n1\r\n--B--\r\n")},
	{"XML attribute removed", remove("request.xml", "path", "/a/@x"), with(xmlp, `<a x="1" y="2"/>`), with(xmlp, `<a y="2"/>`)},
	{"XML doctype removed", remove("request.xml", "type", "doctype"), with(xmlp, `<!DOCTYPE a [<!ENTITY x SYSTEM "f">]><a>&x;</a>`), with(xmlp, `<a>&x;</a>`)},
	{"XML element named otherwise", to("request.xml", "path", "/a/b", "key", "c:d"), with(xmlp, `<a><b x="1"><b>t</b></b ><b2/></a>`), with(xmlp, `<a><c:d x="1"><b>t</b></c:d ><b2/></a>`)},
	{"XML element without content named otherwise", to("request.xml", "path", "/a/b", "key", "c"), with(xmlp, `<a><b x="1" /></a>`), with(xmlp, `<a><c x="1" /></a>`)},
	{"XML element without an end named otherwise", to("request.xml", "path", "/a", "key", "c"), with(xmlp, `<a><a></a>`), with(xmlp, `<c><a></a>`)},
	{"XML attribute named otherwise", to("request.xml", "path", "/a/@x", "key", "y"), with(xmlp, `<a x = "1"/>`), with(xmlp, `<a y = "1"/>`)},
	{"XML name that is none", to("request.xml", "path", "/a", "key", "b c"), with(xmlp, `<a></a>`), with(xmlp, `<a></a>`)},
	{"XML text set", to("request.xml", "type", "text", "value", "a<b"), with(xmlp, `<a>x&lt;</a>`), with(xmlp, `<a>a&lt;b</a>`)},
	{"chunk extension taken away", to("request.chunk", "extension", ";a=b", "extension", ""), chun + "1;a=b\r\nx\r\n1\r\ny\r\n0\r\n\r\n" + get, chun + "1\r\nx\r\n1\r\ny\r\n0\r\n\r\n" + get},
	{"chunk line mended", to("request.chunk", "lf", true, "line", "1"), chun + "1;a=b\nx\r\n0\r\n\r\n" + get, chun + "1\nx\r\n0\r\n\r\n" + get},
	{"trailer removed", remove("request.trailer", "name", "t"), chun + "1\r\nx\r\n0\r\nT: 1\r\nU: 2\r\n\r\n" + get, chun + "1\r\nx\r\n0\r\nU: 2\r\n\r\n" + get},
	{"trailer removed behind a body that is set", append(remove("request.trailer", "name", "t"), to("request.body", "", nil, "value", "yy")...),
		chun + "1;a\r\nx\r\n0\r\nT: 1\r\nU: 2\r\n\r\n" + get, chun + "2\r\nyy\r\n0\r\nU: 2\r\n\r\n" + get},
	{"extension and trailer of a held body", append(append(remove("request.trailer", "name", "t"), to("request.chunk", "extension", ";a", "extension", "")...), to("request.body", "value", "", "value", "yy")...),
		chun + "1;a\r\nx\r\n0\r\nT: 1\r\n\r\n" + get, chun + "1\r\nx\r\n0\r\n\r\n" + get},
	{"trailer removed with its folds", remove("request.trailer", "value", "evil 2"), chun + "1\r\nx\r\n0\r\nT:\r\n evil\r\n\t 2\r\nU: 2\r\n\r\n" + get, chun + "1\r\nx\r\n0\r\nU: 2\r\n\r\n" + get},
	{"folded trailer of a held body set", append(to("request.trailer", "folded", true, "value", "3"), to("request.body", "", nil, "value", "yy")...),
		chun + "1\r\nx\r\n0\r\nT: 1\r\n 2\r\n\r\n" + get, chun + "2\r\nyy\r\n0\r\nT: 3\r\n\r\n" + get},
	{"range removed", remove("request.range", "first", int64(5)), "GET / HTTP/1.1\r\nRange: bytes=0-1,  5-0 ,-9\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-1 ,-9\r\n\r\n"},
	{"last octets set, in the second field", to("request.range", "last", int64(9), "value", "0-9"), "GET / HTTP/1.1\r\nRange: bytes=0-1\r\nREQUEST-RANGE:0-3,, -9\r\n\r\n", "GET / HTTP/1.1\r\nRange: bytes=0-1\r\nREQUEST-RANGE:0-3,, 0-9\r\n\r\n"},
	{"range out of form left alone", remove("request.range", "valid", true), "GET / HTTP/1.1\r\nRange: bytes=a-b,-, 1\r\nRanges: bytes=0-1\r\n\r\n", ""},
	{"range not set to what is none", to("request.range", "first", int64(1), "value", "1-2,3-4"), "GET / HTTP/1.1\r\nRange: lines=1-\r\n\r\n", ""},
	{"Expect removed and answered", remove("request.header", "name", "expect"), "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"},
}

func TestElements(t *testing.T) {
	for _, tc := range elementTests {
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, tc.rules, Options{})
			play(w, []part{c(tc.b)}, split)
			want := tc.want
			if want == "" {
				want = tc.b
			}
			if got := w.toServer(); got != want || w.End != session.Continue {
				t.Errorf("%s, %s: end %d, got\n%q; want\n%q\nevidence %+v", tc.name, name, w.End, got, want, w.Log)
			}
		}
	}
}

// A fault is an element's or a variable's value before it is a policy's.
func TestRefusedInOwnWords(t *testing.T) {
	refuse := protocol.Correction{Reply: &protocol.Reply{Status: 400, Body: "bad"}}
	want := "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad"
	for _, tc := range []struct {
		name  string
		rules pickRules
		b     string
	}{
		{"folded length", pickOne("request.line", "", nil, protocol.Reject, refuse), "POST / HTTP/1.1\r\nX-A: b\r\n Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc"},
		{"lengths that differ", pickOne("request.line", "", nil, protocol.Reject, refuse), "POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\nabc"},
		{"long extension", pickOne("request.chunk", "fault", "chunk-long", protocol.Reject, refuse), chun + "3;a=" + strings.Repeat("A", 2048) + "\r\nabc\r\n0\r\n\r\n"},
		{"many extensions", pickOne("request.chunk", "extension_total", int64(9), protocol.Reject, refuse), chun + "1;a\r\nx\r\n1;bcd\r\ny\r\n1;ef\r\nz\r\n0\r\n\r\n"},
		{"long extension of a body that is held", append(pickOne("request.chunk", "fault", "chunk-long", protocol.Reject, refuse), to("request.body", "value", "never", "value", "y")...),
			chun + "3;a=" + strings.Repeat("A", 2048) + "\r\nabc\r\n0\r\n\r\n"},
		{"lone LF", pickOne("request.chunk", "lf", true, protocol.Reject, refuse), chun + "1;a\nx\r\n0\r\n\r\n"},
		{"no size", pickOne("request.chunk", "fault", "chunk-size", protocol.Reject, refuse), chun + "1\r\nx\r\n;a\r\nx\r\n0\r\n\r\n"},
	} {
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, tc.rules, Options{MaxHead: 2048})
			play(w, []part{c(tc.b)}, split)
			if got := w.toClient(); got != want || w.End != session.Close {
				t.Errorf("%s, %s: end %d, client gets %q; want %q; evidence %+v", tc.name, name, w.End, got, want, w.Log)
			}
		}
	}
}

// What becomes of a message that turns bad when its head is gone.
func TestLate(t *testing.T) {
	bad := chun + "1\r\nx\r\n1;bad\r\ny\r\n0\r\n\r\n"
	for _, tc := range []struct {
		late     protocol.Late
		toServer string
		toClient string
		end      session.End
	}{
		{protocol.LateClose, chun + "1\r\nx\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", session.Close},
		{protocol.LateReset, chun + "1\r\nx\r\n", "", session.Reset},
		{protocol.LateSpoil, chun + "1\r\nx\r\n!\r\n", "", session.Continue},
		{protocol.LatePass, bad, "", session.Continue},
	} {
		rules := pickOne("request.chunk", "extension", ";bad", protocol.Reject, protocol.Correction{Late: tc.late, Reply: &protocol.Reply{Status: 400}})
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, rules, Options{})
			play(w, []part{c(bad)}, split)
			if got := w.toServer(); got != tc.toServer || w.toClient() != tc.toClient || w.End != tc.end {
				t.Errorf("late %d, %s: end %d, server %q, client %q; want %d, %q, %q", tc.late, name, w.End, got, w.toClient(), tc.end, tc.toServer, tc.toClient)
			}
		}
	}
	rules := pickOne("request.chunk", "extension", ";bad", protocol.Reject, protocol.Correction{Reply: &protocol.Reply{Status: 400}})
	w := newWire(t, rules, Options{})
	play(w, []part{c(get + chun + "1\r\nx\r\n1;bad\r\ny\r\n0\r\n\r\n"), s(ok2)}, wholly)
	want := ok2 + "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	if got := w.toClient(); got != want || w.End != session.Close {
		t.Errorf("behind an earlier request: end %d, client %q; want %q", w.End, got, want)
	}
}

// holding rules want so many bytes held.
type holding struct {
	pickRules
	bytes int
}

func (h holding) Hold(kind string) int {
	if kind == "request.chunk" {
		return h.bytes
	}
	return 0
}

// A body is held as far as rules on its framing ask for, and followed from there.
func TestHoldForFraming(t *testing.T) {
	rules := pickOne("request.chunk", "extension", ";bad", protocol.Reject, protocol.Correction{Reply: &protocol.Reply{Status: 400}})
	bad := chun + "5\r\nabcde\r\n1;bad\r\ny\r\n0\r\n\r\n"
	for _, tc := range []struct {
		bytes    int
		toServer string
	}{{100, ""}, {2, chun + "5\r\nabcde\r\n"}, {0, chun + "5\r\nabcde\r\n"}} {
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, holding{rules, tc.bytes}, Options{})
			play(w, []part{c(bad)}, split)
			if got := w.toServer(); got != tc.toServer || !strings.HasPrefix(w.toClient(), "HTTP/1.1 400 ") {
				t.Errorf("hold %d, %s: server gets %q, client %q; want %q and a refusal", tc.bytes, name, got, w.toClient(), tc.toServer)
			}
		}
	}
	harmless := chun + strings.Repeat("5;x\r\nabcde\r\n", 20) + "0\r\n\r\n" + get
	w := newWire(t, holding{rules, 30}, Options{})
	play(w, []part{c(harmless)}, bytewise)
	if got := w.toServer(); got != harmless || w.End != session.Continue {
		t.Errorf("harmless: end %d, server gets %q; want %q", w.End, got, harmless)
	}
}

func TestSpoil(t *testing.T) {
	for _, tc := range []struct {
		rules    pickRules
		b, want  string
		refusing bool
	}{
		{pickOne("request.line", "", nil, protocol.Spoil, protocol.Correction{}), chun + "1\r\nx\r\n0\r\n\r\n", chun + "!\r\n", false},
		{append(pickOne("request.line", "", nil, protocol.Spoil, protocol.Correction{}), to("request.body", "", nil, "value", "y")...), chun + "1\r\nx\r\n0\r\n\r\n", chun + "!\r\n", false},
		{pickOne("request.line", "", nil, protocol.Spoil, protocol.Correction{}), get, get, true},
		// At a line of the framing what is in front of it stays, held or not.
		{pickOne("request.chunk", "lf", true, protocol.Spoil, protocol.Correction{}), chun + "1\r\nx\r\n1;a\ny\r\n0\r\n\r\n", chun + "1\r\nx\r\n!\r\n", false},
		{append(pickOne("request.chunk", "lf", true, protocol.Spoil, protocol.Correction{}), to("request.body", "value", "never", "value", "y")...), chun + "1\r\nx\r\n1;a\ny\r\n0\r\n\r\n", chun + "1\r\nx\r\n!\r\n", false},
		{append(pickOne("request.chunk", "lf", true, protocol.Spoil, protocol.Correction{}), to("request.body", "", nil, "value", "yy")...), chun + "1\r\nx\r\n1;a\ny\r\n0\r\n\r\n", chun + "!\r\n", false},
	} {
		w := newWire(t, tc.rules, Options{})
		play(w, []part{c(tc.b)}, bytewise)
		if got := w.toServer(); got != tc.want {
			t.Errorf("%q: server gets %q; want %q", tc.b, got, tc.want)
		}
		if log := w.Log[session.ToServer]; strings.HasPrefix(log[0].Note, "refused") != tc.refusing {
			t.Errorf("%q: evidence %+v", tc.b, log)
		}
	}
}

// One 100 (Continue) reaches the client, whoever says it.
func TestContinueOnce(t *testing.T) {
	const cont = "HTTP/1.1 100 Continue\r\n\r\n"
	b := "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
	for _, rules := range []pickRules{
		remove("request.header", "name", "expect"), to("request.body", "", nil, "value", "y"),
		pickOne("request.line", "", nil, protocol.Interim, protocol.Correction{Reply: &protocol.Reply{Status: 100}}),
	} {
		w := newWire(t, rules, Options{})
		play(w, []part{c(b), c("x"), s(cont + ok2)}, wholly)
		if got, want := w.toClient(), cont+ok2; got != want {
			t.Errorf("%s: client gets %q; want %q", rules[0].kind, got, want)
		}
	}
}
