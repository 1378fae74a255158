// Package cut takes the power from a recorded machine at every write to its disk.
// QEMU's driver blklogwrites records what a machine writes and when it has the
// disk empty its cache; this package replays the record and shows every content
// that the disk can have had at a power cut. It knows nothing of what is on the
// disk: the tests look at that.
package cut

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The log's form is that of Linux's dm-log-writes
// (Documentation/admin-guide/device-mapper/log-writes.rst): a sector that says
// what it is, then for each operation a sector and the data.
const (
	logMagic   = 0x6a736677736872
	sectorSize = 512

	flagFlush   = 1
	flagFUA     = 2
	flagDiscard = 4
)

// Op is one operation of a disk. A write that was to be on the disk when it ended
// (FUA) is taken for an ordinary one, which may be lost.
type Op struct {
	At    int64  // bytes into the disk
	Data  []byte // nil: none
	Flush bool   // the disk has emptied its cache of what was written before
}

// Read reads a log to its end. A record that was being written when the power
// went is left out.
func Read(path string) ([]Op, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, sectorSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	le := binary.LittleEndian
	if le.Uint64(head) != logMagic || le.Uint32(head[24:]) != sectorSize {
		return nil, errors.New("read log: it is no log of writes with sectors of 512 bytes")
	}
	var out []Op
	for n := le.Uint64(head[16:]); n > 0; n-- {
		if _, err := io.ReadFull(r, head); err != nil {
			return nil, fmt.Errorf("read log, %d operations before its end: %w", n, err)
		}
		sectors, flags := le.Uint64(head[8:]), le.Uint64(head[16:])
		if flags&^uint64(flagFlush|flagFUA|flagDiscard) != 0 || sectors > 1<<20 {
			return nil, fmt.Errorf("read log: operation %d is none: %d sectors, flags %#x", len(out), sectors, flags)
		}
		op := Op{At: int64(le.Uint64(head)) * sectorSize, Flush: flags&flagFlush != 0}
		if flags&flagDiscard == 0 && sectors > 0 {
			op.Data = make([]byte, sectors*sectorSize)
			if _, err := io.ReadFull(r, op.Data); err != nil {
				return nil, fmt.Errorf("read log, %d operations before its end: %w", n, err)
			}
		}
		out = append(out, op)
	}
	return out, nil
}
