package slot

import (
	"bytes"
	"testing"
)

func TestEnsureOptions(t *testing.T) {
	dir := t.TempDir()
	p := Partition{Number: 1, Start: 2048, Sectors: 589824, GUID: "8f6c2b0e-57c1-4b5d-9c2d-6a1c7e5a1d02"}
	if err := writeGlobal(dir, "BootOrder", []byte{1, 0, 0x01, 0x77, 2, 0}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if changed, err := EnsureOptions(dir, p); err != nil || changed != want {
			t.Errorf("EnsureOptions, time %d = %v, %v; want %v", i+1, changed, err, want)
		}
	}
	order, err := readGlobal(dir, "BootOrder")
	if want := []byte{0, 0x77, 1, 0x77, 2, 0x77, 3, 0x77, 1, 0, 2, 0}; err != nil || !bytes.Equal(order, want) {
		t.Errorf("BootOrder = % x, %v; want % x", order, err, want)
	}
	got, err := readGlobal(dir, "Boot7700")
	if err != nil {
		t.Fatal(err)
	}
	// The GUID as firmware writes it, and the path's end.
	if !bytes.Contains(got, []byte{0x0e, 0x2b, 0x6c, 0x8f, 0xc1, 0x57, 0x5d, 0x4b, 0x9c, 0x2d, 0x6a, 0x1c, 0x7e, 0x5a, 0x1d, 0x02}) || !bytes.HasSuffix(got, []byte{0x7f, 0xff, 4, 0}) {
		t.Errorf("Boot7700 = % x; want the partition's GUID in it, and an end", got)
	}
	p.Start++
	if changed, err := EnsureOptions(dir, p); err != nil || !changed {
		t.Errorf("EnsureOptions after the partition moved = %v, %v; want a change", changed, err)
	}
}
