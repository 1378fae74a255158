package session

import (
	"math/rand/v2"
	"testing"
)

// naive says for each input byte where its output begins and ends, and which
// bytes belong to one edit.
type naive struct {
	begin, end []int64 // by input offset
	first      []int64 // the first byte of the edit that the byte belongs to, else itself
	total      int64
}

func (n *naive) outTo(in int64) int64 {
	if in == 0 {
		return 0
	}
	return n.end[in-1]
}

func (n *naive) boundary(in int64) bool {
	return in == int64(len(n.begin)) || n.first[in] == in
}

func (n *naive) outFrom(in int64) int64 {
	if in == int64(len(n.begin)) {
		return n.total
	}
	return n.begin[in]
}

// inAcked is the largest input offset, not within an edit, whose output is
// below out as a whole.
func (n *naive) inAcked(out int64) int64 {
	best := int64(0)
	for in := range int64(len(n.begin)) + 1 {
		if n.boundary(in) && n.outTo(in) <= out {
			best = in
		}
	}
	return best
}

// inFrom is the smallest input offset, not within an edit, whose output begins
// at out or later.
func (n *naive) inFrom(out int64) int64 {
	for in := range int64(len(n.begin)) + 1 {
		if n.boundary(in) && n.outFrom(in) >= out {
			return in
		}
	}
	return int64(len(n.begin))
}

// randomEdits makes a map of edits over size input bytes and its model.
func randomEdits(r *rand.Rand, size int64) (*editMap, *naive) {
	m, n := &editMap{}, &naive{}
	out := int64(0)
	inserted := false
	for in := int64(0); in <= size; {
		length, with := int64(0), int64(0)
		kind := r.IntN(6)
		switch {
		case kind == 0 && !inserted: // insert
			with = 1 + r.Int64N(5)
		case kind == 1: // delete
			length = min(1+r.Int64N(5), size-in)
		case kind == 2: // replace
			length, with = min(1+r.Int64N(5), size-in), 1+r.Int64N(5)
		}
		if length == 0 && (kind != 0 || inserted) {
			if in < size {
				n.begin, n.end, n.first = append(n.begin, out), append(n.end, out+1), append(n.first, in)
				out++
			}
			in++
			inserted = false
			continue
		}
		m.add(edit{in, in + length, out, out + with})
		for i := range length {
			n.begin, n.end, n.first = append(n.begin, out), append(n.end, out+with), append(n.first, in)
			_ = i
		}
		in += length
		out += with
		inserted = length == 0
	}
	n.total = out
	return m, n
}

func TestEditMapAgainstModel(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		m, n := randomEdits(r, 1+r.Int64N(40))
		check := func(what string, at, got, want int64) {
			if got != want {
				t.Fatalf("seed %d: %s(%d) = %d; want %d; edits %+v base %d", seed, what, at, got, want, m.list, m.base)
			}
		}
		compare := func(low int64) {
			for in := n.inAcked(low); in <= int64(len(n.begin)); in++ {
				if n.outFrom(in) >= low {
					check("outFrom", in, m.outFrom(in), n.outFrom(in))
				}
				if n.outTo(in) > low {
					check("outTo", in, m.outTo(in), n.outTo(in))
				}
			}
			for out := low; out <= n.total; out++ {
				if out > low || low == 0 {
					got, want := m.inFrom(out), n.inFrom(out)
					if got > want && n.boundary(got) && n.outTo(got) <= n.outFrom(want) {
						got = want // only what was deleted lies between
					}
					check("inFrom", out, got, want)
				}
				check("inAcked", out, m.inAcked(out), n.inAcked(out))
			}
		}
		compare(0)
		una := r.Int64N(n.total + 1)
		m.prune(una)
		compare(una)
	}
}

func TestEditMapTouches(t *testing.T) {
	// delete [10,20), insert at 30, replace [40,45)
	var m editMap
	m.add(edit{10, 20, 10, 10})
	m.add(edit{30, 30, 20, 25})
	m.add(edit{40, 45, 35, 36})
	for _, tt := range []struct {
		from, to int64
		want     bool
	}{
		{0, 10, false}, {0, 11, true}, {20, 30, false}, {19, 20, true}, {20, 31, true}, {29, 30, false},
		{30, 40, false}, {44, 50, true}, {45, 60, false}, {0, 100, true}, {41, 42, true},
	} {
		if got := m.touches(tt.from, tt.to); got != tt.want {
			t.Errorf("touches(%d, %d) = %v; want %v", tt.from, tt.to, got, tt.want)
		}
	}
}
