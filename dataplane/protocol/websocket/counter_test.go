package websocket

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
)

// texts are contents that are compressed in different ways.
func texts(r *rand.Rand) []byte {
	b := make([]byte, r.IntN(50000))
	kind := r.IntN(4)
	for i := range b {
		switch kind {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b[i] = "abcdefgh"[r.IntN(8)]
		case 2:
			b[i] = byte(r.ExpFloat64() * 3)
		}
	}
	return b
}

// streams are compressed at every level, in several blocks.
func streams(t testing.TB, r *rand.Rand) (packed []byte, size int64) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, r.IntN(12)-2)
	if err != nil {
		t.Fatal(err)
	}
	for range 1 + r.IntN(3) {
		text := texts(r)
		size += int64(len(text))
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.TrimSuffix(b.Bytes(), sync), size
}

// What is counted is what there is, however it comes.
func TestCounter(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		packed, size := streams(t, r)
		var c counter
		for at := 0; at < len(packed); {
			n := min(1+r.IntN(1+r.IntN(5000)), len(packed)-at)
			c.feed(packed[at : at+n])
			at += n
		}
		if ok := c.rest(); !ok || c.broken || c.total != size {
			t.Fatalf("seed %d: %d octets, at a block %v, broken %v; want %d", seed, c.total, ok, c.broken, size)
		}
	}
}

// inflates says how much a real inflater makes of a stream, and whether it finds it
// invalid, not only cut off.
func inflates(b []byte) (n int64, invalid bool) {
	n, err := io.Copy(io.Discard, flate.NewReader(bytes.NewReader(b)))
	_, invalid = err.(flate.CorruptInputError)
	return n, invalid
}

// From wherever the counter says so, what it writes makes a stream invalid, within
// what it says that this takes.
func TestSpoil(t *testing.T) {
	modes := map[mode]int{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		packed, _ := streams(t, r)
		for range 30 {
			at := r.IntN(len(packed) + 1)
			if r.IntN(3) == 0 {
				at = r.IntN(min(len(packed)+1, 200))
			}
			var c counter
			c.feed(packed[:at])
			if cost, ok := c.cost(); ok {
				modes[c.mode]++
				checkSpoil(t, seed, &c, packed[:at], cost)
			}
			if c.has {
				s := c.back()
				cost, _ := c.safeCost()
				checkSpoil(t, seed, &s, packed[:s.octet], cost)
			}
		}
	}
	for _, m := range []mode{atBlock, inStored, atCodes, inBlock} {
		if modes[m] == 0 {
			t.Errorf("never in mode %d: %v", m, modes)
		}
	}
}

func checkSpoil(t *testing.T, seed uint64, c *counter, before []byte, cost int64) {
	t.Helper()
	bad, ok := c.spoil(cost)
	if !ok {
		t.Fatalf("seed %d: behind %d octets, mode %d: not to be spoiled in %d", seed, len(before), c.mode, cost)
	}
	for _, behind := range [][]byte{nil, sync, make([]byte, 400), bytes.Repeat([]byte{0xff}, 400)} {
		if _, invalid := inflates(append(append(bytes.Clone(before), bad...), behind...)); !invalid {
			t.Fatalf("seed %d: behind %d octets, mode %d: %x and %d more are still valid", seed, len(before), c.mode, bad, len(behind))
		}
	}
}

// FuzzCounter counts what anything inflates to, whole and cut, beside compress/flate:
// never less, and the same where that finds no fault.
func FuzzCounter(f *testing.F) {
	for seed := range uint64(8) {
		packed, _ := streams(f, rand.New(rand.NewPCG(seed, 4)))
		f.Add(packed[:min(len(packed), 2000)], uint(seed))
	}
	f.Add(final(f, "a text, a text"), uint(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint) {
		var c, cut counter
		c.feed(b)
		for rest := b; len(rest) > 0; {
			n := min(int(size%7)+1, len(rest))
			cut.feed(rest[:n])
			rest = rest[n:]
		}
		if c.total != cut.total || c.broken != cut.broken || c.mode != cut.mode {
			t.Fatalf("whole %d %v %d; cut %d %v %d", c.total, c.broken, c.mode, cut.total, cut.broken, cut.mode)
		}
		n, invalid := inflates(b)
		if c.total < n {
			t.Fatalf("%d octets of %d", c.total, n)
		}
		if c.broken && !invalid && !c.ended {
			src := bytes.NewReader(b)
			if _, err := io.Copy(io.Discard, flate.NewReader(src)); err != nil || src.Len() == 0 {
				t.Fatalf("broken after %d octets where an inflater read %d without a fault (%v)", c.total, n, err)
			}
		}
		if cost, ok := c.cost(); ok && !c.broken && !c.endless && !c.final && !c.ended {
			if _, ok := c.spoil(cost); !ok {
				t.Fatalf("not to be spoiled in %d octets, mode %d", cost, c.mode)
			}
		}
	})
}

func BenchmarkCounter(b *testing.B) {
	packed, size := streams(b, rand.New(rand.NewPCG(5, 5)))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		var c counter
		c.feed(packed)
	}
}
