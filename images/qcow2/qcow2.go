// Package qcow2 writes a disk image in QEMU's format (docs/interop/qcow2.txt of
// QEMU), version 2: what is all zeros takes no room. It only writes, once.
package qcow2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	clusterBits = 16
	cluster     = 1 << clusterBits
	perTable    = cluster / 8 // entries of an L2 table
	perRefs     = cluster / 2 // entries of a refcount block
	copied      = 1 << 63     // its refcount is one
	magic       = 0x514649fb
)

// header is version 2's.
type header struct {
	Magic, Version   uint32
	BackingOffset    uint64
	BackingSize      uint32
	ClusterBits      uint32
	Size             uint64
	Crypt            uint32
	L1Size           uint32
	L1Offset         uint64
	RefTableOffset   uint64
	RefTableClusters uint32
	Snapshots        uint32
	SnapshotsOffset  uint64
}

// Write writes the disk of size bytes in r to w.
func Write(w io.WriterAt, r io.ReaderAt, size int64) error {
	clusters := (size + cluster - 1) / cluster
	tables := (clusters + perTable - 1) / perTable
	if tables*8 > cluster {
		return fmt.Errorf("write qcow2: a disk of %d bytes is too large", size)
	}
	// In the file: header, L1, the refcount table, then L2 tables and data as
	// they come, last the refcount blocks.
	q := writer{w: w, next: 3}
	l1 := make([]byte, cluster)
	for t := range tables {
		at, err := q.table(r, t, size)
		if err != nil {
			return err
		}
		if at != 0 {
			binary.BigEndian.PutUint64(l1[t*8:], at|copied)
		}
	}
	if err := q.references(); err != nil {
		return err
	}
	h := header{Magic: magic, Version: 2, ClusterBits: clusterBits, Size: uint64(size), L1Size: uint32(tables),
		L1Offset: cluster, RefTableOffset: 2 * cluster, RefTableClusters: 1}
	var b bytes.Buffer
	binary.Write(&b, binary.BigEndian, h)
	if err := q.put(0, append(b.Bytes(), make([]byte, cluster-b.Len())...)); err != nil {
		return err
	}
	return q.put(1, l1)
}

type writer struct {
	w    io.WriterAt
	next int64 // cluster of the file that is free
}

func (q *writer) put(at int64, b []byte) error {
	_, err := q.w.WriteAt(b, at*cluster)
	return err
}

// table writes the clusters of one L2 table, and it, unless all are zeros.
func (q *writer) table(r io.ReaderAt, t, size int64) (uint64, error) {
	l2, used := make([]byte, cluster), false
	b, zero := make([]byte, cluster), make([]byte, cluster)
	for i := range int64(perTable) {
		at := (t*perTable + i) * cluster
		if at >= size {
			break
		}
		n, err := r.ReadAt(b, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		clear(b[n:])
		if bytes.Equal(b, zero) {
			continue
		}
		used = true
		binary.BigEndian.PutUint64(l2[i*8:], uint64(q.next*cluster)|copied)
		if err := q.put(q.next, b); err != nil {
			return 0, err
		}
		q.next++
	}
	if !used {
		return 0, nil
	}
	q.next++
	return uint64((q.next - 1) * cluster), q.put(q.next-1, l2)
}

// references writes that each cluster of the file is used once.
func (q *writer) references() error {
	blocks := int64(1)
	for blocks*perRefs < q.next+blocks {
		blocks++
	}
	list, first, total := make([]byte, cluster), q.next, q.next+blocks
	for i := range blocks {
		b := make([]byte, cluster)
		for c := range min(int64(perRefs), total-i*perRefs) {
			binary.BigEndian.PutUint16(b[c*2:], 1)
		}
		binary.BigEndian.PutUint64(list[i*8:], uint64((first+i)*cluster))
		if err := q.put(first+i, b); err != nil {
			return err
		}
	}
	return q.put(2, list)
}
