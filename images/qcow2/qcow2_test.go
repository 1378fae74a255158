package qcow2

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWrite: QEMU's own tool finds no fault and the same disk in it.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	raw, packed := filepath.Join(dir, "raw"), filepath.Join(dir, "qcow2")
	// Random pieces with holes between, over more than one table, and an end
	// within a cluster.
	disk := make([]byte, 1200<<20+512)
	r := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < len(disk); at += r.IntN(20 << 20) {
		for i := at; i < min(at+100_000, len(disk)); i++ {
			disk[i] = byte(r.Uint32())
		}
	}
	if err := os.WriteFile(raw, disk, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(f, bytes.NewReader(disk), int64(len(disk))); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if st, err := os.Stat(packed); err != nil || st.Size() > 64<<20 {
		t.Errorf("the file has %d bytes, %v; want what is no hole only", st.Size(), err)
	}
	for _, args := range [][]string{{"check", "-q", packed}, {"compare", "-f", "raw", "-F", "qcow2", raw, packed}} {
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			t.Errorf("qemu-img %q: %v\n%s", args, err, out)
		}
	}
}
