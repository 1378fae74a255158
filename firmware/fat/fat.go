// Package fat reads FAT32 file systems as a machine's firmware does, and mends
// what a power cut left of one: the EFI system partition has no journal. init has
// it mended before it is mounted; Linux's driver would take the same cluster for
// two files' and, with the one, free the other's. It writes no files.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The boot sector's fields: Microsoft's FAT specification, 3.1 to 3.3.
const (
	sectorSize  = 512
	bytesPerAt  = 11
	perCluster  = 13
	reservedAt  = 14
	fatsAt      = 16
	rootSizeAt  = 17
	sectors32At = 32
	fatSizeAt   = 36
	rootAt      = 44
)

// A cluster's entry in the table.
const (
	entryMask = 0x0fffffff
	lastMark  = 0x0ffffff8 // and above: the chain ends here
	badMark   = 0x0ffffff7
	first     = 2 // the first cluster that there is
)

// maxClusters bounds what is read into memory; the partition has 73,000.
const maxClusters = 4 << 20

// ErrForm says that there is no FAT32 file system that this package reads.
var ErrForm = errors.New("no FAT32 file system")

// Volume is a file system's table, and where its parts lie.
type Volume struct {
	from    io.ReaderAt
	cluster int64 // bytes
	tableAt int64 // the first copy; bytes
	tables  int
	size    int64 // of one copy, in bytes
	dataAt  int64 // of cluster 2
	root    uint32
	table   []uint32 // by cluster
}

// Open reads the table.
func Open(from io.ReaderAt) (*Volume, error) {
	b := make([]byte, sectorSize)
	if _, err := from.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("read boot sector: %w", err)
	}
	le := binary.LittleEndian
	v := &Volume{from: from, tables: int(b[fatsAt]), root: le.Uint32(b[rootAt:])}
	total := int64(le.Uint32(b[sectors32At:])) * sectorSize
	v.cluster, v.size = int64(b[perCluster])*sectorSize, int64(le.Uint32(b[fatSizeAt:]))*sectorSize
	v.tableAt = int64(le.Uint16(b[reservedAt:])) * sectorSize
	v.dataAt = v.tableAt + int64(v.tables)*v.size
	if b[510] != 0x55 || b[511] != 0xaa || le.Uint16(b[bytesPerAt:]) != sectorSize || le.Uint16(b[rootSizeAt:]) != 0 ||
		v.cluster == 0 || v.tables < 1 || v.tables > 2 || v.size == 0 || v.tableAt == 0 || v.dataAt >= total {
		return nil, ErrForm
	}
	// Some programs make a table that is short of the last clusters.
	n := min(first+(total-v.dataAt)/v.cluster, v.size/4)
	if n > maxClusters || n <= first {
		return nil, ErrForm
	}
	raw := make([]byte, n*4)
	if _, err := from.ReadAt(raw, v.tableAt); err != nil {
		return nil, fmt.Errorf("read file allocation table: %w", err)
	}
	v.table = make([]uint32, n)
	for i := range v.table {
		v.table[i] = le.Uint32(raw[4*i:]) & entryMask
	}
	return v, nil
}

// chain returns the clusters from start on, and whether they end as they should:
// not in a free or bad one, nor in a circle.
func (v *Volume) chain(start uint32) (all []uint32, whole bool) {
	for c := start; ; {
		if c < first || int(c) >= len(v.table) || len(all) >= len(v.table) {
			return all, false
		}
		all = append(all, c)
		next := v.table[c]
		if next >= lastMark {
			return all, true
		}
		c = next
	}
}

// Clusters are those of a file, as far as they go.
func (v *Volume) Clusters(f File) []uint32 {
	all, _ := v.chain(f.Start)
	return all
}

// at is where a cluster lies.
func (v *Volume) at(c uint32) int64 { return v.dataAt + int64(c-first)*v.cluster }

// Read returns a file's content as far as its clusters go.
func (v *Volume) Read(f File) ([]byte, error) {
	all, _ := v.chain(f.Start)
	if most := (int64(f.Size) + v.cluster - 1) / v.cluster; int64(len(all)) > most {
		all = all[:most]
	}
	out := make([]byte, 0, int64(len(all))*v.cluster)
	for i := 0; i < len(all); {
		// Neighbours are read as one.
		n := 1
		for i+n < len(all) && all[i+n] == all[i]+uint32(n) {
			n++
		}
		from := len(out)
		out = out[:from+n*int(v.cluster)]
		if _, err := v.from.ReadAt(out[from:], v.at(all[i])); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name, err)
		}
		i += n
	}
	return out[:min(len(out), int(f.Size))], nil
}
