package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Device is what a file system lies on.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// Mend repairs what a power cut can leave: a file under two names, of which a
// rename had written the one and not yet erased the other; a name without a file,
// which it had written and not yet led to the file; a name whose file lost
// its clusters; clusters that are no file's; two copies of the table that differ.
// compare orders the names in the folder: that which comes first stays, of two
// for one file and of two files that claim a cluster. Each write is one sector and on the disk
// before the next, so that a cut in the middle leaves what can be mended again.
// It says what it did.
func Mend(d Device, folder string, compare func(a, b string) int) (done []string, err error) {
	v, err := Open(d)
	if err != nil {
		return nil, err
	}
	m := mender{Volume: v, to: d, owner: make([]bool, len(v.table))}
	ours, err := v.List(folder)
	if err != nil {
		return nil, err
	}
	ours = slices.DeleteFunc(ours, func(f File) bool { return f.Folder })
	if err := m.claimOthers(v.root, ours, 0); err != nil {
		return nil, err
	}
	slices.SortStableFunc(ours, func(a, b File) int { return compare(a.Name, b.Name) })
	var bad []File
	for _, f := range ours {
		if m.sound(f) {
			m.claim(f.Start)
		} else {
			bad = append(bad, f)
		}
	}
	for _, f := range bad {
		if len(bad) == len(ours) {
			// There is nothing better: it stays.
			m.claim(f.Start)
		} else if err := m.erase(f); err != nil {
			return m.done, err
		}
	}
	return m.done, m.tidy()
}

type mender struct {
	*Volume
	to    Device
	owner []bool // clusters that are some file's
	done  []string
}

// claimOthers claims the clusters of all but the files in question.
func (m *mender) claimOthers(dir uint32, except []File, depth int) error {
	if depth > maxDepth {
		return errors.New("folders lie too deep")
	}
	m.claim(dir)
	all, err := m.folder(dir)
	if err != nil {
		return err
	}
	for _, f := range all {
		ours := slices.ContainsFunc(except, func(o File) bool { return o.spots[len(o.spots)-1] == f.spots[len(f.spots)-1] })
		switch {
		case ours:
		case f.Folder && (int(f.Start) >= len(m.owner) || m.owner[f.Start]):
			return fmt.Errorf("folder %s is damaged", f.Name)
		case f.Folder:
			if err := m.claimOthers(f.Start, except, depth+1); err != nil {
				return err
			}
		default:
			m.claim(f.Start)
		}
	}
	return nil
}

func (m *mender) claim(start uint32) {
	all, _ := m.chain(start)
	for _, c := range all {
		m.owner[c] = true
	}
}

// sound says whether a file has something in it, all its clusters, and for itself.
// A rename begins with a name that has no clusters yet.
func (m *mender) sound(f File) bool {
	all, whole := m.chain(f.Start)
	if !whole || int64(len(all))*m.cluster < int64(f.Size) {
		return false
	}
	return f.Size > 0 && !slices.ContainsFunc(all, func(c uint32) bool { return m.owner[c] })
}

// erase takes a name away, and leaves the clusters alone. The short entry goes
// first: without it the others are no name.
func (m *mender) erase(f File) error {
	for _, spot := range slices.Backward(f.spots) {
		if err := m.write([]byte{erased}, spot); err != nil {
			return err
		}
	}
	m.done = append(m.done, "name "+f.Name+" removed")
	return nil
}

// tidy frees the clusters that are nobody's, and makes the copies of the table
// alike.
func (m *mender) tidy() error {
	lost := 0
	for c := first; c < len(m.table); c++ {
		if m.table[c] != 0 && m.table[c] != badMark && !m.owner[c] {
			m.table[c] = 0
			lost++
		}
	}
	if lost > 0 {
		m.done = append(m.done, fmt.Sprintf("%d clusters freed", lost))
	}
	differ := false
	want, have := make([]byte, sectorSize), make([]byte, sectorSize)
	for copy := range m.tables {
		at := m.tableAt + int64(copy)*m.size
		for s := 0; s < 4*len(m.table); s += sectorSize {
			if _, err := m.from.ReadAt(have, at+int64(s)); err != nil {
				return err
			}
			m.sector(want, have, s/4)
			if string(want) == string(have) {
				continue
			}
			differ = differ || lost == 0
			if err := m.write(want, at+int64(s)); err != nil {
				return err
			}
		}
	}
	if differ {
		m.done = append(m.done, "copies of the table made alike")
	}
	return nil
}

// sector makes one sector of the table, from an entry on. The upper bits of an
// entry, and the first two entries, stay as they are.
func (m *mender) sector(want, have []byte, from int) {
	copy(want, have)
	for i := range sectorSize / 4 {
		c := from + i
		if c < first || c >= len(m.table) {
			continue
		}
		old := binary.LittleEndian.Uint32(have[4*i:])
		binary.LittleEndian.PutUint32(want[4*i:], old&^entryMask|m.table[c])
	}
}

func (m *mender) write(b []byte, at int64) error {
	if _, err := m.to.WriteAt(b, at); err != nil {
		return fmt.Errorf("mend: %w", err)
	}
	return m.to.Sync()
}
