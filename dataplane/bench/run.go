package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"wirepatch/dataplane/bench/load"
	"wirepatch/dataplane/internal/netns"
)

// run measures and reports.
func run(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("it makes network namespaces: run it as root")
	}
	if o.rounds < 1 {
		return errors.New("at least one round is needed")
	}
	h := &host{netns.Host{Ctx: ctx}}
	return h.Guard(func() error {
		l, err := newLab(h, o, os.Stderr)
		if err != nil {
			return err
		}
		if err := l.rounds(); ctx.Err() != nil {
			return errors.New("interrupted")
		} else if err != nil {
			return err
		}
		figures := l.figures()
		if l.perSession != nil {
			figures = append(figures, figure{name: "memory.bytes_per_session", Value: l.perSession})
		}
		if o.idle > 0 {
			f, err := l.memory()
			if err != nil {
				return err
			}
			figures = append(figures, f)
		}
		if err := l.honest(); err != nil {
			return err
		}
		if err := l.record(); err != nil {
			return err
		}
		return l.report(figures)
	})
}

// memory measures what an idle session costs over which a request has gone that was
// changed.
func (l *lab) memory() (figure, error) {
	fmt.Fprintf(l.log, "%d idle sessions, changed\n", l.idle)
	w := l.ways[via100]
	before, err := memoryOf(w.engine.pid)
	if err != nil {
		return figure{}, err
	}
	order := load.Order{Kind: load.Idle, Address: netns.Server4, Port: load.HTTPPort, Connections: l.idle, Marked: true}
	if _, err := w.client.do(order); err != nil {
		return figure{}, fmt.Errorf("idle sessions: %w", err)
	}
	if err := l.atRest(w); err != nil {
		return figure{}, err
	}
	after, err := memoryOf(w.engine.pid)
	if err != nil {
		return figure{}, err
	}
	order.Connections = 0
	_, err = w.client.do(order)
	return figure{name: "memory.bytes_per_edited_session", Value: number(float64(after-before) / float64(l.idle))}, err
}

// atRest waits until the kernel follows the idle sessions.
func (l *lab) atRest(w *way) error {
	for end := time.Now().Add(restTime); ; time.Sleep(10 * time.Millisecond) {
		s, err := w.engine.control.Status(l.ctx)
		if err != nil || s.Kernel.Sessions >= uint64(l.idle) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the kernel follows %d sessions; want %d", s.Kernel.Sessions, l.idle)
		}
	}
}

// restTime is how long the dataplane may take to give sessions up that rest.
const restTime = 10 * time.Second

// honest fails when the dataplane stopped inspecting sessions, or let the
// kernel go past it: then the figures would be those of another work.
func (l *lab) honest() error {
	for _, w := range l.ways {
		if w.engine == nil {
			continue
		}
		s, err := w.engine.control.Status(l.ctx)
		if err != nil {
			return err
		}
		for _, p := range s.Ports {
			if p.Bypassed > 0 {
				return fmt.Errorf("%s: %d packets went past the dataplane", w.name, p.Bypassed)
			}
		}
		if n := s.Sessions; n.Passed+n.Reset > 0 {
			return fmt.Errorf("%s: %d sessions passed uninspected, %d were reset", w.name, n.Passed, n.Reset)
		}
	}
	return nil
}
