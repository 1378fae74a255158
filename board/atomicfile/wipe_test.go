package atomicfile

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What was wiped is gone where it lay, and a link leads to nothing.
func TestWipe(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "secret"), filepath.Join(dir, "other")
	for _, p := range []string{path, other} {
		if err := os.WriteFile(p, bytes.Repeat([]byte("secret"), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path) // keeps what lay there
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path, link} {
		if err := Wipe(p); err != nil {
			t.Errorf("Wipe(%s) = %v; want nil, also for what is gone", filepath.Base(p), err)
		}
	}
	if text, err := io.ReadAll(f); err != nil || len(text) != 6000 || len(bytes.Trim(text, "\x00")) != 0 {
		t.Errorf("where it lay is %.20q, %d bytes, %v; want zeros", text, len(text), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || left[0] != other {
		t.Errorf("left is %q; want what the link led to", left)
	}
	if text, err := os.ReadFile(other); err != nil || !bytes.HasPrefix(text, []byte("secret")) {
		t.Errorf("what the link led to is %.20q, %v; want it untouched", text, err)
	}
}
