package datafs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wirepatch/init/superblock"
)

// device is a partition of zeros.
func device(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMake(t *testing.T) {
	path := device(t, 64<<20)
	if !Fresh(path) {
		t.Error("Fresh of zeros = false; want true")
	}
	if err := Make(path); err != nil {
		t.Fatal(err)
	}
	if Fresh(path) {
		t.Error("Fresh of a file system = true; want false")
	}
	// The power went before the superblock was there.
	half := device(t, 64<<20)
	if err := errors.Join(Make(half), overwrite(half, mark)); err != nil {
		t.Fatal(err)
	}
	if !Fresh(half) {
		t.Error("Fresh of half a file system = false; want true")
	}
	if l, err := superblock.Label(path); err != nil || l != "wirepatch-data" {
		t.Errorf("label = %q, %v; want wirepatch-data", l, err)
	}
	if out, err := exec.Command("/usr/sbin/e2fsck", "-f", "-n", path).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	if err := Make(device(t, 1<<20)); err == nil {
		t.Error("Make on a partition that is too small = nil; want an error")
	}
}

func overwrite(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Close())
}

// TestCheck repairs a file system with a hole, and says what cannot be repaired.
func TestCheck(t *testing.T) {
	run := func(_ context.Context, c *exec.Cmd) (int, error) {
		c.Path = "/usr/sbin/e2fsck"
		err := c.Run()
		if c.ProcessState == nil {
			return 0, err
		}
		return c.ProcessState.ExitCode(), nil
	}
	path := device(t, 64<<20)
	if err := Make(path); err != nil {
		t.Fatal(err)
	}
	if said, err := Check(t.Context(), run, path); said != "" || err != nil {
		t.Errorf("Check of a good one = %q, %v; want nothing to say", said, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The kernel notes that it met a fault.
	if out, err := exec.Command("/usr/sbin/debugfs", "-w", "-R", "ssv state 2", path).CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	f.WriteAt(bytes.Repeat([]byte{0xff}, block), 129*block) // which blocks are in use
	if said, err := Check(t.Context(), run, path); said == "" || err != nil {
		t.Errorf("Check of a damaged one = %q, %v; want it repaired, and told", said, err)
	}
	if said, err := Check(t.Context(), run, path); said != "" || err != nil {
		t.Errorf("Check after the repair = %q, %v; want nothing to say", said, err)
	}
	if _, err := Check(t.Context(), run, device(t, 64<<20)); err == nil {
		t.Error("Check of what is no file system = nil; want an error")
	}
}
