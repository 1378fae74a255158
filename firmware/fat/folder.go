package fat

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// A folder's entries: the specification, 6 and 7.
const (
	entrySize  = 32
	attrAt     = 11
	caseAt     = 12
	highAt     = 20
	lowAt      = 26
	sizeAt     = 28
	erased     = 0xe5
	attrLabel  = 0x08
	attrFolder = 0x10
	attrLong   = 0x0f
	lastLong   = 0x40
	longChars  = 13
)

// What is read of a file system, at most.
const (
	maxDepth   = 8
	maxEntries = 10_000
)

// File is a file or folder.
type File struct {
	Name   string // the long one, if it has one
	Folder bool
	Size   uint32
	Start  uint32  // its first cluster; 0: none
	spots  []int64 // where its entries lie, on the volume; the short one last
}

// List returns what is in a folder, by path as EFI/Linux.
func (v *Volume) List(path string) ([]File, error) {
	at := v.root
	for part := range strings.SplitSeq(path, "/") {
		all, err := v.folder(at)
		if err != nil {
			return nil, err
		}
		found := false
		for _, f := range all {
			if f.Folder && strings.EqualFold(f.Name, part) {
				at, found = f.Start, true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no folder %s", path)
		}
	}
	return v.folder(at)
}

// folder reads one folder.
func (v *Volume) folder(start uint32) (out []File, err error) {
	clusters, _ := v.chain(start)
	var long longName
	b := make([]byte, v.cluster)
	for _, c := range clusters {
		if _, err := v.from.ReadAt(b, v.at(c)); err != nil {
			return nil, fmt.Errorf("read folder: %w", err)
		}
		for i := int64(0); i < v.cluster; i += entrySize {
			e, spot := b[i:i+entrySize], v.at(c)+i
			switch {
			case e[0] == 0:
				return out, nil
			case e[0] == erased:
				long = longName{}
			case e[attrAt]&attrLong == attrLong:
				long.add(e, spot)
			case e[attrAt]&attrLabel != 0 || e[0] == '.':
				long = longName{}
			default:
				f := File{Folder: e[attrAt]&attrFolder != 0, Size: binary.LittleEndian.Uint32(e[sizeAt:])}
				f.Start = uint32(binary.LittleEndian.Uint16(e[highAt:]))<<16 | uint32(binary.LittleEndian.Uint16(e[lowAt:]))
				if f.Name = long.of(e); f.Name == "" {
					f.Name, long.spots = shortName(e), nil
				}
				f.spots = append(long.spots, spot)
				if out = append(out, f); len(out) > maxEntries {
					return nil, ErrForm
				}
				long = longName{}
			}
		}
	}
	return out, nil
}

// longName is a long name as its entries are read, the last part first.
type longName struct {
	units []uint16
	spots []int64
	next  byte // number of the part that must come
	sum   byte
}

func (l *longName) add(e []byte, spot int64) {
	n := e[0] &^ lastLong
	if e[0]&lastLong != 0 {
		*l = longName{next: n, sum: e[13]}
	}
	if n == 0 || n != l.next || e[13] != l.sum || n > 20 {
		*l = longName{}
		return
	}
	var part []uint16
	for _, r := range [][2]int{{1, 11}, {14, 26}, {28, 32}} {
		for i := r[0]; i < r[1]; i += 2 {
			part = append(part, binary.LittleEndian.Uint16(e[i:]))
		}
	}
	l.units, l.spots, l.next = append(part, l.units...), append(l.spots, spot), n-1
}

// of returns the name, if it belongs to the short entry e; else "".
func (l *longName) of(e []byte) string {
	if len(l.units) == 0 || l.next != 0 || checksum(e[:11]) != l.sum {
		return ""
	}
	for i, u := range l.units {
		if u == 0 {
			return string(utf16.Decode(l.units[:i]))
		}
	}
	return string(utf16.Decode(l.units))
}

func checksum(short []byte) (sum byte) {
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

func shortName(e []byte) string {
	base, ext := strings.TrimRight(string(e[:8]), " "), strings.TrimRight(string(e[8:11]), " ")
	if e[caseAt]&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if e[caseAt]&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext != "" {
		base += "." + ext
	}
	return base
}
