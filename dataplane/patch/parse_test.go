package patch

import (
	"strings"
	"testing"
)

// Every fault is told with its place and with what was expected.
func TestParseFaults(t *testing.T) {
	rule := `  - {at: request.header, when: name == "a", do: reset}` + "\n"
	tests := []struct{ name, file, want string }{
		{"unknown key", head + rule + "colour: red\n", `t.yaml:15:1: definition: unknown key "colour"; want one of id`},
		{"unknown key of a rule", head + "  - at: a\n    whne: b\n    do: reset\n", `t.yaml:15:5: rule: unknown key "whne"; want one of at, when, hold, else, do`},
		{"missing key", strings.Replace(head, "title: t\n", "", 1) + rule, `t.yaml:1:5: definition: key "title" is missing`},
		{"double key", head + rule + "title: u\n", `t.yaml:15:1`},
		{"two actions", head + "  - at: a\n    do: {remove: element, set: {field: a, to: b}}\n", `t.yaml:15:9: do: found 2 actions; want exactly one of remove`},
		{"no action of ours", head + "  - at: a\n    do: explode\n", `t.yaml:15:9: do: found "explode"; want drop, reset, report`},
		{"number for text", strings.Replace(head, "title: t", "title: 12", 1) + rule, `t.yaml:3:8: title: found a number; want text`},
		{"text for a number", strings.Replace(head, "revision: 1", "revision: one", 1) + rule, `t.yaml:2:11: revision: found "one"; want a whole number from 1`},
		{"bad id", strings.Replace(head, "id: WP-2099-1", "id: x", 1) + rule, `t.yaml:1:5: id: found "x"; want for instance WP-2025-29927`},
		{"raw and status", head + "  - at: a\n    do: {reject: {status: 403, raw: x}}\n", `reject: want either raw, or status`},
		{"framing", head + "  - at: a\n    do: {reject: {status: 403, framing: x}}\n", `reject.framing: found "x"; want one of length, chunked, close`},
		{"framing of a reply", head + "  - at: a\n    do: {reply: {status: 100, framing: close}}\n", `reply: `},
		{"header in quotes", head + "  - at: a\n    do: {reject: {status: 403, headers: [\"X: y\"]}}\n", `reject.headers: found text; want NAME: TEXT, without quotes`},
		{"a colon and a blank", head + "  - at: a\n    when: value.contains(\"a: b\")\n    do: reset\n", `a value with a colon and a blank needs quotes`},
		{"alias", head + rule + "limits: &a [x]\n", `limits: found an anchor, alias or tag`},
		{"no YAML", "a: [\n", `t.yaml:1:4`},
		{"two documents", head + rule + "---\n" + head + rule, `found 2 YAML documents; want one`},
		{"empty", "", `found 0 YAML documents`},
		{"one test", strings.Replace(head, "  - {name: b, client: a}\n", "", 1) + rule, `tests: found 1; want 2 to`},
	}
	for _, tt := range tests {
		_, err := Parse("t.yaml", []byte(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Parse = %v; want an error with %q", tt.name, err, tt.want)
		}
	}
}

// Faults that only the schema tells carry their place within the file, too.
func TestCompileFaults(t *testing.T) {
	tests := []struct{ name, rules, want string }{
		{"unknown element", "  - {at: request.foot, do: reset}", `t.yaml:14:10: at: protocol http has no element "request.foot"; want one of request.end, request.header, request.line, response.header`},
		{"unknown variable", "  - {at: request.header, when: name == valeu, do: reset}", `t.yaml:14:40: undeclared reference to 'valeu'`},
		{"unknown variable in a block", "  - at: request.header\n    when: |-\n      name == \"a\" &&\n      valeu == \"b\"\n    do: reset", `want one of index, name, request.headers, request.path, value, element.count, `},
		{"not a condition", "  - {at: request.header, when: name, do: reset}", `t.yaml:14:32: expression has type string; want bool`},
		{"wrong types", "  - {at: request.header, when: name == 1, do: reset}", `found no matching overload`},
		{"name with capitals", "  - {at: request.header, when: name == 'Host', do: reset}", `name is in lower case, so it is never "Host"; want "host"`},
		{"names with capitals", "  - {at: request.header, when: 'name in [\"a\", \"B\"]', do: reset}", `never "B"; want "b"`},
		{"too early", "  - {at: request.header, when: response.status == 1, do: reset}", `response.status is not known when request.header is decided`},
		{"not settable", "  - {at: request.header, do: {set: {field: name, to: x}}}", `field: "name" of request.header cannot be changed; want one of value`},
		{"bad pattern", "  - {at: request.header, do: {replace: {field: value, pattern: '(', with: x}}}", `t.yaml:14:65: pattern: error parsing regexp`},
		{"nothing settable", "  - {at: request.end, do: {set: {field: size, to: x}}}", `field: nothing of request.end can be changed`},
		{"held in vain", "  - {at: request.line, hold: 9, do: reset}", `hold: nothing more is held for a rule at request.line; want it at one of request.header`},
		{"a request without its answer", "  - {at: request.header, do: drop}", `t.yaml:14:30: drop: the client would take the next answer for this one`},
		{"no prefix", "  - {at: request.header, when: 'addressIn(value, \"10.0.0.0/\")', do: reset}", `addressIn: found "10.0.0.0/"; want an address or a prefix`},
		{"bad pattern of a function", "  - {at: request.header, when: 'regex.replace(value, \"(\", \"\") == \"a\"', do: reset}", `regex.replace: error parsing regexp`},
		{"no function", "  - {at: request.header, when: 'value.split(\",\").sort() == []', do: reset}", `undeclared reference to 'sort'; want one of index, name,`},
		{"open template", "  - {at: request.header, do: {set: {field: value, to: 'a${b'}}}", `${ has no closing brace`},
		{"template of no text", "  - {at: request.header, do: {set: {field: value, to: '${request.headers}'}}}", `want string or int or bool`},
	}
	for _, tt := range tests {
		set, errs := Compile([]*Definition{mustParse(t, "WP-2099-1", tt.rules)}, testSchemas, nil)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("%s: Compile = %v; want an error with %q", tt.name, errs, tt.want)
			continue
		}
		if d := set.Definitions()[0]; d.Error == "" {
			t.Errorf("%s: Definitions()[0].Error is empty; want the reason", tt.name)
		}
		if got := set.Match(request("GET", "/", "a", "b")); got != nil {
			t.Errorf("%s: a definition with a fault matches: %v", tt.name, got)
		}
	}
}

// One definition with a fault does not take the others down.
func TestCompileSetsAside(t *testing.T) {
	good := mustParse(t, "WP-2099-1", "  - {at: request.header, when: name == \"a\", do: reset}")
	bad := mustParse(t, "WP-2099-2", "  - {at: request.header, when: name, do: reset}")
	twice := mustParse(t, "WP-2099-1", "  - {at: request.header, when: name == \"b\", do: reset}")
	set, errs := Compile([]*Definition{bad, good, twice}, testSchemas, nil)
	if len(errs) != 2 {
		t.Errorf("Compile reports %v; want two errors", errs)
	}
	if got := set.Match(request("GET", "/", "A", "b")); len(got) != 1 {
		t.Errorf("Match = %v; want the good definition's correction", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + `  - {at: request.header, when: name == "a", do: {set: {field: value, to: "a${name}$${"}}}`))
	f.Add([]byte(head + "  - at: request.line\n    when: |\n      path == \"a\" && [1].all(x, x > 0)\n    do: {reject: {raw: \"HTTP/1.1 403 x\\r\\n\\r\\n\", close: true}}"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? ? ? a\n"))
	f.Add([]byte(strings.Repeat("[", 300)))
	f.Add([]byte(strings.Repeat("- ", 3000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse("f.yaml", b)
		if err != nil || len(b) > 4<<10 {
			return
		}
		set, _ := Compile([]*Definition{d}, testSchemas, nil)
		set.Match(harmless)
		for i := range d.Tests {
			_, _ = fillVector(&d.Tests[i])
		}
	})
}

func FuzzParseProtocol(f *testing.F) {
	f.Add([]byte("protocol: a1\ntitle: t\nlines: {client: {follows: [{line: '^(a)$', octets: 1, plus: 2}, {line: b, until: \".\"}]}, server: {alone: x}}\n"))
	f.Add([]byte("protocol: a1\ntitle: t\nbegins: {client: [a, {hex: \"80 00\"}], server: [b]}\nlines: {}\n"))
	f.Add([]byte("protocol: a1\ntitle: t\nover: [udp]\nbinary:\n  client: {fields: [{name: n, number: 2}, {name: g, repeat: n, fields: [{name: x, octets: n, when: {n: [1]}}]}]}\n  server: {fields: [{name: r, rest: true}]}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseProtocol("f.yaml", b)
		if err == nil {
			d.Schema()
		}
	})
}

func TestProtocolFaults(t *testing.T) {
	binary := func(client string) string {
		return "protocol: ab\ntitle: t\nbinary:\n  client: {length: {field: n}, fields: " + client + "}\n  server: {length: {field: n}, fields: [{name: n, number: 1}]}\n"
	}
	for _, tt := range []struct{ file, want string }{
		{"protocol: ab\ntitle: t\n", "t.yaml:1:9: description: want either lines or binary"},
		{"protocol: ab\ntitle: t\nlines: {client: {follows: [{line: 'a', octets: 1}]}}", "lines.client.follows: the pattern has 0 groups"},
		{"protocol: ab\ntitle: t\nlines: {client: {follows: [{line: '('}]}}", "lines.client.follows.line: error parsing regexp"},
		{"protocol: ab\ntitle: t\nbegins: {client: [{hex: 8x}]}\nlines: {}", `t.yaml:3:25: begins.client: found "8x"; want octets in hexadecimal`},
		{"protocol: ab\ntitle: t\nbegins: {client: []}\nlines: {}", `begins.client: found 0; want 1 to 32 texts`},
		{"protocol: ab\ntitle: t\nover: [udp]\nlines: {}", "lines go over tcp alone"},
		{binary("[{name: m, number: 1}]"), `t.yaml:4:20: binary.client.length: there is no number "n"`},
		{binary("[{name: t, until: 0}, {name: n, number: 1}]"), `"n" stands behind "t", which has no fixed size`},
		{binary("[{name: n, number: 9}]"), `number: found "9"; want a whole number from 1 to 8`},
		{binary("[{name: n, number: 1}, {name: t, octets: m}]"), `octets: "m" is no number in front of it; want one of n`},
		{binary("[{name: n, number: 1}, {name: r, rest: true}, {name: s, rest: true}]"), `"r" takes all that is left; want it last`},
		{binary("[{name: n, number: 1, octets: 2}]"), `want exactly one of number, octets, until, rest, repeat`},
		{binary("[{name: n, number: 1}, {name: size, number: 1}]"), `name "size" is taken`},
	} {
		_, err := ParseProtocol("t.yaml", []byte(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseProtocol(%q) = %v; want an error with %q", tt.file, err, tt.want)
		}
	}
}
