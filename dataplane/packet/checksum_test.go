package packet

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// segmentOf builds a frame with a TCP segment of random content and right
// checksums, computed 16 bits at a time.
func segmentOf(r *rand.Rand, v6 bool, tags, options, payload int) []byte {
	b := make([]byte, 12)
	for range tags {
		b = append(b, 0x81, 0, 0, 7)
	}
	l4 := len(b) + 2 + 20
	n := 20 + options + payload
	if v6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, byte(n>>8), byte(n), 6, 64)
		l4 += 20
	} else {
		b = append(b, 8, 0, 0x45, 0, byte((n+20)>>8), byte(n+20), 0, 1, 0x40, 0, 64, 6, 0, 0)
	}
	for len(b) < l4+n {
		b = append(b, byte(r.Uint32()))
	}
	b[l4+12] = byte((20 + options) / 4 << 4)
	b[l4+13] = ACK
	for i := range options {
		b[l4+20+i] = optNop
	}
	binary.BigEndian.PutUint16(b[l4+16:], 0)
	binary.BigEndian.PutUint16(b[l4+16:], ^slowSum(b, l4, v6))
	return b
}

// slowSum is the sum over pseudo header and segment as RFC 1071 describes it.
func slowSum(b []byte, l4 int, v6 bool) uint16 {
	addresses := b[l4-8 : l4]
	if v6 {
		addresses = b[l4-32 : l4]
	}
	n := len(b) - l4
	all := append(append([]byte{0, 6, byte(n >> 8), byte(n)}, addresses...), b[l4:]...)
	if len(all)%2 == 1 {
		all = append(all, 0)
	}
	acc := uint32(0)
	for i := 0; i < len(all); i += 2 {
		acc += uint32(all[i])<<8 | uint32(all[i+1])
		acc = acc&0xffff + acc>>16
	}
	return uint16(acc)
}

func TestChecksums(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 0))
		v6 := r.IntN(2) == 0
		b := segmentOf(r, v6, r.IntN(3), 4*r.IntN(11), r.IntN(200))
		var f Frame
		if err := f.Parse(b); err != nil {
			t.Fatalf("seed %d: Parse: %v", seed, err)
		}
		if !f.ValidChecksum() {
			t.Fatalf("seed %d: ValidChecksum() = false; want true", seed)
		}
		checkRewrite(t, seed, r, &f, v6)
		f.PutPartialChecksum()
		// What the kernel does with a partial checksum.
		binary.BigEndian.PutUint16(b[f.L4+16:], ^fold(sum(b[f.L4:f.End], 0)))
		if got := slowSum(b, f.L4, v6); got != 0xffff {
			t.Fatalf("seed %d: completed partial checksum sums to %#x; want 0xffff", seed, got)
		}
		b[f.L4+r.IntN(len(b)-f.L4)] ^= 1 << r.IntN(8)
		if f.ValidChecksum() {
			t.Fatalf("seed %d: ValidChecksum() = true for a flipped bit", seed)
		}
	}
}

func checkRewrite(t *testing.T, seed uint64, r *rand.Rand, f *Frame, v6 bool) {
	t.Helper()
	for range 10 {
		at := []int{4, 8, 12, 13, 14, 18, 20}[r.IntN(7)]
		n := 1 + r.IntN(4)
		switch {
		case at == 20:
			n = f.Payload - f.L4 - 20
		case at < 16:
			n = min(n, 16-at)
		default:
			n = min(n, 2)
		}
		with := make([]byte, n)
		for i := range with {
			with[i] = byte(r.Uint32()) * byte(r.IntN(2))
		}
		if at == 12 || at == 13 {
			continue // keep the header's length
		}
		f.Rewrite(at, with, false)
		if got := slowSum(f.Data, f.L4, v6); got != 0xffff {
			t.Fatalf("seed %d: after Rewrite(%d, %x) the segment sums to %#x; want 0xffff", seed, at, with, got)
		}
	}
	word := []byte{f.Data[f.L4+12], byte(r.Uint32())}
	f.Rewrite(12, word, false)
	f.Rewrite(13, word[1:], false)
	if got := slowSum(f.Data, f.L4, v6); got != 0xffff {
		t.Fatalf("seed %d: after Rewrite of the flags the segment sums to %#x; want 0xffff", seed, got)
	}
}

func TestIPv4Checksum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	b := segmentOf(r, false, 1, 0, 10)
	var f Frame
	if err := f.Parse(b); err != nil {
		t.Fatal(err)
	}
	f.End -= 5
	f.PutIPLength()
	if got := binary.BigEndian.Uint16(b[f.L3+2:]); got != 45 {
		t.Errorf("length = %d; want 45", got)
	}
	if got := fold(sum(b[f.L3:f.L4], 0)); got != 0xffff {
		t.Errorf("header sums to %#x; want 0xffff", got)
	}
}
