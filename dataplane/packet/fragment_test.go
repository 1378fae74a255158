package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// fragmentsOf cuts the datagram in frame at the payload offsets cuts, which are
// multiples of 8 and end with the payload's length.
func fragmentsOf(t *testing.T, frame []byte, id uint32, cuts ...int) [][]byte {
	t.Helper()
	var f Frame
	if err := f.Parse(frame); err != nil {
		t.Fatalf("Parse: %v", err)
	}
	var out [][]byte
	from := 0
	for i, to := range cuts {
		out = append(out, fragmentAt(&f, id, from, frame[f.L4+from:f.L4+to], i < len(cuts)-1))
		from = to
	}
	return out
}

// fragmentAt is a fragment of f's datagram with data at offset at.
func fragmentAt(f *Frame, id uint32, at int, data []byte, more bool) []byte {
	b := slices.Clone(f.Data[:f.L4])
	word := uint16(at)
	if !f.V6 {
		word /= 8
		if more {
			word |= 0x2000
		}
		b = append(b, data...)
		ip := b[f.L3:]
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
		binary.BigEndian.PutUint16(ip[4:], uint16(id))
		binary.BigEndian.PutUint16(ip[6:], word)
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^fold(sum(ip[:20], 0)))
		return b
	}
	if more {
		word |= 1
	}
	b[f.L3+6] = 44
	b = append(b, protoTCP, 0, byte(word>>8), byte(word))
	b = binary.BigEndian.AppendUint32(b, id)
	b = append(b, data...)
	binary.BigEndian.PutUint16(b[f.L3+4:], uint16(len(b)-f.L3-40))
	return b
}

// feed adds frames to r and returns the last whole datagram.
func feed(t *testing.T, r *Reassembler, frames ...[]byte) (whole []byte, parts [][]byte) {
	t.Helper()
	for i, b := range frames {
		var f Frame
		if err := f.Parse(b); !errors.Is(err, ErrFragment) {
			t.Fatalf("Parse of fragment %d: %v; want %v", i, err, ErrFragment)
		}
		if !f.MayBeOurs() {
			t.Fatalf("MayBeOurs() of fragment %d = false; want true", i)
		}
		if w, p := r.Add(&f, 1); w != nil {
			whole, parts = w, p
		}
	}
	return whole, parts
}

func TestReassemblyInAnyOrder(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 0))
		v6 := seed%2 == 0
		frame := segmentOf(rng, v6, int(seed%3), 12, 200)
		if !v6 {
			frame[12+4*(seed%3)+2+6] = 0 // may be fragmented
			ip := frame[12+4*(seed%3)+2:]
			binary.BigEndian.PutUint16(ip[10:], 0)
			binary.BigEndian.PutUint16(ip[10:], ^fold(sum(ip[:20], 0)))
		}
		frags := fragmentsOf(t, frame, 99, 8, 48, 152, 232)
		rng.Shuffle(len(frags), func(i, j int) { frags[i], frags[j] = frags[j], frags[i] })
		var r Reassembler
		whole, parts := feed(t, &r, frags...)
		if want := withID(frame, 99); !bytes.Equal(whole, want) {
			t.Fatalf("seed %d: whole = %x; want %x", seed, whole, want)
		}
		if !slices.EqualFunc(parts, frags, bytes.Equal) {
			t.Fatalf("seed %d: parts differ from what was added", seed)
		}
		if r.bytes != 0 || len(r.m) != 0 {
			t.Fatalf("seed %d: %d bytes and %d datagrams are kept; want none", seed, r.bytes, len(r.m))
		}
	}
}

// withID is frame with the identification that its IPv4 fragments had.
func withID(frame []byte, id uint16) []byte {
	var f Frame
	if err := f.Parse(frame); err != nil || f.V6 {
		return frame
	}
	b := slices.Clone(frame)
	f.Data = b
	binary.BigEndian.PutUint16(b[f.L3+4:], id)
	f.PutIPv4Checksum()
	return b
}

func TestReassemblyRefuses(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 2))
		frame := segmentOf(rng, v6, 0, 0, 100)
		var f Frame
		if err := f.Parse(frame); err != nil {
			t.Fatal(err)
		}
		data := frame[f.L4:]
		frag := func(at, end int, more bool) []byte { return fragmentAt(&f, 5, at, data[at:end], more) }
		for _, tt := range []struct {
			name  string
			frags [][]byte
		}{
			{"overlap before", [][]byte{frag(0, 64, true), frag(56, 120, false)}},
			{"overlap after", [][]byte{frag(56, 120, false), frag(0, 64, true)}},
			{"the same twice", [][]byte{frag(0, 64, true), frag(0, 64, true), frag(64, 120, false)}},
			{"one within another", [][]byte{frag(0, 64, true), frag(8, 16, true), frag(64, 120, false)}},
			{"two ends", [][]byte{frag(64, 112, false), frag(64, 120, false), frag(0, 64, true)}},
			{"end before a fragment", [][]byte{frag(64, 120, true), frag(8, 64, false)}},
			{"not a multiple of eight", [][]byte{frag(0, 61, true), frag(64, 120, false)}},
			{"gap", [][]byte{frag(0, 56, true), frag(64, 120, false)}},
			{"empty", [][]byte{frag(0, 64, true), frag(64, 64, true), frag(64, 120, false)}},
		} {
			var r Reassembler
			whole, _ := feed(t, &r, tt.frags...)
			if whole != nil {
				t.Errorf("IPv6 %v, %s: reassembled; want nothing", v6, tt.name)
			}
			// What comes later does not begin anew.
			if tt.name != "gap" {
				if whole, _ = feed(t, &r, frag(0, 64, true), frag(64, 120, false)); whole != nil {
					t.Errorf("IPv6 %v, %s: reassembled afterwards; want nothing", v6, tt.name)
				}
			}
			r.Expire(1 + int64(fragmentsLive))
			if r.bytes != 0 || len(r.m) != 0 {
				t.Errorf("IPv6 %v, %s: %d bytes, %d datagrams kept after they expired; want none", v6, tt.name, r.bytes, len(r.m))
			}
		}
	}
}

func TestReassemblyIsBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	frame := segmentOf(rng, false, 0, 0, 1400)
	var f Frame
	if err := f.Parse(frame); err != nil {
		t.Fatal(err)
	}
	var r Reassembler
	for id := range uint32(60000) {
		feed(t, &r, fragmentAt(&f, id, 8, frame[f.L4+8:f.L4+1400], true))
	}
	if len(r.m) > maxDatagrams || r.bytes > maxFragBytes+1<<16 {
		t.Errorf("%d datagrams, %d bytes are kept; limits %d, %d", len(r.m), r.bytes, maxDatagrams, maxFragBytes)
	}
}

// TestReassemblyThroughExtensionHeaders has the TCP header behind options that
// lie within the fragments.
func TestReassemblyThroughExtensionHeaders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	frame := segmentOf(rng, true, 0, 0, 100)
	var f Frame
	if err := f.Parse(frame); err != nil {
		t.Fatal(err)
	}
	inner := append([]byte{protoTCP, 0, 1, 4, 0, 0, 0, 0}, frame[f.L4:]...)
	a, b := fragmentAt(&f, 5, 0, inner[:64], true), fragmentAt(&f, 5, 64, inner[64:], false)
	a[f.L4], b[f.L4] = 60, 60
	var r Reassembler
	whole, _ := feed(t, &r, b, a)
	var g Frame
	if err := g.Parse(whole); err != nil {
		t.Fatalf("Parse of the whole: %v", err)
	}
	if !bytes.Equal(g.Body(), f.Body()) || !g.ValidChecksum() {
		t.Errorf("body = %x, checksum valid %v; want %x, true", g.Body(), g.ValidChecksum(), f.Body())
	}
}

func FuzzReassembler(f *testing.F) {
	f.Add([]byte("\x00\x08\x01\x08\x02\x0f"))
	f.Add([]byte("\x00\x80\x01\x88\x02\x0f\x10\x11"))
	rng := rand.New(rand.NewPCG(1, 2))
	frames := [2][]byte{segmentOf(rng, false, 0, 0, 2000), segmentOf(rng, true, 0, 0, 2000)}
	f.Fuzz(func(t *testing.T, script []byte) {
		var r Reassembler
		for now := int64(1); len(script) >= 2; script = script[2:] {
			var like, g Frame
			if err := like.Parse(frames[script[0]>>7]); err != nil {
				t.Fatal(err)
			}
			at, n := int(script[0]&31)*8, int(script[1]&127)
			b := fragmentAt(&like, uint32(script[0]>>5&3), at, like.Data[like.L4+at:like.L4+at+n], script[1]>>7 == 0)
			if err := g.Parse(b); !errors.Is(err, ErrFragment) {
				continue
			}
			now += int64(script[1]) << 24
			if whole, parts := r.Add(&g, now); whole != nil {
				n := 0
				for _, p := range parts {
					n += len(p)
				}
				if len(whole) > n {
					t.Fatalf("whole of %d bytes from parts of %d", len(whole), n)
				}
				_ = g.Parse(whole)
			}
			r.Expire(now)
		}
		r.Expire(1 << 62)
		if r.bytes != 0 || len(r.m) != 0 {
			t.Fatalf("%d bytes, %d datagrams are kept; want none", r.bytes, len(r.m))
		}
	})
}
