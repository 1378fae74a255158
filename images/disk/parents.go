package disk

import (
	"encoding/binary"
	"errors"
	"io"
)

// A folder's entry in FAT32 (Microsoft's FAT specification, section 6).
const (
	entrySize     = 32
	attributes    = 11
	clusterHigh   = 20
	clusterLow    = 26
	longName      = 0x0f
	folderFlag    = 0x10
	bytesInSector = 11 // from here on in the boot sector
	sectorsInUnit = 13
	reserved      = 14
	tables        = 16
	tableSectors  = 36
	rootCluster   = 44
)

// correctParents makes ".." of each folder in the root say cluster 0, as the
// specification wants it of the root; diskfs writes the root's real cluster, and
// every checker complains.
func correctParents(w io.WriterAt, r io.ReaderAt) error {
	boot := make([]byte, sector)
	if _, err := r.ReadAt(boot, 0); err != nil {
		return err
	}
	le := binary.LittleEndian
	bytes, unit := int64(le.Uint16(boot[bytesInSector:])), int64(boot[sectorsInUnit])
	if bytes == 0 || unit == 0 {
		return errors.New("correct folders: no FAT32")
	}
	data := int64(le.Uint16(boot[reserved:])) + int64(boot[tables])*int64(le.Uint32(boot[tableSectors:]))
	at := func(cluster uint32) int64 { return (data + int64(cluster-2)*unit) * bytes }
	root := make([]byte, unit*bytes)
	if _, err := r.ReadAt(root, at(le.Uint32(boot[rootCluster:]))); err != nil {
		return err
	}
	for ; len(root) >= entrySize && root[0] != 0; root = root[entrySize:] {
		if root[attributes]&longName == longName || root[attributes]&folderFlag == 0 {
			continue
		}
		parent := at(uint32(le.Uint16(root[clusterHigh:]))<<16|uint32(le.Uint16(root[clusterLow:]))) + entrySize
		for _, field := range []int64{clusterHigh, clusterLow} {
			if _, err := w.WriteAt([]byte{0, 0}, parent+field); err != nil {
				return err
			}
		}
	}
	return nil
}
