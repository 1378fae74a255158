// Package superblock recognizes an ext4 file system by its superblock, to find
// the data partition by its label. It does not mount.
package superblock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// The superblock of ext2, ext3 and ext4: kernel, Documentation/filesystems/ext4/super.rst.
const (
	start     = 1024 // bytes into the device
	size      = 1024
	magicAt   = 0x38
	labelAt   = 0x78
	labelSize = 16
	magic     = 0xef53
)

// ErrNotExt says that there is no such file system.
var ErrNotExt = errors.New("no ext4 superblock")

// Label returns the label of the file system on the device or image at path.
func Label(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, size)
	if _, err := f.ReadAt(b, start); err != nil {
		return "", fmt.Errorf("read superblock of %s: %w", path, err)
	}
	return parse(b)
}

func parse(b []byte) (string, error) {
	if len(b) < labelAt+labelSize || binary.LittleEndian.Uint16(b[magicAt:]) != magic {
		return "", ErrNotExt
	}
	label, _, _ := bytes.Cut(b[labelAt:labelAt+labelSize], []byte{0})
	return string(label), nil
}

// Find returns the device with that label among those that the folder sys
// (/sys/class/block) names, "" when there is none. Devices that cannot be read
// are passed over: an empty card reader is no fault.
func Find(sys, dev, label string) string {
	names, err := os.ReadDir(sys)
	if err != nil {
		return ""
	}
	slices.SortFunc(names, func(a, b os.DirEntry) int { return bytes.Compare([]byte(a.Name()), []byte(b.Name())) })
	for _, n := range names {
		path := filepath.Join(dev, n.Name())
		if got, err := Label(path); err == nil && got == label {
			return path
		}
	}
	return ""
}
