package slot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"
)

func writeVariable(t *testing.T, dir, name, value string) {
	t.Helper()
	b := []byte{6, 0, 0, 0}
	for _, u := range append(utf16.Encode([]rune(value)), 0) {
		b = append(b, byte(u), byte(u>>8))
	}
	if err := os.WriteFile(filepath.Join(dir, name+"-"+loaderVendor), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	all := []Partition{{Device: "/dev/sda1", GUID: "a"}, {Device: "/dev/sdb1", GUID: "b"}, {Device: "/dev/sdc1", GUID: "b"}}
	if got, err := find(all, "a"); got.Device != "/dev/sda1" || err != nil {
		t.Errorf("find(a) = %+v, %v; want /dev/sda1", got, err)
	}
	for _, guid := range []string{"b", "c"} {
		if got, err := find(all, guid); err == nil {
			t.Errorf("find(%s) = %+v; want an error", guid, got)
		}
	}
}

func TestReadBoot(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadBoot(dir); !errors.Is(err, ErrNoLoader) {
		t.Errorf("ReadBoot without variables = %v; want ErrNoLoader", err)
	}
	writeVariable(t, dir, "LoaderEntrySelected", "wirepatch_0.2.0+3.efi")
	writeVariable(t, dir, "LoaderDevicePartUUID", "8F6C2B0E-57C1-4B5D-9C2D-6A1C7E5A1D02")
	want := Boot{"wirepatch_0.2.0.efi", "8f6c2b0e-57c1-4b5d-9c2d-6a1c7e5a1d02"}
	if got, err := ReadBoot(dir); err != nil || got != want {
		t.Errorf("ReadBoot = %+v, %v; want %+v", got, err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "LoaderEntrySelected-"+loaderVendor), []byte{6}, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBoot(dir); err == nil {
		t.Error("ReadBoot of an empty variable = nil; want an error")
	}
}
