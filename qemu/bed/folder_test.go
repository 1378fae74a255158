package bed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestSweep removes what a killed test bed left and nothing else.
func TestSweep(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	alive := &Bed{}
	if err := alive.folder(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(os.TempDir(), folderPrefix+"killed")
	foreign := filepath.Join(os.TempDir(), folderPrefix+"foreign")
	for _, dir := range []string{killed, foreign} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(killed, lockName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sweep(os.TempDir())
	for dir, want := range map[string]error{alive.Dir: nil, killed: fs.ErrNotExist, foreign: nil} {
		if _, err := os.Stat(dir); !errors.Is(err, want) {
			t.Errorf("Stat(%s) after sweep() = %v; want %v", dir, err, want)
		}
	}
	alive.cancel = func() {}
	if err := alive.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(alive.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) after Close() = %v; want it gone", alive.Dir, err)
	}
}
