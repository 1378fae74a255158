package firmware

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/firmware/fat"
	"wirepatch/firmware/pack"
	"wirepatch/firmware/slot"
	"wirepatch/firmware/update"
	"wirepatch/images/disk"
	"wirepatch/init/datafs"
	"wirepatch/qemu/cut"
)

// judge looks at each content that a power cut can leave, as boot loader and init
// will. Contents of a partition that it has seen are not looked at again.
type judge struct {
	*testing.T
	disk   *cut.Disk
	dir    string
	author *author
	images map[string][]byte // firmware by version
	defs   *pack.Pack
	marks  []int // operation that wrote each marker, after the settings before it were acknowledged
	esp    map[uint64]bool
	data   map[uint64]bool
	starts []start
	reset  start           // in the middle of a factory reset
	ways   map[string]bool // classes that are among them
	meta   map[string]bool // metadata of updates that were looked at

	ignored  int // writes that make no difference
	mixtures int // contents with writes missing, so far
}

func newJudge(t *testing.T, d *cut.Disk, a *author, ops []cut.Op, images map[string][]byte) *judge {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "cut") // e2fsck writes through to the disk, thousands of times
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j := &judge{T: t, disk: d, dir: dir, author: a, images: images, defs: smallPack(t), marks: []int{0},
		esp: map[uint64]bool{}, data: map[uint64]bool{}, ways: map[string]bool{}, meta: map[string]bool{}}
	for i, o := range ops {
		if o.At >= dataAt && j.bulk(o) {
			j.ignored++
			d.Ignore(i)
		}
	}
	for n := 1; n < len(mtus); n++ {
		marker := fmt.Appendf(nil, "marker-%d\n", n)
		i := slices.IndexFunc(ops, func(o cut.Op) bool { return bytes.Contains(o.Data, marker) })
		if i < 0 {
			t.Fatalf("the record has no marker %d", n)
		}
		j.marks = append(j.marks, i)
	}
	return j
}

// bulk says whether a write to the data partition is of firmware as it is
// downloaded: nobody uses a download whose hash is not the signed one, so what of
// it is there makes no difference.
func (j *judge) bulk(o cut.Op) bool {
	const block = 4096
	if len(o.Data) < block {
		return false
	}
	image := j.images["0.2.0"]
	at := bytes.Index(image, o.Data[:block])
	return at >= 0 && bytes.HasPrefix(image[at:], o.Data)
}

// mark is the number of the last change that was acknowledged when so many
// operations had begun.
func (j *judge) mark(after int) int {
	n := 0
	for i, at := range j.marks {
		if after > at {
			n = i
		}
	}
	return n
}

func (j *judge) look(c cut.Cut) error {
	if !j.esp[j.disk.Sum(0)] {
		j.esp[j.disk.Sum(0)] = true
		if err := j.lookESP(); err != nil {
			return fmt.Errorf("cut after %d operations, %s: EFI system partition: %w", c.After, c.How, err)
		}
	}
	if c.Mixed {
		if j.mixtures++; !*cutAll && j.mixtures%4 != 0 {
			return nil
		}
	}
	// The same content later is to hold the later settings.
	key := j.disk.Sum(1) + uint64(j.mark(c.After))
	if !j.data[key] {
		j.data[key] = true
		if err := j.lookData(c); err != nil {
			return fmt.Errorf("cut after %d operations, %s: data partition: %w", c.After, c.How, err)
		}
	}
	return nil
}

// lookESP wants the boot loader to find firmware that is whole, before init mends
// the partition, after, and at every write of the mending.
func (j *judge) lookESP() error {
	esp := &mended{under: io.NewSectionReader(j.disk, espAt, disk.ESPSize), wrote: map[int64][]byte{}}
	first, err := j.choose(esp)
	if err == nil {
		err = j.whole(esp, first)
	}
	if err != nil {
		return err
	}
	if !j.ways[first.class] {
		j.ways[first.class] = true
		j.starts = append(j.starts, j.keep(start{class: first.class, slot: first.slot}))
	}
	esp.each = func() error {
		now, err := j.choose(esp)
		if err == nil && (now.slot.Version != first.slot.Version || !slices.Equal(now.clusters, first.clusters)) {
			err = fmt.Errorf("%s starts, %s before", now.file.Name, first.file.Name)
		}
		if err != nil {
			return fmt.Errorf("power cut while it is mended: %w", err)
		}
		return nil
	}
	if _, err := fat.Mend(esp, slot.Folder, slot.Weigh); err != nil {
		return fmt.Errorf("mend %q: %w", first.class, err)
	}
	if again, err := fat.Mend(esp, slot.Folder, slot.Weigh); err != nil || len(again) > 0 {
		return fmt.Errorf("mended, it has to be mended again: %q, %w", again, err)
	}
	return j.whole(esp, first)
}

// choice is what the boot loader starts.
type choice struct {
	slot     slot.Slot
	file     fat.File
	clusters []uint32
	class    string // names of all that is there
}

// choose does what systemd-boot does: it takes the newest slot that is not given
// up, by name.
func (j *judge) choose(esp io.ReaderAt) (c choice, err error) {
	v, err := fat.Open(esp)
	if err != nil {
		return c, err
	}
	all, err := v.List(slot.Folder)
	if err != nil {
		return c, err
	}
	var names []string
	for _, f := range all {
		s, ok := slot.Parse(f.Name)
		names = append(names, f.Name)
		if strings.HasSuffix(strings.ToLower(f.Name), ".efi") && !ok {
			return c, fmt.Errorf("the boot loader finds %s, which is no slot", f.Name)
		}
		// What is no program, systemd-boot passes over.
		if ok && f.Size > 0 && (c.file.Name == "" || cmp.Or(cmp.Compare(spent(c.slot), spent(s)), slot.Compare(s.Version, c.slot.Version)) > 0) {
			c.slot, c.file = s, f
		}
	}
	slices.Sort(names)
	c.class = strings.Join(names, " ")
	if c.file.Name == "" {
		return c, fmt.Errorf("there is no firmware among %q", c.class)
	}
	c.clusters = v.Clusters(c.file)
	return c, nil
}

// whole wants what is started to be firmware to the byte, and the boot loader to
// be there.
func (j *judge) whole(esp io.ReaderAt, c choice) error {
	v, err := fat.Open(esp)
	if err != nil {
		return err
	}
	b, err := v.Read(c.file)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, j.images[c.slot.Version]) {
		return fmt.Errorf("%s among %q is not whole", c.file.Name, c.class)
	}
	return j.loader(v)
}

func spent(s slot.Slot) int {
	if s.Counting && s.Left == 0 {
		return 1
	}
	return 0
}

// loader wants the boot loader to be there.
func (j *judge) loader(v *fat.Volume) error {
	for _, dir := range []string{"EFI/BOOT", "EFI/systemd", "loader"} {
		all, err := v.List(dir)
		if err != nil || len(all) != 1 || all[0].Size == 0 {
			return fmt.Errorf("in %s there is %v, %w", dir, all, err)
		}
	}
	return nil
}

// lookData wants init to find a file system that it can repair, settings that are
// old or new, and all else that it reads at start in one piece.
func (j *judge) lookData(c cut.Cut) error {
	path := filepath.Join(j.dir, "data")
	if err := j.writeData(path); err != nil {
		return err
	}
	mark := j.mark(c.After)
	if datafs.Fresh(path) {
		if mark > 0 {
			return errors.New("there is nothing; the settings are lost")
		}
		return nil
	}
	run := func(_ context.Context, c *exec.Cmd) (int, error) {
		c.Path = "/usr/sbin/e2fsck"
		err := c.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode(), nil
		}
		return 0, err
	}
	if said, err := datafs.Check(j.Context(), run, path); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	tree := filepath.Join(j.dir, "tree")
	if err := errors.Join(os.RemoveAll(tree), os.MkdirAll(tree, 0o700)); err != nil {
		return err
	}
	var dump strings.Builder
	for _, what := range []string{"appliance.ini", "settings", "settings-format", "import.tar", "factory-reset", "marker", "box.export", "update/definitions", "update/metadata"} {
		fmt.Fprintf(&dump, "rdump /%s %s\n", what, filepath.Join(tree, filepath.Dir(what)))
	}
	if err := os.MkdirAll(filepath.Join(tree, "update"), 0o700); err != nil {
		return err
	}
	d := exec.Command("/usr/sbin/debugfs", "-f", "-", path)
	d.Stdin = strings.NewReader(dump.String())
	if out, err := d.CombinedOutput(); err != nil {
		return fmt.Errorf("debugfs: %w: %s", err, out)
	}
	return errors.Join(j.lookSettings(tree, mark), j.lookUpdate(tree))
}

// writeData writes the data partition to a file.
func (j *judge) writeData(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(disk.DataSize); err != nil {
		return err
	}
	// The disk is new: what was not written is zeros.
	return j.disk.Changed(1, func(at int64, b []byte) error {
		_, err := f.WriteAt(b, at)
		return err
	})
}

// lookSettings does what init does before it puts settings into force.
func (j *judge) lookSettings(tree string, mark int) error {
	said := func(string, ...any) {}
	if exists(tree, "factory-reset") {
		// What is erased in part is erased to its end.
		if !j.ways[resetting] && exists(tree, "box.export") && !exists(tree, "appliance.ini") {
			j.ways[resetting] = true
			j.reset = j.keep(start{class: resetting, slot: slot.Slot{Version: "0.2.0"}})
		}
		return nil
	}
	if err := keeper.Adopt(tree, said); err != nil {
		return err
	}
	k := keeper.New(tree)
	k.Logf = said
	if err := k.Recover(); err != nil {
		return err
	}
	set, err := settings.Read(k.Owner)
	if errors.Is(err, os.ErrNotExist) {
		set, err = &settings.Settings{}, nil
	}
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	// An import that waits is taken.
	next := mtus[min(mark+1, len(mtus)-1)]
	if mark == 3 && exists(tree, "import.tar") {
		return nil
	}
	// The settings are gone: then so is all that was there beside them.
	if mark == len(mtus)-2 && set.Wire.MTU == 0 && exists(tree, "box.export") {
		return errors.New("a factory reset was left half done")
	}
	if got := set.Wire.MTU; got != mtus[mark] && got != next {
		return fmt.Errorf("the settings have mtu %d; %d was acknowledged, %d is next", got, mtus[mark], next)
	}
	if set.Wire.MTU > 0 && len(set.Services) != 1 {
		return fmt.Errorf("the settings have %d services; want the image's", len(set.Services))
	}
	_, err = k.History()
	return err
}

// lookUpdate wants definitions that are in use to be whole, and metadata with
// which the next look for updates works.
func (j *judge) lookUpdate(tree string) error {
	dir, revision := update.InUse(filepath.Join(tree, "update"), 0)
	if dir != "" {
		for name, want := range j.defs.Files {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("definitions %d are in use, and %s is not whole: %w", revision, name, err)
			}
		}
	}
	var all []string
	files, _ := filepath.Glob(filepath.Join(tree, "update", "metadata", "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		all = append(all, filepath.Base(f)+"="+string(b))
	}
	if j.author == nil {
		return nil
	}
	key := strings.Join(all, "\n")
	if j.meta[key] {
		return nil
	}
	j.meta[key] = true
	root, err := j.author.Root()
	if err != nil {
		return err
	}
	web, err := update.NewWeb("http://"+strings.Replace(strings.TrimPrefix(j.author.url, "http://"), "10.0.2.2", "127.0.0.1", 1), "")
	if err != nil {
		return err
	}
	c := update.Client{Root: root, Dir: filepath.Join(tree, "update"), Board: "qemu", Version: "0.0.1", Now: j.author.Now}
	o, err := c.Check(j.Context(), web)
	if err != nil || o.Firmware == nil {
		return fmt.Errorf("a look for updates afterwards: %+v, %w", o, err)
	}
	return nil
}
