package certs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk without room keeps a new pair from being put in place, not the page from
// starting, and what is said to have failed does not come into force later.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	first := load(t, dir)
	other := t.TempDir()
	next := load(t, other)
	var certPEM, keyPEM []byte
	for name, b := range map[string]*[]byte{certName: &certPEM, keyName: &keyPEM} {
		var err error
		if *b, err = os.ReadFile(filepath.Join(other, name)); err != nil {
			t.Fatal(err)
		}
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)

	// One page is free: it takes both for the next start, and then there is none.
	if st, err := os.Stat(ballast); err != nil || os.Truncate(ballast, st.Size()-int64(os.Getpagesize())) != nil {
		t.Fatal("the ballast does not give way")
	}
	if err := save(dir, certPEM, keyPEM); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("save = %v; want that there is no room", err)
	}
	if got := load(t, dir).Fingerprint; got != first.Fingerprint {
		t.Error("a pair that could not be kept is in force after a start")
	}

	// A power cut has left the third file, and the disk is full at the start.
	if err := os.WriteFile(filepath.Join(dir, nextName), append(certPEM, keyPEM...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, dir).Fingerprint; got != next.Fingerprint {
		t.Error("what a power cut interrupted is not in force where the disk is full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := load(t, dir).Fingerprint; got != next.Fingerprint {
			t.Error("with room again another pair is in force")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, nextName)); err == nil {
		t.Error("with room again nothing was put in place")
	}
}

// fill writes path until the disk is full to the last byte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
