package install

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

const (
	sector = 512
	// dataMost is as large as the data partition becomes: the history is bounded,
	// and the first start need not make more.
	dataMost = 16 << 30
	// tail is where the table's copy lies, at the disk's end.
	tail = 1 << 20
)

// partition writes the image's partition table for a disk of that size.
func (i *image) partition(f *os.File, size int64) error {
	t, err := i.read()
	if err != nil {
		return err
	}
	if err := adapt(t, size); err != nil {
		return err
	}
	return t.Write(f, size)
}

// read reads the table from the image's head.
func (i *image) read() (*gpt.Table, error) {
	tmp, err := os.CreateTemp("", "table")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(i.table); err != nil {
		return nil, err
	}
	if err := tmp.Truncate(i.size); err != nil {
		return nil, err
	}
	t, err := gpt.Read(file.New(tmp, true), sector, sector)
	if err != nil {
		return nil, err
	}
	// Without what it remembers of the image's end.
	return &gpt.Table{Partitions: t.Partitions, LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true}, nil
}

// adapt gives the table GUIDs that no other disk has, so that two boxes' disks in
// one machine can be told apart, and lets the last partition fill the disk.
func adapt(t *gpt.Table, size int64) error {
	guids := []*string{&t.GUID}
	var last *gpt.Partition
	for _, p := range t.Partitions {
		if p.Type == gpt.Unused {
			continue
		}
		guids = append(guids, &p.GUID)
		if last == nil || p.Start > last.Start {
			last = p
		}
	}
	if last == nil {
		return errors.New("the image has no partitions")
	}
	for _, g := range guids {
		*g = guid()
	}
	end := min((size-tail)/sector, int64(last.Start)+dataMost/sector)
	if end <= int64(last.End) {
		return nil
	}
	last.End = uint64(end) - 1
	last.Size = (last.End - last.Start + 1) * sector
	return nil
}

// guid makes a random one (RFC 9562, version 4).
func guid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
