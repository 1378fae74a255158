package port

import "time"

// settleTime is how long a port that was set up may take to get its link:
// copper negotiates for some seconds.
const settleTime = 8 * time.Second

// propagation decides which wire port is held down because the other has no
// link, so that the neighbours on both sides notice.
//
//	held down   links                    then
//	none        both, or neither         nothing
//	none        one                      the one with link is held down, once the other has settled
//	one         the other has none       nothing
//	one         the other has link       it is set up, and has time to settle
//
// Never both are held down: the port whose link is missing stays up, and so its
// link depends on its neighbour alone.
type propagation struct {
	held   [2]bool
	settle [2]time.Time // until when a missing link does not count
}

// portState is what the kernel says of a port.
type portState struct{ up, link bool }

// order is what is to be done to a port.
type order struct {
	side Side
	up   bool
}

// begin gives both ports time: they have just been set up.
func (p *propagation) begin(now time.Time) {
	p.settle = [2]time.Time{now.Add(settleTime), now.Add(settleTime)}
}

// plan returns what to do now, if anything, and when to look again though
// nothing happens; zero: never. on: propagation is wanted.
func (p *propagation) plan(on bool, s [2]portState, now time.Time) (*order, time.Time) {
	for i := range s {
		if s[i].link {
			p.settle[i] = time.Time{}
		}
	}
	for _, i := range []Side{A, B} {
		if !p.held[i] {
			continue
		}
		switch {
		case !on || s[i.Other()].link:
			return &order{i, true}, time.Time{}
		case s[i].up: // somebody has set it up
			return &order{i, false}, time.Time{}
		}
		return nil, time.Time{}
	}
	if !on || s[A].link == s[B].link {
		return nil, time.Time{}
	}
	lost := A
	if s[A].link {
		lost = B
	}
	if now.Before(p.settle[lost]) {
		return nil, p.settle[lost]
	}
	return &order{lost.Other(), false}, time.Time{}
}

// done notes that an order was carried out.
func (p *propagation) done(o order, now time.Time) {
	p.held[o.side] = !o.up
	if o.up {
		p.settle[o.side] = now.Add(settleTime)
	}
}
