package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/board"
	"wirepatch/board/settings"
	"wirepatch/firmware/release"
	"wirepatch/images/deb"
	"wirepatch/images/kernel"
	"wirepatch/images/modules"
)

// packed packs an image of the real settings, board and definitions around a
// binary and modules that stand for the compiled ones.
func packed(t *testing.T) (archive []byte, records map[string]cpio.Record, order []string) {
	t.Helper()
	out := t.TempDir()
	text, err := board.Text("qemu")
	if err != nil {
		t.Fatal(err)
	}
	b, err := board.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	i := &image{options: options{board: "qemu", out: out, root: "../.."}, board: b, boardText: text, cache: filepath.Join(out, "cache"),
		kernel:  &kernel.Kernel{Package: deb.Package{Name: "linux-image-6.12.1-amd64", Version: "6.12.1-1", SHA256: strings.Repeat("a", 64)}},
		modules: []modules.Module{{Name: "failover", Image: []byte("one")}, {Name: "crc32c", Image: []byte("two"), Optional: true}},
		names:   []string{"cat", "dataplane", "init", "mgmt"},
	}
	if err := writeFile(i.binary(), []byte("binary")); err != nil {
		t.Fatal(err)
	}
	if _, err := i.pack(t.Context()); err != nil {
		t.Fatal(err)
	}
	archive, err = os.ReadFile(filepath.Join(out, "initramfs.cpio.zst"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(plain)))
	if err != nil {
		t.Fatal(err)
	}
	records = map[string]cpio.Record{}
	for _, r := range all {
		records[r.Name] = r
		order = append(order, r.Name)
	}
	return archive, records, order
}

func content(t *testing.T, r cpio.Record) string {
	t.Helper()
	b := make([]byte, r.FileSize)
	if _, err := r.ReadAt(b, 0); err != nil && len(b) > 0 {
		t.Fatalf("read %s: %v", r.Name, err)
	}
	return string(b)
}

func TestPack(t *testing.T) {
	_, got, order := packed(t)
	for name, want := range map[string]string{
		"init": "bin/bb", "bin/dataplane": "bb", "bin/mgmt": "bb", "bin/confine": "bb", "bin/poweroff": "bb", "bin/bb": "binary",
		"lib/modules/failover.ko": "one", "lib/modules/order": "failover\ncrc32c optional\n", "etc/resolv.conf": "/run/resolv.conf",
	} {
		if r, ok := got[name]; !ok || content(t, r) != want {
			t.Errorf("%s = %q (there: %v); want %q", name, content(t, r), ok, want)
		}
	}
	if _, err := settings.Parse([]byte(content(t, got["etc/wirepatch/appliance.ini"]))); err != nil {
		t.Errorf("appliance.ini: %v", err)
	}
	r, err := release.Parse([]byte(content(t, got["etc/wirepatch/release"])))
	if err != nil || r.Version != release.Version || r.Kernel != "6.12.1-amd64" || r.KernelSHA256 != strings.Repeat("a", 64) || r.DebugShell {
		t.Errorf("release = %+v, %v; want this firmware and kernel, no shell", r, err)
	}
	// The kernel unpacks in order: a folder must come before what is in it.
	seen := map[string]bool{".": true}
	for _, n := range order {
		if !seen[filepath.Dir(n)] {
			t.Errorf("%s comes before its folder", n)
		}
		seen[n] = true
	}
}

func TestPackModes(t *testing.T) {
	_, got, _ := packed(t)
	inodes := map[uint64]string{}
	for n, r := range got {
		if r.UID != 0 || r.GID != 0 || r.MTime != 0 || r.NLink != 1 {
			t.Errorf("%s has owner %d:%d, time %d, %d links; want 0:0, 0, 1", n, r.UID, r.GID, r.MTime, r.NLink)
		}
		if o, ok := inodes[r.Ino]; ok {
			t.Errorf("%s and %s share inode %d and would be taken for links", n, o, r.Ino)
		}
		inodes[r.Ino] = n
		const symlink = 0o120000
		if r.Mode&0o022 != 0 && r.Mode&0o170000 != symlink && n != "tmp" {
			t.Errorf("%s has mode %o; want it writable for root only", n, r.Mode)
		}
	}
}

func TestPackIsReproducible(t *testing.T) {
	a, _, _ := packed(t)
	b, _, _ := packed(t)
	if !bytes.Equal(a, b) {
		t.Error("two packs of the same differ; want the same bytes")
	}
}
