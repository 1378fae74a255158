package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func files() map[string][]byte {
	return map[string][]byte{
		"EFI/BOOT/BOOTX64.EFI":              bytes.Repeat([]byte("loader "), 20000),
		"EFI/Linux/wirepatch_0.1.0.efi":     bytes.Repeat([]byte("firmware"), 1<<20),
		"loader/loader.conf":                []byte("timeout 0\n"),
		"EFI/systemd/systemd-bootx64.efi":   []byte("x"),
		"EFI/Linux/wirepatch_0.2.0+2-1.efi": {7},
	}
}

// TestWrite: what was put in is found again, two disks made at two times are the
// same, and the tools of others find no fault.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, target := range []string{one, two} {
		if err := Write(target, files()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // the resolution of FAT's times
	}
	f, err := os.Open(one)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	esp, err := OpenESP(f, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files() {
		got, err := ReadFile(esp, "/"+name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, %v; want %d as written", name, len(got), err, len(want))
		}
	}
	if out, err := exec.Command("cmp", one, two).CombinedOutput(); err != nil {
		t.Errorf("two disks of the same files differ: %s", out)
	}
	part := filepath.Join(dir, "esp")
	for _, c := range [][]string{
		{"sgdisk", "-v", one},
		{"dd", "if=" + one, "of=" + part, "bs=1M", "skip=1", "count=288", "status=none"},
		{"fsck.vfat", "-n", part},
	} {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
		if cmd.Path, err = exec.LookPath(c[0]); err != nil {
			cmd.Path, cmd.Err = "/usr/sbin/"+c[0], nil
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", c, err, out)
		}
	}
}
