package patch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/session"
)

var decoders = map[string]patch.Decoder{"http": {
	Schema: http.Schema(),
	New: func(r protocol.Rules, c protocol.Conn) session.Inspector {
		return http.New(r, c, http.Options{})
	},
}}

const good = `id: WP-2099-1
revision: 3
title: t
vulnerabilities: [CVE-2099-1]
product: {name: p, affected: ["<1.0"]}
behaviour: b
sources: ["https://example.org/a"]
protocol: http
proof: vectors only
rules:
  - at: request.header
    when: name == "x-bad"
    do: {remove: element}
tests:
  - name: trigger
    client: "GET / HTTP/1.1\r\nHost: a\r\nX-Bad: 1\r\n\r\n"
    server: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  - name: harmless
    client: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
`

// A definition whose tests do not hold is told so, and why.
func TestTestFinds(t *testing.T) {
	const line = `    client: "GET / HTTP/1.1\r\nHost: a\r\nX-Bad: 1\r\n\r\n"` + "\n"
	tests := []struct{ name, old, with, want string }{
		{"sound", "", "", ""},
		{"other bytes", `server: "GET / HTTP/1.1\r\nHost: a`, `server: "GET / HTTP/1.1\r\nHost: b`, `test "trigger", whole: the server got other bytes from offset 22`},
		{"nothing corrected", `x-bad`, `x-worse`, `the server got other bytes`},
		{"a rule that no test needs", "tests:\n", "  - {at: request.header, when: name == \"x\", do: reset}\ntests:\n", `t.yaml:14:5: rule 1 corrects nothing in any test`},
		{"no neighbour", "  - name: harmless\n    client: \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"", "  - name: again\n" + line + `    server: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"`, `2 tests trigger and 0 are harmless`},
		{"the neighbour is hurt", `name == "x-bad"`, `name in ["x-bad", "host"]`, `test "trigger"`},
		{"wrong end", "  - name: harmless", "    ends: reset\n  - name: harmless", `the session ended "open"; want "reset"`},
		{"wrong count", "  - name: harmless", "    corrections: 2\n  - name: harmless", `1 corrections were reported; want 2`},
		{"unknown in a test", `Host: a\r\nX-Bad`, `Host: ${host}\r\nX-Bad`, `undeclared reference to 'host'`},
		{"a condition that fails", `name == "x-bad"`, `name == "x-bad" && request.headers["none"][0] == "1"`, `(told: rule 0 at request.header: no such key: none)`},
		{"all that differs", "  - name: harmless\n", "    ends: close\n    client_gets: a\n  - name: harmless\n", `the client got other bytes from offset 0 on: …""; want …"a"; the session ended "open"; want "close"`},
		{"half a body", "  - name: harmless\n    client: \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"", "  - name: harmless\n    client: \"POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 9\\r\\n\\r\\nabc\"", `test "harmless": the body of a request is 6 octets shorter`},
		{"message that does not end", `client: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"`, `client: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"`, `(told: cannot be inspected: Content-Length is not a number; the session was reset)`},
	}
	for _, tt := range tests {
		d, err := patch.Parse("t.yaml", []byte(strings.Replace(good, tt.old, tt.with, 1)))
		if err != nil {
			t.Errorf("%s: Parse: %v", tt.name, err)
			continue
		}
		failures := patch.Test(d, decoders["http"])
		switch {
		case tt.want == "" && len(failures) > 0:
			t.Errorf("%s: Test = %v; want no failure", tt.name, failures)
		case tt.want != "" && (len(failures) == 0 || !strings.Contains(failures[0].Error(), tt.want)):
			t.Errorf("%s: Test = %v; want a failure with %q", tt.name, failures, tt.want)
		}
	}
}

// Load sets faulty definitions aside, each with its reason, and uses the rest.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(id, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, id), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, id, patch.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	as := func(id, old, with string) {
		t.Helper()
		write(id, strings.Replace(strings.Replace(good, "WP-2099-1", id, 1), old, with, 1))
	}
	as("WP-2099-1", "", "")
	as("WP-2099-2", "title: t", "title: [t]")
	as("WP-2099-3", "x-bad", "x-worse")
	as("WP-2099-4", "protocol: http", "protocol: gopher")
	write("WP-2099-5", good)
	as("WP-2099-6", "", "")
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	set, errs := patch.Load(dir, decoders, map[string]string{"WP-2099-6": patch.Off})
	if len(errs) != 4 {
		t.Errorf("Load reports %d errors: %v; want 4", len(errs), errs)
	}
	want := map[string]string{
		"WP-2099-1": "", "WP-2099-2": "title: found a list; want text", "WP-2099-3": "the server got other bytes",
		"WP-2099-4": `no decoder for "gopher"`, "WP-2099-5": `the folder is "WP-2099-5"`, "WP-2099-6": "",
	}
	for _, d := range set.Definitions() {
		reason, ok := want[d.ID]
		if !ok || (reason == "") != (d.Error == "") || !strings.Contains(d.Error, reason) {
			t.Errorf("Definitions has %s with error %q; want %q", d.ID, d.Error, reason)
		}
		delete(want, d.ID)
	}
	if len(want) > 0 {
		t.Errorf("Definitions lacks %v", want)
	}
	if !set.Wants("request.header") || set.Wants("request.body") {
		t.Error("Wants says other than that only request.header is wanted")
	}
}

func TestLoadOfNothing(t *testing.T) {
	set, errs := patch.Load(filepath.Join(t.TempDir(), "absent"), decoders, nil)
	if len(errs) > 0 || len(set.Definitions()) > 0 || set.Wants("request.header") {
		t.Errorf("Load of an absent folder = %v, %v; want an empty set", set, errs)
	}
}
