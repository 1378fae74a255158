package http

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func TestEvidence(t *testing.T) {
	base := session.Evidence{Definition: "T-1", Mode: "correct"}
	with := func(change func(*session.Evidence)) session.Evidence {
		e := base
		change(&e)
		return e
	}
	for _, tc := range []struct {
		name string
		rule rule
		b    string
		want session.Evidence
	}{
		{"remove", removeX, "GET / HTTP/1.1\r\nX-Bad: 1\r\n\r\n", with(func(e *session.Evidence) {
			e.Action, e.Element, e.Before = "remove", "request.header", []byte("X-Bad: 1\r\n")
		})},
		{"cut", when("request.header", "X-A", protocol.Set, protocol.Correction{Field: "value", Value: "1", Name: "cut"}),
			"GET / HTTP/1.1\r\nX-A: 123\r\n\r\n", with(func(e *session.Evidence) {
				e.Action, e.Element, e.Before, e.After = "cut", "request.header", []byte("X-A: 123\r\n"), []byte("X-A: 1\r\n")
			})},
		{"shadow reject", when("request.line", "/bad", protocol.Reject, protocol.Correction{Shadow: true, Reply: &protocol.Reply{Status: 403}}),
			bad, with(func(e *session.Evidence) {
				e.Mode, e.Action, e.Element = "shadow", "reject", "request.line"
				e.Before, e.After = []byte("GET /bad HTTP/1.1\r\n"), []byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			})},
		{"refused", when("request.header", "X-A", protocol.Set, set("value", "a\nb")),
			"GET / HTTP/1.1\r\nX-A: 1\r\n\r\n", with(func(e *session.Evidence) {
				e.Action, e.Element, e.Before = "set", "request.header", []byte("X-A: 1\r\n")
				e.Note = "refused: a value must not hold CR, LF or NUL"
			})},
		{"bounded", when("request.header", "X-A", protocol.Report, protocol.Correction{}),
			"GET / HTTP/1.1\r\nX-A: " + strings.Repeat("y", 9000) + "\r\n\r\n", with(func(e *session.Evidence) {
				e.Action, e.Element = "report", "request.header"
				e.Before = []byte(("X-A: " + strings.Repeat("y", 9000))[:session.EvidenceLimit])
			})},
		{"body", when("request.body", "evil", protocol.Set, set("value", "ok")),
			"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nevil", with(func(e *session.Evidence) {
				e.Action, e.Element, e.Before, e.After = "set", "request.body", []byte("evil"), []byte("ok")
			})},
	} {
		w := newWire(t, ruleSet{tc.rule}, Options{})
		w.feed(session.ToServer, tc.b, false)
		if diff := cmp.Diff([]session.Evidence{tc.want}, w.Log[session.ToServer]); diff != "" {
			t.Errorf("%s: evidence (-want +got):\n%s", tc.name, diff)
		}
	}
}

// witness notes what the rules are shown.
type witness struct {
	kinds []string
	seen  func(m *protocol.Message)
}

func (w witness) Wants(kind string) bool {
	for _, k := range w.kinds {
		if k == kind {
			return true
		}
	}
	return len(w.kinds) == 0
}

func (w witness) Match(m *protocol.Message) []protocol.Correction {
	w.seen(m)
	return nil
}

func TestVariables(t *testing.T) {
	var got []map[string]any
	look := witness{seen: func(m *protocol.Message) {
		vars := map[string]any{}
		for name := range Schema().Vars {
			if x, ok := m.Lookup(name); ok {
				vars[name] = x
			}
		}
		got = append(got, vars)
	}}
	w := newWire(t, look, Options{})
	w.feed(session.ToServer, "POST /p?q=1 HTTP/1.1\r\nA: 1\r\na: 2\r\nContent-Length: 4\r\n\r\nbody", false)
	w.feed(session.ToClient, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", false)
	request := map[string]any{
		"client.address": "10.77.0.1", "client.port": int64(40000), "server.address": "10.77.0.2", "server.port": int64(80),
		"date": "Tue, 04 Mar 2025 05:06:07 GMT", "request.method": "POST", "request.target": "/p?q=1",
		"request.path": "/p", "request.query": "q=1", "request.version": "HTTP/1.1", "request.body": "body", "request.coding": "",
		"request.headers":      map[string][]string{"a": {"1", "2"}, "content-length": {"4"}},
		"request.lines":        map[string][]string{"a": {"A: 1\r\n", "a: 2\r\n"}, "content-length": {"Content-Length: 4\r\n"}},
		"request.content_type": "", "request.framing": "length", "request.fault": "", "request.decoded": "/p",
		"request.header_count": int64(3), "request.head_size": int64(55),
		"request.parameters": map[string][]string{"q": {"1"}}, "request.cookies": map[string][]string{},
	}
	response := map[string]any{"response.status": int64(404), "response.reason": "Not Found", "response.body": "no",
		"response.lines":   map[string][]string{"content-length": {"Content-Length: 2\r\n"}},
		"response.headers": map[string][]string{"content-length": {"2"}}, "response.content_type": "",
		"response.framing": "length", "response.fault": "", "response.header_count": int64(1), "response.head_size": int64(45)}
	for k, v := range request {
		response[k] = v
	}
	if diff := cmp.Diff([]map[string]any{request, response}, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

// What is published is what the schema says.
func TestElementsMatchSchema(t *testing.T) {
	schema := Schema()
	seen := map[string]bool{}
	look := witness{seen: func(m *protocol.Message) {
		for _, e := range m.Elements {
			seen[e.Kind] = true
			typ := schema.Elements[e.Kind]
			if typ.Dir != m.Dir || len(typ.Fields) != len(e.Fields) {
				t.Errorf("%s: direction %s, %d fields; schema says %s, %d", e.Kind, m.Dir, len(e.Fields), typ.Dir, len(typ.Fields))
			}
			for _, f := range e.Fields {
				_, isInt := f.Value.(int64)
				_, isBool := f.Value.(bool)
				if ft, ok := typ.Fields[f.Name]; !ok || (ft.Type == protocol.Int) != isInt || (ft.Type == protocol.Bool) != isBool {
					t.Errorf("%s.%s = %v is not in the schema so", e.Kind, f.Name, f.Value)
				}
			}
		}
	}}
	w := newWire(t, look, Options{})
	post := "POST /p?a=1 HTTP/1.1\r\nCookie: a=1\r\nRange: bytes=0-1\r\nContent-Type: "
	for _, body := range []string{
		"application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\nT: 1\r\n\r\n",
		"application/json\r\nContent-Length: 2\r\n\r\n{}", "text/xml\r\nContent-Length: 4\r\n\r\n<a/>",
		"multipart/form-data; boundary=B\r\nContent-Length: 21\r\n\r\n--B\r\nA: b\r\n\r\n1\r\n--B--",
	} {
		w.feed(session.ToServer, post+body, false)
	}
	answer := "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Secure\r\n"
	w.feed(session.ToClient, answer+"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nT: 1\r\n\r\n", false)
	w.feed(session.ToClient, answer+"Content-Length: 4\r\n\r\n<a/>", false)
	if len(seen) != len(schema.Elements) {
		t.Errorf("published %v; want all of %d kinds", seen, len(schema.Elements))
	}
}

func TestMakeReply(t *testing.T) {
	for _, tc := range []struct {
		r         protocol.Reply
		head, end bool
		want      string
	}{
		{protocol.Reply{Status: 404}, false, false, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
		{protocol.Reply{Status: 404, Reason: "Nope", Body: "x"}, true, true, "HTTP/1.1 404 Nope\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"},
		{protocol.Reply{Status: 204, Body: "x"}, false, false, "HTTP/1.1 204 No Content\r\n\r\n"},
		{protocol.Reply{Status: 400, Body: "xy", Headers: [][2]string{{"content-length", "9"}, {"Transfer-Encoding", "chunked"}, {"A", "b\r\nC: d"}, {"Connection", "close"}}},
			false, true, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 2\r\n\r\nxy"},
		{protocol.Reply{Raw: "HTTP/1.1 418 Hm\r\nContent-Length: 1\r\n\r\nx"}, true, false, "HTTP/1.1 418 Hm\r\nContent-Length: 1\r\n\r\n"},
		{protocol.Reply{Status: 400, Version: "HTTP/1.0", Body: "x"}, false, false, "HTTP/1.0 400 Bad Request\r\nContent-Length: 1\r\n\r\nx"},
		{protocol.Reply{Status: 400, Version: "HTTP/2", Body: "x"}, false, false, "HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\nx"},
		{protocol.Reply{Status: 400, Framing: "close", Headers: [][2]string{{"Content-Length", "1"}, {"A", "b"}}, Body: "x"}, false, true,
			"HTTP/1.1 400 Bad Request\r\nA: b\r\nConnection: close\r\n\r\nx"},
		{protocol.Reply{Status: 400, Framing: "chunked", Headers: [][2]string{{"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}, {"A", "b"}}, Body: "0123456789"}, false, false,
			"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"},
		{protocol.Reply{Status: 400, Framing: "chunked"}, false, false, "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{protocol.Reply{Status: 400, Framing: "chunked", Body: "x"}, true, false, "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{protocol.Reply{Status: 400, Framing: "chunked", Version: "HTTP/1.0", Body: "x"}, false, true, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nx"},
		{protocol.Reply{Status: 204, Framing: "chunked", Body: "x"}, false, false, "HTTP/1.1 204 No Content\r\n\r\n"},
	} {
		if got, _ := makeReply(&tc.r, tc.head, tc.end); string(got) != tc.want {
			t.Errorf("makeReply(%+v, %t, %t) = %q; want %q", tc.r, tc.head, tc.end, got, tc.want)
		}
	}
}
