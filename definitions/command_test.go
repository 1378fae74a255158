package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What "new" writes is a definition that passes "test"; a second one does not
// overwrite it; "check" says faults with their place; "explain" shows the bytes.
func TestCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	must := func(want string, args ...string) {
		t.Helper()
		var out strings.Builder
		if err := run(args, &out); err != nil {
			t.Fatalf("run(%q) = %v\n%s", args, err, &out)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("run(%q) says\n%s\nwant it to say %q", args, &out, want)
		}
	}
	must("written", "new", "WP-2099-1")
	file := filepath.Join(folder, "WP-2099-1", "patch.yaml")
	must("ok    WP-2099-1 revision 1, 1 rules, 2 tests", "test")
	must("ok    WP-2099-1", "check", file)
	if err := run([]string{"new", "WP-2099-1"}, new(strings.Builder)); err == nil {
		t.Error("new over an existing definition succeeds; want an error")
	}
	if err := os.WriteFile("req", []byte("GET / HTTP/1.1\r\nHost: a\r\nX-Example: a trigger\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(`before "X-Example: a trigger\r\n"`, "explain", file, "--request", "req")

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(b), "when: name", "when: nam", 1)
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run([]string{"check", folder}, &out); !errors.Is(err, errFound) {
		t.Errorf("check of a broken definition = %v; want %v", err, errFound)
	}
	if want := file + ":21:11: undeclared reference to 'nam'"; !strings.Contains(out.String(), want) {
		t.Errorf("check says\n%s\nwant it to say %q", &out, want)
	}
}
