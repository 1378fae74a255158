package firmware

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/board"
	"wirepatch/firmware/release"
	"wirepatch/firmware/slot"
	"wirepatch/firmware/uki"
	"wirepatch/images/disk"
)

// variant is a firmware made out of the one that was built, by laying files over
// its initramfs: the kernel unpacks several, one after the other.
type variant struct {
	version string
	sick    bool   // it is given up soon
	hungry  bool   // its watchdog is short of patience, too short for a busy computer's other starts
	board   string // "" for qemu
	over    []cpio.Record
	// initramfs is another than the lean one of the image that was built; "" for that.
	initramfs string
}

// settings confirm a firmware soon.
const (
	quick = "\n[firmware]\nconfirm_after = 5s\ngive_up_after = 20m\n"
	short = "\n[firmware]\nconfirm_after = 5s\ngive_up_after = 20s\n"
)

// build returns the unified kernel image.
func (v variant) build(t testing.TB) []byte {
	t.Helper()
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text, err := (&release.Release{Version: v.version, Board: "qemu", Kernel: "the same", Programs: "of the image as built", DebugShell: true}).Text()
	if err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile(filepath.Join("..", "..", "..", "images", "appliance.ini"))
	if err != nil {
		t.Fatal(err)
	}
	firmware := quick
	if v.sick {
		firmware = short
	}
	ini, err := board.Text("qemu")
	if err != nil {
		t.Fatal(err)
	}
	if v.hungry {
		ini = []byte(strings.Replace(string(ini), "[watchdog]\n", "[watchdog]\ntimeout = 15s\n", 1))
	}
	// What comes first under a name is what is written.
	over := append(slices.Clone(v.over),
		cpio.StaticFile("etc/wirepatch/release", string(text), 0o644),
		cpio.StaticFile("etc/wirepatch/appliance.ini", string(settings)+firmware, 0o644),
		cpio.StaticFile("etc/wirepatch/board.ini", string(ini), 0o644))
	var archive bytes.Buffer
	w := cpio.Newc.Writer(&archive)
	for i := range over {
		over[i].Ino, over[i].NLink = uint64(i+1), 1
	}
	if err := cpio.WriteRecords(w, over); err != nil {
		t.Fatal(err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		t.Fatal(err)
	}
	initrd, err := lean()
	if v.initramfs != "" {
		initrd, err = os.ReadFile(v.initramfs)
	}
	if err != nil {
		t.Fatal(err)
	}
	initrd = append(slices.Clone(initrd), make([]byte, (4-len(initrd)%4)%4)...)
	name := v.board
	if name == "" {
		name = "qemu"
	}
	built, err := os.Open(image(t, "wirepatch.efi"))
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	cmdline, err := uki.Read(built, uki.Cmdline, 4096)
	if err != nil {
		t.Fatal(err)
	}
	out, err := uki.Add(read(image(t, "linuxx64.efi.stub")),
		uki.Section{Name: uki.OSRelease, Data: uki.About{Version: v.version, Board: name}.Text()},
		uki.Section{Name: uki.Cmdline, Data: cmdline},
		uki.Section{Name: uki.Initrd, Data: append(initrd, archive.Bytes()...)},
		uki.Section{Name: uki.Linux, Data: read(image(t, "vmlinuz"))})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// good is the firmware that machines of the tests begin with.
var good = sync.OnceValue(func() []byte { return variant{version: "0.1.0"}.build(panics{}) })

// panics stands for a test where there is none.
type panics struct{ testing.TB }

func (panics) Helper()               {}
func (panics) Fatal(a ...any)        { panic(a) }
func (panics) Fatalf(string, ...any) { panic("the image is not built; make test-image") }

// fill gives the machine a disk with these slots, by file name.
func (m *machine) fill(slots map[string][]byte) {
	m.Helper()
	m.disk = filepath.Join(m.config.Dir, "disk.img")
	if err := disk.Write(m.disk, m.files(slots)); err != nil {
		m.Fatal(err)
	}
	m.config.Disk = "driver=raw,file.driver=file,file.filename=" + m.disk
}

// files returns what is on the EFI system partition of a disk with these slots.
func (m *machine) files(slots map[string][]byte) map[string][]byte {
	m.Helper()
	from, err := os.Open(image(m, "wirepatch.img"))
	if err != nil {
		m.Fatal(err)
	}
	defer from.Close()
	esp, err := disk.OpenESP(from, true)
	if err != nil {
		m.Fatal(err)
	}
	out := map[string][]byte{}
	for _, n := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi", "loader/loader.conf"} {
		if out[n], err = disk.ReadFile(esp, "/"+n); err != nil {
			m.Fatal(err)
		}
	}
	for n, b := range slots {
		out[slot.Folder+"/"+n] = b
	}
	return out
}

// slots returns the names of the slots on the disk, while the machine is off.
func (m *machine) slots() []string {
	m.Helper()
	f, err := os.Open(m.disk)
	if err != nil {
		m.Fatal(err)
	}
	defer f.Close()
	esp, err := disk.OpenESP(f, true)
	if err != nil {
		m.Fatal(err)
	}
	all, err := esp.ReadDir(slot.Folder)
	if err != nil {
		m.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, strings.ToLower(e.Name()))
	}
	return out
}
