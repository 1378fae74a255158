package port

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// retryAfter is when an order that the kernel refused is tried again.
const retryAfter = time.Second

// Propagator takes one wire port down while the other has no link. What it has
// taken down it sets up again when it ends; should the process die instead, the
// next Open does.
type Propagator struct {
	p      *Port
	on     atomic.Bool
	held   [2]atomic.Bool
	kick   chan struct{}
	report func(string)
}

// NewPropagator returns a Propagator that is off. It tells what it does, in a
// line each, by report.
func (p *Port) NewPropagator(report func(string)) *Propagator {
	return &Propagator{p: p, kick: make(chan struct{}, 1), report: report}
}

// Set switches propagation on or off; off sets up what was taken down.
func (g *Propagator) Set(on bool) {
	g.on.Store(on)
	g.Look()
}

// Look has it look at the ports again: something has changed.
func (g *Propagator) Look() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// Held says whether a port is taken down because the other has no link.
func (g *Propagator) Held(s Side) bool { return g.held[s].Load() }

// Run works until ctx is done.
func (g *Propagator) Run(ctx context.Context) {
	var plan propagation
	plan.begin(time.Now())
	defer func() {
		for _, s := range []Side{A, B} {
			if plan.held[s] {
				_ = g.carryOut(order{s, true}) // the next Open would do it too
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.kick:
		case <-timer.C:
		}
		timer.Stop()
		if next := g.step(&plan); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// step does what there is to be done now, and says when to look again.
func (g *Propagator) step(plan *propagation) time.Time {
	for {
		state, err := g.states()
		if err != nil {
			return time.Now().Add(retryAfter)
		}
		o, next := plan.plan(g.on.Load(), state, time.Now())
		if o == nil {
			return next
		}
		if err := g.carryOut(*o); err != nil {
			g.report(err.Error())
			return time.Now().Add(retryAfter)
		}
		plan.done(*o, time.Now())
	}
}

// states asks the kernel anew: what an event says may be old.
func (g *Propagator) states() (s [2]portState, err error) {
	for i := range s {
		l, err := netlink.LinkByIndex(g.p.sides[i].ifindex)
		if err != nil {
			return s, err
		}
		s[i] = portState{up: l.Attrs().RawFlags&unix.IFF_UP != 0, link: hasLink(l)}
	}
	return s, nil
}

func (g *Propagator) carryOut(o order) error {
	d, other := &g.p.sides[o.side], &g.p.sides[o.side.Other()]
	set, word := netlink.LinkSetDown, "down"
	if o.up {
		set, word = netlink.LinkSetUp, "up"
	}
	l, err := netlink.LinkByIndex(d.ifindex)
	if err == nil {
		err = set(l)
	}
	if err != nil {
		return fmt.Errorf("set wire port %s (%s) %s: %w", o.side, d.name, word, err)
	}
	g.held[o.side].Store(!o.up)
	if o.up {
		g.report(fmt.Sprintf("wire port %s (%s) is set up again", o.side, d.name))
	} else {
		g.report(fmt.Sprintf("wire port %s (%s) is taken down because wire port %s (%s) has no link", o.side, d.name, o.side.Other(), other.name))
	}
	return nil
}
