package superblock

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// format makes a real file system in a file.
func format(t *testing.T, path, label string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4 << 20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/sbin/mkfs.ext4", "-q", "-F", "-L", label, path).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
}

func TestFind(t *testing.T) {
	sys, dev := t.TempDir(), t.TempDir()
	for _, n := range []string{"loop0", "sda", "vda", "vdb"} {
		if err := os.Mkdir(filepath.Join(sys, n), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	format(t, filepath.Join(dev, "vda"), "other")
	format(t, filepath.Join(dev, "vdb"), "wirepatch-data")
	if err := os.WriteFile(filepath.Join(dev, "sda"), []byte("short"), 0o644); err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]string{"wirepatch-data": filepath.Join(dev, "vdb"), "wirepatch": "", "": ""} {
		if got := Find(sys, dev, label); got != want {
			t.Errorf("Find(%q) = %q; want %q", label, got, want)
		}
	}
	empty := filepath.Join(dev, "zero")
	if err := os.WriteFile(empty, make([]byte, 4096), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Label(empty); !errors.Is(err, ErrNotExt) {
		t.Errorf("Label(zeros) = %v; want %v", err, ErrNotExt)
	}
}

func FuzzParse(f *testing.F) {
	b := make([]byte, size)
	b[magicAt], b[magicAt+1] = 0x53, 0xef
	copy(b[labelAt:], "wirepatch-data")
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if label, err := parse(b); err == nil && len(label) > labelSize {
			t.Errorf("parse gave a label of %d bytes", len(label))
		}
	})
}
