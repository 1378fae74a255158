package fat

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

const size = 34 << 20

// volume is a file system in memory, made by another implementation.
type volume struct {
	*testing.T
	b      []byte
	writes [][]byte // the volume after each write, when kept
	keep   bool
}

func (v *volume) ReadAt(b []byte, at int64) (int, error) { return bytes.NewReader(v.b).ReadAt(b, at) }

func (v *volume) WriteAt(b []byte, at int64) (int, error) {
	if at/sectorSize != (at+int64(len(b))-1)/sectorSize {
		v.Errorf("a write of %d bytes at %d is of more than one sector", len(b), at)
	}
	n := copy(v.b[at:], b)
	if v.keep {
		v.writes = append(v.writes, bytes.Clone(v.b))
	}
	return n, nil
}

func (v *volume) Sync() error { return nil }

// content of a file, another for each name.
func content(name string) []byte { return bytes.Repeat([]byte(name+" "), 2000) }

func newVolume(t *testing.T, names ...string) *volume {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fat")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	fs, err := fat32.Create(file.New(f, false), size, 0, sectorSize, "TEST", true)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) {
		w, err := fs.OpenFile(name, os.O_CREATE|os.O_RDWR)
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"/EFI", "/EFI/Linux", "/EFI/BOOT"} {
		if err := fs.Mkdir(d); err != nil {
			t.Fatal(err)
		}
	}
	write("/EFI/BOOT/BOOTX64.EFI", content("loader"))
	for _, n := range names {
		write("/EFI/Linux/"+n, content(n))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &volume{T: t, b: b}
}

func (v *volume) open() *Volume {
	v.Helper()
	vol, err := Open(v)
	if err != nil {
		v.Fatal(err)
	}
	return vol
}

func (v *volume) find(name string) File {
	v.Helper()
	all, err := v.open().List("EFI/Linux")
	if err != nil {
		v.Fatal(err)
	}
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	v.Fatalf("there is no %s among %v", name, all)
	return File{}
}

// set writes a cluster's entry in one copy of the table.
func (v *volume) set(copy int, cluster, to uint32) {
	vol := v.open()
	binary.LittleEndian.PutUint32(v.b[vol.tableAt+int64(copy)*vol.size+4*int64(cluster):], to)
}

// alias makes a name's entry lead to another's file, as a rename does in between.
func (v *volume) alias(name, to string) {
	a, b := v.find(name), v.find(to)
	all, _ := v.open().chain(a.Start)
	for _, c := range all {
		v.set(0, c, 0)
		v.set(1, c, 0)
	}
	e := v.b[a.spots[len(a.spots)-1]:]
	binary.LittleEndian.PutUint16(e[highAt:], uint16(b.Start>>16))
	binary.LittleEndian.PutUint16(e[lowAt:], uint16(b.Start))
	binary.LittleEndian.PutUint32(e[sizeAt:], b.Size)
}

// empty takes a name's clusters away.
func (v *volume) empty(name string) {
	f := v.find(name)
	e := v.b[f.spots[len(f.spots)-1]:]
	clear(e[highAt:][:2])
	clear(e[lowAt:][:6])
}

// tell says what is there, each file with whose content it has.
func (v *volume) tell() string {
	v.Helper()
	vol := v.open()
	var out []string
	for _, dir := range []string{"EFI/BOOT", "EFI/Linux"} {
		all, err := vol.List(dir)
		if err != nil {
			v.Fatal(err)
		}
		for _, f := range all {
			b, err := vol.Read(f)
			if err != nil {
				v.Fatal(err)
			}
			whose, _, _ := strings.Cut(string(b), " ")
			if !bytes.Equal(b, content(whose)) {
				whose = "broken"
			}
			out = append(out, f.Name+"="+whose)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// used is how many clusters are not free.
func (v *volume) used() (n int) {
	for _, e := range v.open().table[first:] {
		if e != 0 {
			n++
		}
	}
	return n
}

func mend(v *volume) ([]string, error) { return Mend(v, "EFI/Linux", cmp.Compare[string]) }

const loader = "BOOTX64.EFI=loader"

func TestMend(t *testing.T) {
	long := "m-long-name-of-a-file+2-1.efi"
	for _, tt := range []struct {
		name string
		harm func(v *volume)
		want string // files
		done string // "" for nothing
	}{
		{"whole", func(v *volume) {}, loader + " a.efi=a.efi " + long + "=" + long + " z.efi=z.efi", ""},
		{"a rename half done", func(v *volume) { v.alias("z.efi", "a.efi") }, loader + " a.efi=a.efi " + long + "=" + long, "name z.efi removed"},
		{"of a long name", func(v *volume) { v.alias(long, "a.efi") }, loader + " a.efi=a.efi z.efi=z.efi", "name " + long + " removed"},
		{"clusters lost", func(v *volume) { v.set(0, v.find("z.efi").Start, 0) }, loader + " a.efi=a.efi " + long + "=" + long, "name z.efi removed"},
		{"a chain into another", func(v *volume) { v.set(0, v.find("z.efi").Start, v.find("a.efi").Start+1) }, loader + " a.efi=a.efi " + long + "=" + long, "name z.efi removed"},
		{"a circle", func(v *volume) { v.set(0, v.find("z.efi").Start, v.find("z.efi").Start) }, loader + " a.efi=a.efi " + long + "=" + long, "name z.efi removed"},
		{"a rename just begun", func(v *volume) { v.alias("a.efi", "z.efi"); v.empty("a.efi") }, loader + " " + long + "=" + long + " z.efi=z.efi", "name a.efi removed"},
		{"clusters of nobody", func(v *volume) { v.set(0, 5000, 5001); v.set(0, 5001, entryMask); v.set(1, 5001, entryMask) },
			loader + " a.efi=a.efi " + long + "=" + long + " z.efi=z.efi", "2 clusters freed"},
		{"a copy that differs", func(v *volume) { v.set(1, v.find("a.efi").Start, 0) }, loader + " a.efi=a.efi " + long + "=" + long + " z.efi=z.efi", "copies of the table made alike"},
	} {
		v := newVolume(t, "z.efi", long, "a.efi")
		before := v.used()
		tt.harm(v)
		v.keep = true
		done, err := mend(v)
		if err != nil || (tt.done == "") != (len(done) == 0) || !strings.Contains(fmt.Sprint(done), tt.done) {
			t.Errorf("%s: Mend did %q, %v; want %q", tt.name, done, err, tt.done)
		}
		if got := v.tell(); got != tt.want {
			t.Errorf("%s: after Mend there is %s; want %s", tt.name, got, tt.want)
		}
		if done, err := mend(v); err != nil || len(done) > 0 {
			t.Errorf("%s: a second Mend did %q, %v; want nothing", tt.name, done, err)
		}
		if v.used() > before {
			t.Errorf("%s: %d clusters are used; want %d at most", tt.name, v.used(), before)
		}
		for _, c := range v.open().table[first:] {
			if c != 0 && c < first {
				t.Errorf("%s: the table leads to cluster %d", tt.name, c)
			}
		}
		// The power goes after any of the writes.
		for i, b := range v.writes {
			cut := &volume{T: t, b: b}
			if _, err := mend(cut); err != nil || cut.tell() != tt.want {
				t.Errorf("%s: cut after write %d of %d: %s, %v; want %s", tt.name, i+1, len(v.writes), cut.tell(), err, tt.want)
			}
		}
	}
}

// Where no file is whole they stay as they are: one of them may start yet.
func TestMendKeepsTheLast(t *testing.T) {
	v := newVolume(t, "a.efi")
	v.set(0, v.find("a.efi").Start, 0)
	if _, err := mend(v); err != nil {
		t.Fatal(err)
	}
	v.find("a.efi")
}

func TestOpenRefuses(t *testing.T) {
	for name, b := range map[string][]byte{"empty": nil, "zeros": make([]byte, size), "cut short": newVolume(t).b[:sectorSize]} {
		if v, err := Open(bytes.NewReader(b)); err == nil {
			t.Errorf("Open of %s = %+v; want an error", name, v)
		}
	}
}

// FuzzMend: whatever is on the disk, it ends, and stays within the volume.
func FuzzMend(f *testing.F) {
	f.Add(uint16(reservedAt), uint32(0), uint32(0), uint32(0))
	f.Add(uint16(perCluster), uint32(0xffffffff), uint32(20000), uint32(5))
	base := newVolume(&testing.T{}, "a.efi", "z.efi").b
	vol, err := Open(bytes.NewReader(base))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, head uint16, value, at, to uint32) {
		b := bytes.Clone(base[:2<<20])
		binary.LittleEndian.PutUint32(b[min(int(head), sectorSize-4):], value)
		binary.LittleEndian.PutUint32(b[vol.tableAt+int64(at%2000)*4:], to)
		binary.LittleEndian.PutUint32(b[vol.dataAt+int64(at%100_000):], value)
		mend(&volume{T: t, b: append(b, make([]byte, 1<<20)...)})
	})
}
