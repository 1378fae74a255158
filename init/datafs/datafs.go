// Package datafs makes, checks and grows the file system of the data partition.
// It is written from a template of a few kilobytes and then grown by the kernel,
// so that the image needs no mkfs; e2fsck, the one foreign program of the image,
// repairs it. It does not mount.
package datafs

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unsafe"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

//go:generate ./template.sh
//go:embed template.ext4.zst
var template []byte

// block is what is written first and last: first with a mark, then, once all else
// is there, with the superblock, and the mark is taken away. A start that finds
// the mark begins anew.
const (
	block  = 4096
	sector = 512
)

const mark = "wirepatch: a file system is being made\n"

// Make makes the file system on the device at path, and all of what was there
// before is gone.
func Make(path string) error {
	z, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer z.Close()
	all, err := z.DecodeAll(template, nil)
	if err != nil {
		return fmt.Errorf("make file system: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("make file system: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size < int64(len(all)) {
		return errors.Join(fmt.Errorf("make file system: the partition has %d bytes; want at least %d", size, len(all)), err)
	}
	begun := make([]byte, block)
	copy(begun, mark)
	for _, piece := range []struct {
		at    int64
		bytes []byte
	}{{0, begun}, {block, all[block:]}, {sector, all[sector:block]}, {0, all[:sector]}} {
		if _, err := f.WriteAt(piece.bytes, piece.at); err != nil {
			return fmt.Errorf("make file system: %w", err)
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("make file system: %w", err)
		}
	}
	return nil
}

// Fresh says whether the device has never had a file system: its first megabyte
// is all zeros, or Make did not come to its end.
func Fresh(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	if _, err := io.ReadFull(f, b); err != nil {
		return false
	}
	return bytes.HasPrefix(b, []byte(mark)) || len(bytes.Trim(b, "\x00")) == 0
}

// Trim has the disk under a mounted file system discard what is in its free room.
// Not every disk can.
func Trim(mounted string) error {
	m, err := os.Open(mounted)
	if err != nil {
		return err
	}
	defer m.Close()
	// struct fstrim_range of include/uapi/linux/fs.h: all of it.
	all := struct{ start, length, least uint64 }{length: math.MaxUint64}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, m.Fd(), trim, uintptr(unsafe.Pointer(&all))); errno != 0 {
		return fmt.Errorf("discard free room: %w", errno)
	}
	return nil
}

// trim is FITRIM of include/uapi/linux/fs.h.
const trim = 0xc0185879

// resize is EXT4_IOC_RESIZE_FS of the kernel's fs/ext4/ext4.h.
const resize = 0x40086610

// Grow makes the mounted file system as large as its device. One that is so
// already stays as it is.
func Grow(mounted, device string) error {
	d, err := os.Open(device)
	if err != nil {
		return err
	}
	defer d.Close()
	size, err := d.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(mounted, &s); err != nil {
		return err
	}
	blocks := uint64(size) / uint64(s.Bsize)
	m, err := os.Open(mounted)
	if err != nil {
		return err
	}
	defer m.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, m.Fd(), resize, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("grow file system to %d blocks: %w", blocks, errno)
	}
	return nil
}
