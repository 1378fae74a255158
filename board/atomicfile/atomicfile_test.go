package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	// What a power cut in the middle of an earlier write leaves behind, with
	// permissions that must not be taken over.
	if err := os.WriteFile(path+".new", []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "2"} {
		if err := Write(path, []byte(want), 0o600); err != nil {
			t.Fatalf("Write(%q) = %v", want, err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("after Write: %q, %v; want %q", got, err, want)
		}
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600", st.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files after Write = %v; want only f", left)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Errorf("Remove = %v; want nil, also for what is gone", err)
		}
	}
}

func TestWriteKeepsOldOnFailure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A directory with content where the temporary file should be makes the
	// write fail, also for root.
	if err := os.MkdirAll(filepath.Join(path+".new", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o600); err == nil {
		t.Error("Write = nil; want an error")
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content after a failed write = %q; want %q", got, "old")
	}
}
