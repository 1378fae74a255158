package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/klauspost/compress/zstd"
)

const imageSize = 8 * piece

// newImage makes a packed disk image with two partitions, and returns its path
// and what is in it.
func newImage(t *testing.T) (path string, plain []byte) {
	t.Helper()
	raw, err := os.Create(filepath.Join(t.TempDir(), "raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	table := &gpt.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true, Partitions: []*gpt.Partition{
		{Index: 1, Start: piece / sector, End: 3*piece/sector - 1, Size: 2 * piece, Type: gpt.EFISystemPartition, Name: "wirepatch-esp", GUID: guid()},
		{Index: 2, Start: 3 * piece / sector, End: 6*piece/sector - 1, Size: 3 * piece, Type: gpt.LinuxFilesystem, Name: "wirepatch-data", GUID: guid()},
	}}
	random := make([]byte, 2*piece)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	if err := errors.Join(raw.Truncate(imageSize), table.Write(raw, imageSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.WriteAt(random, piece); err != nil {
		t.Fatal(err)
	}
	plain, err = os.ReadFile(raw.Name())
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "image.zst")
	if err := os.WriteFile(path, pack(t, plain), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, plain
}

func pack(t *testing.T, plain []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(plain, nil)
}

// newDisk makes a disk of that size that is full of something else.
func newDisk(t *testing.T, size int64) Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sdx")
	if err := os.WriteFile(path, bytes.Repeat([]byte("old "), int(size/4)), 0o644); err != nil {
		t.Fatal(err)
	}
	return Disk{Name: "sdx", Device: path, Bytes: size, Sector: sector}
}

func readTable(t *testing.T, path string) (*gpt.Table, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return gpt.Read(file.New(f, true), sector, sector)
}

// TestWrite: the disk gets what the image holds, a table that fits it, and GUIDs
// of its own; the tools of others find no fault.
func TestWrite(t *testing.T) {
	path, plain := newImage(t)
	const size = 20*piece + 3*sector
	var said []string
	one, two := newDisk(t, size), newDisk(t, size)
	for _, d := range []Disk{one, two} {
		if err := Write(d, path, func(what string, percent int) { said = append(said, fmt.Sprint(what, percent)) }); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(one.Device)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[head:imageSize-head], plain[head:imageSize-head]) {
		t.Error("between the tables the disk is not what the image is")
	}
	if out, err := exec.Command("/usr/sbin/sgdisk", "-v", one.Device).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("No problems found")) {
		t.Errorf("sgdisk: %v\n%s", err, out)
	}
	a, err := readTable(t, one.Device)
	if err != nil {
		t.Fatal(err)
	}
	b, err := readTable(t, two.Device)
	if err != nil {
		t.Fatal(err)
	}
	was, err := (&image{table: plain[:head], size: imageSize}).read()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		for _, other := range []*gpt.Partition{b.Partitions[i], was.Partitions[i]} {
			if a.Partitions[i].GUID == other.GUID {
				t.Errorf("partition %d has a GUID that another disk has, too", i+1)
			}
		}
	}
	if end := a.Partitions[1].End; end != (size-tail)/sector-1 {
		t.Errorf("the last partition ends at sector %d; want %d", end, (size-tail)/sector-1)
	}
	if want := "writing100 reading back100"; !strings.Contains(strings.Join(said, " "), "writing100") || !strings.Contains(strings.Join(said, " "), "reading back100") {
		t.Errorf("progress = %q; want it to come to %s", said, want)
	}
}

// TestBrokenOff: after anything that goes wrong there is no table, so that
// nothing starts from half an appliance.
func TestBrokenOff(t *testing.T) {
	path, plain := newImage(t)
	packed := pack(t, plain)
	for name, b := range map[string][]byte{"cut short": packed[:len(packed)/2], "nothing": nil, "no image": []byte("nonsense, and a lot of it")} {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		d := newDisk(t, imageSize)
		if err := Write(d, path, func(string, int) {}); err == nil {
			t.Errorf("Write of an image that is %s = nil; want an error", name)
		}
		if _, err := readTable(t, d.Device); err == nil {
			t.Errorf("after an image that is %s the disk has a partition table", name)
		}
	}
}

// TestReadBack: a disk that does not hold what was written is found out.
func TestReadBack(t *testing.T) {
	path, _ := newImage(t)
	i, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	d := newDisk(t, imageSize)
	f, err := os.OpenFile(d.Device, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	nobody := func(string, int) {}
	if err := errors.Join(i.copy(f, nobody), i.compare(f, nobody)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 2*piece+77); err != nil {
		t.Fatal(err)
	}
	if err := i.compare(f, nobody); err == nil || !strings.Contains(err.Error(), "the disk is faulty") {
		t.Errorf("compare with a disk that changed = %v; want that it is faulty", err)
	}
}

// TestDisks: the machine's disks are told from what is none, by a tree as sysfs
// has it.
func TestDisks(t *testing.T) {
	sys, dev := t.TempDir(), t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []struct{ name, bytes, ro string }{{"sda", "2000000", "0"}, {"sdb", "1000", "0"}, {"sdc", "2000000", "1"}, {"nvme0n1", "4000000", "0"}} {
		put(d.name+"/size", d.bytes)
		put(d.name+"/ro", d.ro)
		put(d.name+"/queue/logical_block_size", "512")
		put(d.name+"/device/model", "Disk "+d.name+"   ")
	}
	put("sda/device/vendor", "ACME")
	put("nvme0n1/queue/logical_block_size", "4096")
	put("sda1/partition", "1")
	put("sda1/device/model", "x")
	put("loop0/size", "100")
	put("sr0/size", "100")
	put("sr0/device/model", "DVD")
	put("sdd/size", "0")
	put("sdd/device/model", "empty reader")
	got := Disks(sys, dev, "")
	var names []string
	for _, d := range got {
		names = append(names, d.Name)
	}
	if want := "nvme0n1 sda sdb sdc"; strings.Join(names, " ") != want {
		t.Fatalf("Disks = %q; want %s", names, want)
	}
	if got[1].Model != "ACME Disk sda" || got[1].Bytes != 1024000000 {
		t.Errorf("sda = %+v; want ACME Disk sda of 1,024,000,000 bytes", got[1])
	}
	for i, want := range []string{"sectors of 4096", "", "choose a larger", "read-only"} {
		if err := got[i].Fit(500e6); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Fit of %s = %v; want %q", got[i].Name, err, want)
		}
	}
	if err := (Disk{Name: "sda", Bytes: 1e9, Sector: 512, Stick: true}).Fit(1); err == nil {
		t.Error("Fit of the stick itself = nil; want an error")
	}
}

// terminal is a console: what is typed comes from a pipe, what is shown can be
// waited for.
type terminal struct {
	io.Reader
	shown chan string
}

func (c terminal) Write(b []byte) (int, error) { c.shown <- string(b); return len(b), nil }

// TestConversation: nothing is written but after the disk's name and yes, and a
// stick that is pulled restarts the machine.
func TestConversation(t *testing.T) {
	path, _ := newImage(t)
	d, stick := newDisk(t, imageSize), newDisk(t, imageSize)
	stick.Name, stick.Stick = "sdy", true
	before, err := os.ReadFile(d.Device)
	if err != nil {
		t.Fatal(err)
	}
	pulled, restarted := make(chan bool), make(chan bool)
	i := &Installer{About: "a test", Image: path, Logf: t.Logf, Restart: func() { close(restarted) }, Disks: func() []Disk {
		select {
		case <-pulled:
			return []Disk{d}
		default:
			return []Disk{d, stick}
		}
	}}
	r, w := io.Pipe()
	c := terminal{r, make(chan string)}
	go i.Run(t.Context(), c)
	expect := func(want string) {
		t.Helper()
		var seen strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for !strings.Contains(seen.String(), want) {
			select {
			case s := <-c.shown:
				seen.WriteString(s)
			case <-ctx.Done():
				t.Fatalf("the console shows %q; want %q", seen.String(), want)
			}
		}
	}
	expect("Type the name")
	for _, step := range []struct{ typed, shown string }{
		{"", "Type the name"},
		{"sdz", "is none of the disks"},
		{"sdy", "is the stick that this installer was started from"},
		{"sdx", "All that is on sdx is lost. Type yes to go on: "},
		{"y", "nothing done"},
		{"sdx", "Type yes to go on: "},
	} {
		fmt.Fprintln(w, step.typed)
		expect(step.shown)
		if step.typed == "y" {
			if now, err := os.ReadFile(d.Device); err != nil || !bytes.Equal(now, before) {
				t.Fatalf("the disk changed before it was allowed to (%v)", err)
			}
		}
	}
	fmt.Fprintln(w, "yes")
	expect("Take the stick out now")
	if _, err := readTable(t, d.Device); err != nil {
		t.Errorf("the disk as installed: %v", err)
	}
	close(pulled)
	expect("The stick is out")
	select {
	case <-restarted:
	case <-time.After(time.Minute):
		t.Error("the machine does not restart")
	}
}
