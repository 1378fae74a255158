package patch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
)

// An appliance that has seen definitions pass does not test them again, until
// something changes that a test may hang on.
func TestMemory(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "state", "tested")
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	define := func(n int, text string) {
		t.Helper()
		id := fmt.Sprintf("WP-2099-%d", n)
		write(id+"/patch.yaml", strings.Replace(text, "WP-2099-1", id, 1))
	}
	failing := strings.Replace(good, `server: "GET / HTTP/1.1\r\nHost: a`, `server: "GET / HTTP/1.1\r\nHost: b`, 1)
	for n := range 8 {
		define(n+1, good)
	}
	define(9, failing)
	steps := []struct {
		name     string
		change   func()
		firmware string
		tested   int
		aside    int
	}{
		{"nothing is known", func() {}, "1", 9, 1},
		{"what passed is; what failed is tried each time", func() {}, "1", 1, 1},
		{"another firmware", func() {}, "2", 9, 1},
		{"and that one again", func() {}, "2", 1, 1},
		{"one has other tests", func() { define(3, strings.Replace(good, "Host: a", "Host: abc", 2)) }, "2", 2, 1},
		{"one that passed is put in its place, but fails", func() { define(3, failing) }, "2", 2, 2},
		{"the one that failed is mended", func() { define(9, good) }, "2", 2, 1},
		{"a protocol is described otherwise", func() { write("protocols/x.yaml", "protocol: x") }, "2", 9, 1},
		{"one is gone", func() { os.RemoveAll(filepath.Join(dir, "WP-2099-3")) }, "2", 0, 0},
		{"the memory is nonsense", func() {
			os.WriteFile(file, []byte("wirepatch: definitions that passed their tests under firmware 2\nnonsense\n"), 0o600)
		}, "2", 8, 0},
		{"the memory is gone", func() { os.Remove(file) }, "2", 8, 0},
	}
	for _, s := range steps {
		s.change()
		m, err := patch.OpenMemory(file, s.firmware)
		if wantErr := strings.Contains(s.name, "nonsense"); (err != nil) != wantErr {
			t.Fatalf("%s: OpenMemory = %v", s.name, err)
		}
		set, errs := patch.Load(dir, decoders, nil, patch.WithMemory(m), patch.WithWorkers(3))
		if err := m.Save(); err != nil {
			t.Fatal(err)
		}
		if set.Tested() != s.tested || len(errs) != s.aside || !set.Wants("request.header") {
			t.Errorf("%s: Load ran the tests of %d definitions and set %d aside: %v; want %d and %d", s.name, set.Tested(), len(errs), errs, s.tested, s.aside)
		}
	}
	if i, err := os.Stat(file); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("the memory is %v, %v; want it for its owner only", i, err)
	}
}

func FuzzMemory(f *testing.F) {
	const title = "wirepatch: definitions that passed their tests under firmware 1\n"
	f.Add([]byte(title + strings.Repeat("0123456789abcdef", 4) + "\n"))
	f.Add([]byte(title + "00\n"))
	f.Add([]byte("another\n"))
	file := filepath.Join(f.TempDir(), "tested")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := patch.OpenMemory(file, "1")
		if m == nil {
			t.Fatalf("OpenMemory = nil, %v; want an empty memory at least", err)
		}
	})
}
