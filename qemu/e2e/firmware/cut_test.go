package firmware

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wirepatch/firmware/pack"
	"wirepatch/firmware/slot"
	"wirepatch/images/disk"
	"wirepatch/qemu/cut"
)

var cutBoots = flag.Int("cut-boots", 3, "how many of the contents that a power cut can leave are started in a machine; the others are looked at as loader and init do")

var cutAll = flag.Bool("cut-all", false, "look at all contents of the data partition with writes missing, not at every fourth")

// record has a machine live its first days while QEMU records what it writes: it
// starts from a new disk, its settings are changed three times and imported, it
// takes definitions and firmware, confirms it, and is reset to factory settings. It returns the disk as it was
// before, the record, and the machine's firmware.
func record(m *machine, a *author) (before string, ops []cut.Op, images map[string][]byte) {
	m.Helper()
	// A section at the end, which half a file lacks.
	over := a.trusting("repository = " + a.url + "\n[service last]\naddress = 192.0.2.80\nport = 80\n")
	images = map[string][]byte{"0.1.0": variant{version: "0.1.0", over: over}.build(m)}
	m.fill(map[string][]byte{"wirepatch_0.1.0+3.efi": images["0.1.0"]})
	before = m.disk + ".before"
	m.tool("cp", "--sparse=always", m.disk, before)
	log := filepath.Join(m.config.Dir, "log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		m.Fatal(err)
	}
	m.config.Disk = "driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=" + m.disk + ",log.driver=raw,log.file.driver=file,log.file.filename=" + log
	// QEMU mixes the first two up with other writes in its log. The last is off because the
	// log's driver adds two pieces to a write: one that was merged of 1,023 pieces or more
	// is then longer than pwritev takes, and fails.
	for _, p := range []string{"write-zeroes", "discard", "request-merging"} {
		m.config.More = append(m.config.More, "-global", "driver=virtio-blk-pci,property="+p+",value=off")
	}

	m.on()
	m.wait(`updated: ready`)
	m.wait(`firmware: 0.1.0 is confirmed`)
	m.shell()
	for i, mtu := range mtus[1:4] {
		m.change("wire", fmt.Sprintf("mtu = %d", mtu))
		m.run(fmt.Sprintf("echo marker-%d > /data/marker; sync", i+1))
		if i == 1 {
			m.run("echo correct horse battery | settings export /data/box.export")
		}
	}
	m.typed("echo correct horse battery | settings import /data/box.export")
	m.wait(`settings: the import is in force: take-settings`)
	m.wait(`updated: ready`)
	m.shell()
	m.run("echo marker-4 > /data/marker; sync")
	// Not sooner: a box looks by itself, too, some minutes after its start.
	a.must(a.offerPack(smallPack(m)))
	m.typed("updated check")
	m.wait(`updated: definitions 7 are in force`)
	images["0.2.0"] = a.offer(variant{version: "0.2.0", over: over})
	m.typed("updated install")
	m.wait(`slot 0.2.0 runs, on trial`)
	m.wait(`firmware: 0.2.0 is confirmed`)
	m.shell()
	m.typed("settings reset yes")
	m.wait(`factory reset: done`)
	m.wait(`updated: ready`)
	m.shell()
	m.run("echo marker-5 > /data/marker; sync")
	m.powerOff()
	ops, err := cut.Read(log)
	if err != nil {
		m.Fatal(err)
	}
	return before, ops, images
}

// smallPack is a pack of a few definitions: each file is some writes.
func smallPack(t testing.TB) *pack.Pack {
	t.Helper()
	p, err := pack.Collect(os.DirFS(filepath.Join("..", "..", "..", "definitions")), 7)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(p.Files))
	for _, n := range names[min(8, len(names)):] {
		delete(p.Files, n)
	}
	return p
}

// mtus are what tells the machine's settings apart, in order of time: of the
// image, of three changes, of an import of the second, and of the image again after
// a factory reset.
var mtus = []int{0, 1600, 1700, 1800, 1700, 0}

// TestPowerCuts takes the power away at every write of a machine's first days:
// whatever was on the disk then, the machine starts, from firmware that is whole,
// with settings old or new.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	m := newMachine(t)
	before, ops, images := record(m, a)
	under, err := os.Open(before)
	if err != nil {
		t.Fatal(err)
	}
	defer under.Close()
	d := cut.NewDisk(under, ops, cut.Region{At: espAt, Size: disk.ESPSize}, cut.Region{At: dataAt, Size: disk.DataSize}, cut.Region{At: 0, Size: disk.Size})
	j := newJudge(t, d, a, ops, images)
	points, writes := 0, 0
	for _, o := range ops {
		if o.Data != nil {
			writes++
		}
	}
	if err := cut.Replay(d, func(c cut.Cut) error { points++; return j.look(c) }); err != nil {
		t.Fatal(err)
	}
	if last := j.mark(len(ops)); last != len(mtus)-1 {
		t.Errorf("the record has marker %d last; want %d", last, len(mtus)-1)
	}
	share := "every fourth of them on the data partition"
	if *cutAll {
		share = "all of them"
	}
	figure(t, "%d writes, of which %d of a download, and %d flushes; looked at: all %d cut points between two writes, and of %d contents with writes missing or torn %s; different were %d of the EFI system partition, %d of the data partition; %s",
		writes, j.ignored, len(ops)-writes, points-j.mixtures, j.mixtures, share, len(j.esp), len(j.data), j.classes())
	for _, s := range append(j.picked(*cutBoots-1), j.reset) {
		t.Run(s.class, func(t *testing.T) { j.boot(t, s) })
	}
}

// Where the partitions lie: images/disk.
const (
	espAt  = 1 << 20
	dataAt = espAt + disk.ESPSize
)

// start is one content that is started in a machine.
type start struct {
	class string // of what is on the EFI system partition
	path  string // the disk
	slot  slot.Slot
}

// resetting is the class of what a cut in the middle of a factory reset leaves.
const resetting = "factory reset"

// boot starts a machine from a content and wants it to be what was foretold.
func (j *judge) boot(t *testing.T, s start) {
	m := newMachine(t)
	m.config.Disk = "driver=raw,file.driver=file,file.filename=" + s.path
	m.on()
	g := m.wait(`firmware: slot (\S+) runs, ([a-z ]+)`)
	if g[1] != s.slot.Version {
		t.Errorf("slot %s runs, %s; want %s", g[1], g[2], s.slot.Version)
	}
	if s.class == resetting {
		m.wait(`factory reset: done`)
	}
	m.waitAll(`forwarding, `, `management https`)
	m.powerOff()
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// keep writes the disk as it is now, to be started.
func (j *judge) keep(s start) start {
	j.Helper()
	s.path = filepath.Join(j.dir, fmt.Sprintf("start%d.img", len(j.starts)))
	f, err := os.Create(s.path)
	if err != nil {
		j.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(disk.Size); err != nil {
		j.Fatal(err)
	}
	b := make([]byte, 1<<20)
	for at := int64(0); at < disk.Size; at += int64(len(b)) {
		if _, err := j.disk.ReadAt(b, at); err != nil {
			j.Fatal(err)
		}
		if len(bytes.Trim(b, "\x00")) == 0 {
			continue
		}
		if _, err := f.WriteAt(b, at); err != nil {
			j.Fatal(err)
		}
	}
	return s
}

// picked picks from the classes, evenly.
func (j *judge) picked(n int) (out []start) {
	for i := range min(n, len(j.starts)) {
		out = append(out, j.starts[i*len(j.starts)/min(n, len(j.starts))])
	}
	return out
}

func (j *judge) classes() string {
	var all []string
	for _, s := range j.starts {
		all = append(all, s.class)
	}
	slices.Sort(all)
	return fmt.Sprintf("%d kinds of the former: %s", len(all), strings.Join(all, " | "))
}
