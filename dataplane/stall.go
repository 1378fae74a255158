package main

import (
	"errors"
	"fmt"
	"time"

	"wirepatch/dataplane/port"
)

// beat sends the heartbeat. When the last one is so long ago that the ports may
// have given the engine up in between, and frames of protected services have
// gone past it, what the engine knows of its sessions is no longer true.
func (l *loop) beat() error {
	now, late := l.now(), l.overdue()
	l.port.Heartbeat()
	gap := time.Duration(now - l.lastBeat)
	first := l.lastBeat == 0
	l.lastBeat = now
	defer l.engine.Beat()
	if !late {
		return nil
	}
	n, err := l.countBypassed()
	if err != nil || n == 0 || first {
		return err
	}
	l.report("wire", fmt.Sprintf("inspection had stopped for %v: %d packets of protected services went past it", gap.Round(time.Millisecond), n))
	return l.startOver()
}

// overdue says whether the last heartbeat is so long ago that the ports may have
// given the engine up.
func (l *loop) overdue() bool {
	return l.lastBeat == 0 || time.Duration(l.now()-l.lastBeat) > port.StaleAfter/2
}

// countBypassed returns how many packets have gone past the engine since it was
// last called.
func (l *loop) countBypassed() (uint64, error) {
	c, err := l.port.Counters()
	if err != nil {
		return 0, err
	}
	sum := c[port.A].Bypassed + c[port.B].Bypassed
	n := sum - l.bypassed
	l.bypassed = sum
	return n, nil
}

// startOver forgets of the sessions what is not true any more.
func (l *loop) startOver() error {
	// What still waits was overtaken by what went past. Its senders send it again.
	for _, s := range []port.Side{port.A, port.B} {
		if err := l.discard(s); err != nil {
			return err
		}
	}
	l.overs++
	r := l.engine.Bypassed()
	l.adopted, l.kept, l.lost = r.Adopted, r.Kept, len(r.Lost)
	for _, s := range r.Lost {
		p := s.Slot.(slot).Slot
		l.doomed[p.Flow()] = newDoom(p)
	}
	l.tellLost(l.adopted+l.kept, l.lost)
	return nil
}

// discard reads what waits on side s, at most the backlog.
func (l *loop) discard(s port.Side) error {
	for range port.Backlog {
		_, _, err := l.port.Recv(s, l.buf)
		if errors.Is(err, port.ErrAgain) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
