package patch

import (
	"maps"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// bodySchema is testSchema with elements that come behind the head.
func bodySchema() protocol.Schema {
	s := testSchema
	s.Elements, s.Vars = maps.Clone(s.Elements), maps.Clone(s.Vars)
	for dir, kind := range []string{"request.body", "response.body"} {
		s.Elements[kind] = protocol.ElementType{Doc: "body", Dir: session.Direction(dir), Fields: map[string]protocol.FieldType{
			"value": {Type: protocol.String}, "size": {Type: protocol.Int}}}
		s.Vars[kind] = protocol.Var{Type: protocol.String, Dir: session.Direction(dir)}
	}
	return s
}

func TestWantsOf(t *testing.T) {
	for _, tc := range []struct {
		rule string
		kind string
		want map[string]bool // by path
	}{
		{`{at: request.body, when: 'value.contains("evil")', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": true}},
		{`{at: request.body, do: reset}`, "request.body", map[string]bool{"/a": true}},
		{`{at: request.body, when: 'request.path == "/a" && value.contains("evil")', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: request.body, when: 'cel.bind(here, request.path == "/a", here && value.contains("evil"))', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: request.body, when: 'cel.bind(evil, value.contains("evil"), evil && request.path == "/a")', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: request.body, when: 'cel.bind(evil, value.contains("evil") && request.path == "/a", evil)', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: request.body, when: 'value.contains("evil") && request.path.startsWith("/a")', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: request.body, when: 'size > 3 || request.path == "/a"', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": true}},
		{`{at: request.body, when: 'request.headers.first("x") == "1" && size > 3', do: reset}`, "request.body", map[string]bool{"/a": false, "/x": true}},
		{`{at: request.body, when: 'request.headers["y"][0] == "1" && size > 3', do: reset}`, "request.body", map[string]bool{"/a": true}},
		{`{at: request.body, when: 'request.path == "/b" && rate("n", "k", 10) > 3', do: reset}`, "request.body", map[string]bool{"/a": false, "/b": true}},
		{`{at: request.line, when: 'request.path == "/a" && request.body == "x"', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: request.body, when: 'request.path == "/a" && request.body.contains("xyz")', do: reset}`, "request.body", map[string]bool{"/a": true, "/b": false}},
		{`{at: response.body, when: 'response.status == 301 && value != ""', do: reset}`, "response.body", map[string]bool{"/a": true, "/302": false}},
		{`{at: response.header, when: 'response.status == 200 && request.body == ""', do: reset}`, "request.body", map[string]bool{"/a": true}},
	} {
		d := mustParse(t, "WP-2099-1", "  - "+tc.rule+"\n")
		s, errs := compileAt([]*Definition{d}, map[string]protocol.Schema{"http": bodySchema()}, nil, func() time.Time { return TestTime })
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		for path, want := range tc.want {
			m := request("GET", path)
			lookup := m.Lookup
			m.Lookup = func(name string) (any, bool) {
				switch {
				case name == "response.status" && tc.kind == "response.body":
					return map[string]int64{"/a": 301, "/302": 302}[path], true
				case name == "request.headers" && path == "/x":
					return map[string][]string{"x": {"1"}}, true
				}
				return lookup(name)
			}
			for name, r := range map[string]protocol.Narrower{"set": s, "view": s.For("web").(protocol.Narrower)} {
				if got := r.WantsOf(m, tc.kind); got != want {
					t.Errorf("%s: %s of %s wanted by the %s: %t; want %t", tc.rule, tc.kind, path, name, got, want)
				}
			}
			if s.WantsOf(m, "request.trailer") {
				t.Errorf("%s: trailers are wanted", tc.rule)
			}
		}
	}
}
