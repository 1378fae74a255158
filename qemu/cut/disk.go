package cut

import (
	"hash/maphash"
	"io"
	"slices"
)

// Disk is a disk's content while a record is replayed.
type Disk struct {
	under   io.ReaderAt // the disk before
	ops     []Op
	pieces  [][]*piece // of each operation, once it was needed
	sectors map[int64]*piece
	regions []Region
	sums    []uint64
}

// Region is a part of the disk that is looked at by itself.
type Region struct{ At, Size int64 }

// piece is what a sector holds.
type piece struct {
	b   []byte
	sum uint64 // 0: as at first
}

// Ignore leaves a write out of the sums: what it wrote makes no difference to
// whoever looks at the disk.
func (d *Disk) Ignore(op int) {
	for _, p := range d.of(op) {
		p.sum = 0
	}
}

// NewDisk returns a disk over what lies in under, on which nothing was done yet.
func NewDisk(under io.ReaderAt, ops []Op, regions ...Region) *Disk {
	return &Disk{under: under, ops: ops, pieces: make([][]*piece, len(ops)), sectors: map[int64]*piece{}, regions: regions, sums: make([]uint64, len(regions))}
}

// Sum tells two contents of a region apart. The same content has the same sum,
// whatever way led to it.
func (d *Disk) Sum(region int) uint64 { return d.sums[region] }

// Undo takes a write back.
type Undo struct {
	op  int
	was []*piece
}

// Write does one operation's write, and returns the way back.
func (d *Disk) Write(op int) Undo { return d.tear(op, len(d.of(op))) }

// tear does a write of which only the first sectors arrive.
func (d *Disk) tear(op, sectors int) Undo {
	u := Undo{op: op}
	first := d.ops[op].At / sectorSize
	for i, p := range d.of(op)[:sectors] {
		u.was = append(u.was, d.put(first+int64(i), p))
	}
	return u
}

// Undo takes a write back; of several, the last one first.
func (d *Disk) Undo(u Undo) {
	for i, p := range u.was {
		d.put(d.ops[u.op].At/sectorSize+int64(i), p)
	}
}

// put sets a sector and returns what was there; nil is what lies under it. Sums
// are put together by exclusive or: the order does not matter, and what is taken
// back is gone.
func (d *Disk) put(s int64, p *piece) (was *piece) {
	was = d.sectors[s]
	change := uint64(0)
	if was != nil {
		change ^= was.sum
	}
	if p != nil {
		change ^= p.sum
		d.sectors[s] = p
	} else {
		delete(d.sectors, s)
	}
	for i, r := range d.regions {
		if at := s * sectorSize; at >= r.At && at < r.At+r.Size {
			d.sums[i] ^= change
		}
	}
	return was
}

var seed = maphash.MakeSeed()

// of returns the sectors of an operation.
func (d *Disk) of(op int) []*piece {
	if d.pieces[op] != nil {
		return d.pieces[op]
	}
	o, was := d.ops[op], make([]byte, sectorSize)
	for i := 0; i < len(o.Data); i += sectorSize {
		p := &piece{b: o.Data[i : i+sectorSize]}
		if _, err := d.under.ReadAt(was, o.At+int64(i)); err != nil || string(was) != string(p.b) {
			var h maphash.Hash
			h.SetSeed(seed)
			maphash.WriteComparable(&h, o.At+int64(i))
			h.Write(p.b)
			p.sum = h.Sum64()
		}
		d.pieces[op] = append(d.pieces[op], p)
	}
	return d.pieces[op]
}

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(b []byte, at int64) (int, error) {
	n, err := d.under.ReadAt(b, at)
	for s := at / sectorSize; s*sectorSize < at+int64(n); s++ {
		p, ok := d.sectors[s]
		if !ok {
			continue
		}
		if from := s*sectorSize - at; from >= 0 {
			copy(b[from:n], p.b)
		} else {
			copy(b[:n], p.b[-from:])
		}
	}
	return n, err
}

// Changed calls do for each piece of a region that was written and makes a
// difference.
func (d *Disk) Changed(region int, do func(at int64, b []byte) error) error {
	r := d.regions[region]
	var all []int64
	for s, p := range d.sectors {
		if at := s * sectorSize; p.sum != 0 && at >= r.At && at < r.At+r.Size {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	for i := 0; i < len(all); {
		from, b := all[i], []byte(nil)
		for ; i < len(all) && all[i] == from+int64(len(b)/sectorSize); i++ {
			b = append(b, d.sectors[all[i]].b...)
		}
		if err := do(from*sectorSize-r.At, b); err != nil {
			return err
		}
	}
	return nil
}
