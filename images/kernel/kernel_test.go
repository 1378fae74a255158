package kernel

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// bzImage wraps a packed kernel as the kernel's build does.
func bzImage(packed []byte, size uint32) []byte {
	const setup, offset = 2, 16
	b := make([]byte, (setup+1)*512+offset)
	b[setupSectors] = setup
	copy(b[headerMagic:], "HdrS")
	binary.LittleEndian.PutUint32(b[payloadOffset:], offset)
	binary.LittleEndian.PutUint32(b[payloadLength:], uint32(len(packed)+4))
	b = append(b, packed...)
	return binary.LittleEndian.AppendUint32(b, size)
}

func packZstd(t testing.TB, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

func TestVmlinux(t *testing.T) {
	kernel := append([]byte("\x7fELF"), bytes.Repeat([]byte("kernel "), 1000)...)
	var x bytes.Buffer
	w, err := xz.NewWriter(&x)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(kernel)
	w.Close()
	for name, packed := range map[string][]byte{"zstd": packZstd(t, kernel), "xz": x.Bytes()} {
		got, err := Vmlinux(append(bzImage(packed, uint32(len(kernel))), "signature after the payload"...))
		if err != nil || !bytes.Equal(got, kernel) {
			t.Errorf("Vmlinux(%s) = %d bytes, %v; want the %d bytes that were packed", name, len(got), err, len(kernel))
		}
	}
}

func TestVmlinuxFaults(t *testing.T) {
	text := packZstd(t, []byte("no ELF"))
	good := packZstd(t, []byte("\x7fELFxyz"))
	outside := bzImage(good, 7)
	binary.LittleEndian.PutUint32(outside[payloadLength:], 1<<31)
	for _, tt := range []struct {
		image []byte
		want  string
	}{
		{nil, "not a Linux boot image"},
		{make([]byte, 4096), "not a Linux boot image"},
		{outside, "outside of the file"},
		{bzImage(text, 6), "no ELF file"},
		{bzImage(good, 8), "its trailer says 8"},
		{bzImage([]byte("unknown packing"), 1), "is not known"},
		{bzImage(good[:len(good)-3], 7), "unpack bzImage"},
	} {
		if _, err := Vmlinux(tt.image); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Vmlinux = %v; want an error with %q", err, tt.want)
		}
	}
}

func TestCurrent(t *testing.T) {
	m := current.FindStringSubmatch("Package: linux-image-6.12-amd64\nDepends: linux-image-6.12.117+deb12-amd64 (= 6.12.117-1~deb12u1)\nFilename: x\n")
	if len(m) != 3 || m[1] != "linux-image-6.12.117+deb12-amd64" || m[2] != "6.12.117-1~deb12u1" {
		t.Errorf("current found %q; want package and version", m)
	}
	if m := current.FindStringSubmatch("Depends: linux-base (>= 4.3)\n"); m != nil {
		t.Errorf("current found %q in another package; want nothing", m)
	}
}

func FuzzVmlinux(f *testing.F) {
	f.Add(bzImage(packZstd(f, []byte("\x7fELF")), 4))
	f.Fuzz(func(t *testing.T, b []byte) { Vmlinux(b) })
}
