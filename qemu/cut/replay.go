package cut

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Cut is one content that the disk can have had when the power went.
type Cut struct {
	After int    // operations that were begun
	How   string // which of the writes since the last flush had arrived
	Mixed bool   // not all of them, or one in part
}

// chances is how many mixtures, picked at random, are tried of the writes between
// two flushes.
const chances = 6

// Replay does what the log says on d and calls look for each content that the
// disk can have had at a power cut, in order of time. What was written before a
// flush is on the disk after it. Of what came later, a disk may have written any
// part in any order; so many that not all can be tried. Tried are, after every
// write: all so far, and all but that only the first sectors of the last one have
// arrived (one, and some); and for each span between two flushes: all but one, one
// alone, the later ones without the earlier, and some mixtures, the same each
// time.
func Replay(d *Disk, look func(Cut) error) error {
	random := rand.New(rand.NewPCG(1, 2))
	if err := look(Cut{0, "nothing was written", false}); err != nil {
		return err
	}
	var open []int    // writes since the last flush
	var undone []Undo // the way back to the last flush
	for i, op := range d.ops {
		if op.Flush {
			if err := d.mixtures(i, open, undone, random, look); err != nil {
				return err
			}
			open, undone = nil, nil
			continue
		}
		if op.Data == nil {
			continue
		}
		if err := d.torn(i, random, look); err != nil {
			return err
		}
		open, undone = append(open, i), append(undone, d.Write(i))
		if err := look(Cut{i + 1, "all writes so far", false}); err != nil {
			return err
		}
	}
	return d.mixtures(len(d.ops), open, undone, random, look)
}

// block is what file systems write of what they keep for themselves, in sectors.
const block = 8

// torn looks at contents in which one write has arrived in part. A sector is
// written as a whole or not.
func (d *Disk) torn(op int, random *rand.Rand, look func(Cut) error) error {
	whole := len(d.of(op))
	if whole < 2 {
		return nil
	}
	some := 1 + random.IntN(whole-1)
	if whole <= block {
		some = whole - 1
	}
	for _, n := range slices.Compact([]int{1, some}) {
		u := d.tear(op, n)
		err := look(Cut{op + 1, fmt.Sprintf("of the last write %d of %d sectors", n, whole), true})
		d.Undo(u)
		if err != nil {
			return err
		}
	}
	return nil
}

// mixtures looks at contents in which some of the writes since the last flush are
// missing. The disk is left with all of them.
func (d *Disk) mixtures(after int, open []int, undone []Undo, random *rand.Rand, look func(Cut) error) error {
	if len(open) < 2 {
		return nil
	}
	for _, u := range slices.Backward(undone) {
		d.Undo(u)
	}
	for _, m := range pick(open, random) {
		var back []Undo
		for _, w := range m.writes {
			back = append(back, d.Write(w))
		}
		err := look(Cut{after, m.how, true})
		for _, u := range slices.Backward(back) {
			d.Undo(u)
		}
		if err != nil {
			return err
		}
	}
	for _, w := range open {
		d.Write(w)
	}
	return nil
}

type mixture struct {
	how    string
	writes []int
}

// pick picks from the writes between two flushes.
func pick(open []int, random *rand.Rand) (out []mixture) {
	add := func(how string, writes []int) {
		if len(writes) > 0 && len(writes) < len(open) {
			out = append(out, mixture{how, writes})
		}
	}
	for i, w := range open {
		add(fmt.Sprintf("all but write %d", w), slices.Concat(open[:i], open[i+1:]))
		add(fmt.Sprintf("write %d alone", w), open[i:i+1])
		add(fmt.Sprintf("from write %d on", w), open[i:])
	}
	for range min(chances, len(open)-2) {
		var some []int
		for _, w := range open {
			if random.IntN(2) == 0 {
				some = append(some, w)
			}
		}
		add(fmt.Sprintf("writes %v", some), some)
	}
	return out
}
