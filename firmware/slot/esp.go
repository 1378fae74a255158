package slot

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"golang.org/x/sys/unix"

	"wirepatch/firmware/fat"
)

// Partition is one partition of a disk.
type Partition struct {
	Device  string // below /dev
	Disk    string // the disk's, below /dev
	Number  int
	GUID    string // lower case
	Name    string
	Start   uint64 // sector of the disk
	Sectors uint64
}

// Partitions lists the partitions that the tables (GPT) of the disks in sys
// (/sys/class/block) name. What has no table is passed over.
func Partitions(sys, dev string) []Partition {
	names, err := os.ReadDir(sys)
	if err != nil {
		return nil
	}
	var out []Partition
	for _, n := range names {
		// A partition has a number; only whole disks have a table.
		if _, err := os.Stat(filepath.Join(sys, n.Name(), "partition")); err == nil {
			continue
		}
		out = append(out, read(filepath.Join(dev, n.Name()))...)
	}
	return out
}

func read(disk string) (out []Partition) {
	f, err := os.Open(disk)
	if err != nil {
		return nil
	}
	defer f.Close()
	sector, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err != nil {
		return nil
	}
	t, err := gpt.Read(file.New(f, true), sector, sector)
	if err != nil {
		return nil
	}
	for _, p := range t.Partitions {
		device := disk + fmt.Sprint(p.Index)
		if strings.ContainsAny(disk[len(disk)-1:], "0123456789") {
			device = disk + "p" + fmt.Sprint(p.Index) // nvme0n1p1
		}
		out = append(out, Partition{Device: device, Disk: disk, Number: p.Index, GUID: strings.ToLower(p.GUID), Name: p.Name,
			Start: p.Start, Sectors: p.End - p.Start + 1})
	}
	return out
}

// Find returns the partition with that GUID.
func Find(guid string) (Partition, error) { return find(Partitions("/sys/class/block", "/dev"), guid) }

func find(all []Partition, guid string) (found Partition, err error) {
	for _, p := range all {
		if p.GUID != guid {
			continue
		}
		if found.Device != "" {
			// Two disks with the same image: which was started from cannot be told.
			return found, fmt.Errorf("%s and %s are copies of the same disk; take one of them out", found.Device, p.Device)
		}
		found = p
	}
	if found.Device == "" {
		return found, fmt.Errorf("the EFI system partition %s that this start came from is on no disk now", guid)
	}
	return found, nil
}

// mountFolder is where the EFI system partition is mounted while it is needed.
const mountFolder = "/run/wirepatch/esp"

// mounting is held while it is.
var mounting sync.Mutex

// With mounts the EFI system partition with that GUID, calls do and unmounts it.
// It is mounted no longer than that, and every change of a name is on the disk
// before the next one: what is not mounted cannot be torn by a power cut.
func With(guid string, do func(Dir) error) error { return mounted(guid, 0, do) }

// Read is With for who changes nothing: then mounting writes nothing either.
func Read(guid string, do func(Dir) error) error { return mounted(guid, unix.MS_RDONLY, do) }

func mounted(guid string, flags uintptr, do func(Dir) error) error {
	mounting.Lock()
	defer mounting.Unlock()
	p, err := Find(guid)
	if err != nil {
		return err
	}
	device := p.Device
	if err := os.MkdirAll(mountFolder, 0o700); err != nil {
		return err
	}
	flags |= unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_DIRSYNC
	if err := unix.Mount(device, mountFolder, "vfat", flags, "umask=0077"); err != nil {
		return fmt.Errorf("mount EFI system partition %s: %w", device, err)
	}
	return errors.Join(do(mountFolder), unix.Unmount(mountFolder, 0))
}

// Mend repairs what a power cut left of the EFI system partition with that GUID,
// which must not be mounted. It says what it did.
func Mend(guid string) (done []string, err error) {
	p, err := Find(guid)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p.Device, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	done, err = fat.Mend(f, Folder, Weigh)
	return done, errors.Join(err, f.Close())
}

// Weigh orders names in the folder by how much they count when two of them claim
// the same bytes: confirmed before on trial, newer before older, the name that a
// rename leads to before the one that it comes from, what is no slot last.
func Weigh(a, b string) int {
	x, xok := Parse(a)
	y, yok := Parse(b)
	number := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(number(xok), number(yok)), cmp.Compare(number(!x.Counting), number(!y.Counting)),
		Compare(y.Version, x.Version), cmp.Compare(y.Done, x.Done), cmp.Compare(x.Left, y.Left))
}
