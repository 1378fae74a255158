package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/qemu/bed"
)

// failingBed starts a test bed that cannot start, in a temporary folder of its
// own, and returns the error and what is left there.
func failingBed(t *testing.T, image string) ([]os.DirEntry, error) {
	t.Helper()
	tmp, err := os.MkdirTemp("", "wp") // a short path: sockets lie below it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	t.Setenv("TMPDIR", tmp)
	out, err := filepath.Abs(filepath.Join("..", "..", "out", "test"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bed.Start(t.Context(), bed.Config{
		Root: filepath.Join("..", ".."), Out: out, Image: image,
		Straight: "127.0.0.1:0", Through: "127.0.0.1:0", Management: "127.0.0.1:0",
	})
	if err == nil {
		b.Close()
		t.Fatal("Start() = nil error; want one")
	}
	left, e := os.ReadDir(tmp)
	if e != nil {
		t.Fatal(e)
	}
	for i := len(left) - 1; i >= 0; i-- {
		if strings.HasPrefix(left[i].Name(), "go-build") { // of go build, which removes it
			left = append(left[:i], left[i+1:]...)
		}
	}
	return left, err
}

// TestNoImage says how to build one.
func TestNoImage(t *testing.T) {
	left, err := failingBed(t, t.TempDir())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "make image") {
		t.Errorf("Start() = %v; want it to tell of make image", err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestBrokenImage shows the kernel's last words.
func TestBrokenImage(t *testing.T) {
	image := t.TempDir()
	kernel, err := filepath.Abs(filepath.Join("..", "..", "out", "test", "vmlinux"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kernel, filepath.Join(image, "vmlinux")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(image, "initramfs.cpio.zst"), []byte("not an archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	left, err := failingBed(t, image)
	if !strings.Contains(err.Error(), "Kernel panic") {
		t.Errorf("Start() = %v; want the kernel's panic in it", err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
