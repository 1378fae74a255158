package slot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Dir is a mounted EFI system partition. Its methods leave, wherever the power
// fails, a slot that starts: FAT keeps no journal, so the confirmed slot is never
// touched, and each step is on the disk before the next one begins.
type Dir string

const partial = ".new" // a file that is being written; systemd-boot passes over it

func (d Dir) path(file string) string { return filepath.Join(string(d), Folder, file) }

// List returns the slots, newest first.
func (d Dir) List() ([]Slot, error) {
	all, err := os.ReadDir(filepath.Join(string(d), Folder))
	if err != nil {
		return nil, fmt.Errorf("list slots: %w", err)
	}
	var out []Slot
	for _, e := range all {
		if s, ok := Parse(e.Name()); ok {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Slot) int { return Compare(b.Version, a.Version) })
	return out, nil
}

// Find returns the slot with that ID.
func (d Dir) Find(id string) (Slot, error) {
	all, err := d.List()
	if err != nil {
		return Slot{}, err
	}
	i := slices.IndexFunc(all, func(s Slot) bool { return s.ID() == id })
	if i < 0 {
		return Slot{}, fmt.Errorf("slot %s is not on the EFI system partition: %w", id, fs.ErrNotExist)
	}
	return all[i], nil
}

// Open opens the slot's file.
func (d Dir) Open(s Slot) (*os.File, error) { return os.Open(d.path(s.File())) }

// Rename gives slot from the name of slot to, which says another state.
func (d Dir) Rename(from, to Slot) error {
	if from.File() == to.File() {
		return nil
	}
	if err := os.Rename(d.path(from.File()), d.path(to.File())); err != nil {
		return fmt.Errorf("rename slot: %w", err)
	}
	return d.sync()
}

// Install puts a new slot in, in place of all but keep, the confirmed one. What
// was written is read back from the disk and must pass check before the boot
// loader gets to see it.
func (d Dir) Install(s, keep Slot, content io.Reader, size int64, check func(io.Reader) error) error {
	if err := d.clear(keep); err != nil {
		return err
	}
	if err := d.room(size); err != nil {
		return err
	}
	tmp := d.path(s.ID() + partial)
	if err := write(tmp, content, size); err != nil {
		return errors.Join(fmt.Errorf("write slot: %w", err), os.Remove(tmp))
	}
	if err := d.readBack(tmp, check); err != nil {
		return errors.Join(fmt.Errorf("check slot as written: %w", err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, d.path(s.File())); err != nil {
		return fmt.Errorf("name slot: %w", err)
	}
	return d.sync()
}

// clear removes everything of ours but the slot to keep.
func (d Dir) clear(keep Slot) error {
	all, err := os.ReadDir(filepath.Join(string(d), Folder))
	if err != nil {
		return err
	}
	for _, e := range all {
		s, ok := Parse(e.Name())
		if ok && s == keep || !ok && filepath.Ext(e.Name()) != partial {
			continue
		}
		if err := os.Remove(d.path(e.Name())); err != nil {
			return fmt.Errorf("remove old slot: %w", err)
		}
	}
	return d.sync()
}

// ErrNoRoom says that the EFI system partition is too full.
var ErrNoRoom = errors.New("the EFI system partition has not enough room")

func (d Dir) room(size int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(string(d), &s); err != nil {
		return err
	}
	if free := int64(s.Bavail) * s.Bsize; size > free {
		return fmt.Errorf("%w: %d bytes are free; the firmware has %d", ErrNoRoom, free, size)
	}
	return nil
}

func write(path string, content io.Reader, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, size))
	if err == nil && n != size {
		err = fmt.Errorf("got %d bytes, want %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// readBack reads the file from the disk, not from memory.
func (d Dir) readBack(path string, check func(io.Reader) error) error {
	if err := d.sync(); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return err
	}
	return check(f)
}

// sync brings everything of the partition onto the disk. On FAT only fsync has
// the disk empty its cache, syncfs does not.
func (d Dir) sync() error {
	f, err := os.Open(filepath.Join(string(d), Folder))
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Sync(), f.Close())
}
