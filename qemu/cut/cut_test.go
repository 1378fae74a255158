package cut

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sector is a sector full of one letter.
func sector(letter byte) []byte { return bytes.Repeat([]byte{letter}, sectorSize) }

func write(at int64, letters string) Op {
	var b []byte
	for i := range len(letters) {
		b = append(b, sector(letters[i])...)
	}
	return Op{At: at * sectorSize, Data: b}
}

// letters is what a disk of four sectors has, one letter each.
func letters(t *testing.T, d *Disk) string {
	t.Helper()
	b := make([]byte, 4*sectorSize)
	if _, err := d.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i := range 4 {
		if s := b[i*sectorSize:][:sectorSize]; !bytes.Equal(s, sector(s[0])) {
			t.Fatalf("sector %d is torn", i)
		}
		out = append(out, b[i*sectorSize])
	}
	return string(out)
}

func TestReplay(t *testing.T) {
	flush := Op{Flush: true}
	for _, tt := range []struct {
		name string
		ops  []Op
		want string // contents, sorted
	}{
		{"nothing", nil, "...."},
		{"one write", []Op{write(0, "a")}, ".... a..."},
		{"a flush between: in order", []Op{write(0, "a"), flush, write(1, "b"), flush}, ".... a... ab.."},
		{"no flush between: in any", []Op{write(0, "a"), write(1, "b"), flush}, ".... .b.. a... ab.."},
		{"three", []Op{write(0, "a"), write(1, "b"), write(2, "c")}, ".... ..c. .b.. .bc. a... a.c. ab.. abc."},
		{"over each other", []Op{write(0, "aa"), write(1, "bb"), flush, write(0, "c")}, ".... .bb. a... aa.. ab.. abb. cbb."},
		{"one that is torn", []Op{write(0, "abc")}, ".... a... ab.. abc."},
		{"back to what was", []Op{write(0, "a"), flush, write(0, "."), flush}, ".... a..."},
		{"discards change nothing", []Op{{At: 0}, write(3, "d")}, ".... ...d"},
	} {
		d := NewDisk(bytes.NewReader(bytes.Repeat([]byte("."), 4*sectorSize)), tt.ops, Region{0, 4 * sectorSize}, Region{3 * sectorSize, sectorSize})
		sums, seen := map[string]uint64{}, map[uint64]string{}
		err := Replay(d, func(c Cut) error {
			l := letters(t, d)
			if s, ok := sums[l]; ok && s != d.Sum(0) {
				t.Errorf("%s: two sums for %s", tt.name, l)
			}
			if other, ok := seen[d.Sum(0)]; ok && other != l {
				t.Errorf("%s: %s and %s have the same sum", tt.name, l, other)
			}
			sums[l], seen[d.Sum(0)] = d.Sum(0), l
			again := bytes.Repeat([]byte("."), 4*sectorSize)
			if err := d.Changed(0, func(at int64, b []byte) error { copy(again[at:], b); return nil }); err != nil {
				return err
			}
			for i := range 4 {
				if again[i*sectorSize] != l[i] {
					t.Errorf("%s: what Changed gives makes %c of sector %d of %s", tt.name, again[i*sectorSize], i, l)
				}
			}
			if (l[3] == '.') != (d.Sum(1) == 0) {
				t.Errorf("%s: the sum of the last sector's region is %#x; it has %c", tt.name, d.Sum(1), l[3])
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		var got []string
		for l := range sums {
			got = append(got, l)
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: contents %s; want %s", tt.name, s, tt.want)
		}
	}
}

func TestRead(t *testing.T) {
	entry := func(at, sectors, flags uint64, data ...byte) []byte {
		b := make([]byte, sectorSize)
		for i, v := range []uint64{at, sectors, flags} {
			binary.LittleEndian.PutUint64(b[8*i:], v)
		}
		for _, l := range data {
			b = append(b, sector(l)...)
		}
		return b
	}
	head := func(n uint64) []byte {
		b := entry(logMagic, 1, n)
		binary.LittleEndian.PutUint32(b[24:], sectorSize)
		return b
	}
	path := filepath.Join(t.TempDir(), "log")
	good := bytes.Join([][]byte{head(4), entry(7, 2, 0, 'a', 'b'), entry(0, 0, flagFlush), entry(9, 4, flagDiscard), entry(3, 1, flagFUA, 'c'), []byte("not written to its end")}, nil)
	for name, b := range map[string][]byte{"good": good, "cut short": good[:5*sectorSize], "nonsense": sector('x'), "odd flags": append(head(1), entry(0, 0, 99)...)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		ops, err := Read(path)
		if name != "good" {
			if err == nil {
				t.Errorf("Read of a log that is %s = %v; want an error", name, ops)
			}
			continue
		}
		want := []Op{{At: 7 * sectorSize, Data: append(sector('a'), sector('b')...)}, {Flush: true}, {At: 9 * sectorSize}, {At: 3 * sectorSize, Data: sector('c')}}
		if err != nil || fmt.Sprint(ops) != fmt.Sprint(want) {
			t.Errorf("Read = %v, %v", ops, err)
		}
	}
}
