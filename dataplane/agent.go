package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/dataplane/discover"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// agent answers the other programs (control.Source), watches the links and
// reloads. It runs beside the loop and asks it by messages.
type agent struct {
	builder  *builder
	loop     *loop
	links    *port.Propagator
	instance string
	began    settings.Wire // as the ports were opened
	reload   sync.Mutex    // one at a time
	found    *discover.Table

	rehearsal sync.Mutex

	attached   bool          // the ports were opened
	inspecting chan struct{} // closed once the first generation is in force
	looking    chan struct{} // closed once servers are looked at, or will not be
}

func newAgent(b *builder, l *loop) *agent {
	a := &agent{builder: b, loop: l, instance: rand.Text(), began: l.current.wire, found: discover.New(time.Now),
		attached: l.port.Attached() != "", inspecting: make(chan struct{}), looking: make(chan struct{})}
	a.links = l.port.NewPropagator(func(text string) {
		slog.Info(text)
		l.report("link", text)
	})
	return a
}

// snapshot is what the loop knows at one moment.
type snapshot struct {
	room        room
	generation  *generation
	stats       session.Stats
	corrections uint64
	ruined      uint64 // see loop
	doomed      uint64
	perPatch    map[string]uint64
	counters    [2]port.Counts
	below       uint64        // sessions that the ports follow
	policies    []port.Policy // of the generation's services
	err         error
}

func (a *agent) snapshot(ctx context.Context) (snapshot, error) {
	select {
	case <-a.inspecting:
	case <-ctx.Done():
		return snapshot{}, errors.New("the definitions are still being tested; the wire forwards by policy meanwhile")
	}
	answer := make(chan snapshot, 1)
	err := a.loop.do(ctx, func() { answer <- a.loop.snapshot() })
	if err != nil {
		return snapshot{}, fmt.Errorf("the engine does not answer: %w", err)
	}
	s := <-answer
	return s, s.err
}

// Status implements control.Source.
func (a *agent) Status(ctx context.Context) (control.Status, error) {
	s, err := a.snapshot(ctx)
	if err != nil {
		return control.Status{}, err
	}
	return control.Status{
		Version: version, Started: a.loop.began, Instance: a.instance,
		Ports:    a.ports(s.counters),
		Services: servicesOf(s),
		Sessions: sessionsOf(s),
		Kernel: control.Kernel{Follows: s.generation.wire.KernelInspection, Requests: s.generation.vetting.Requests,
			Responses: s.generation.vetting.Responses, Asked: s.generation.asked, Sessions: s.below,
			Strikes: s.generation.struckBy(), Struck: s.counters[port.A].Struck + s.counters[port.B].Struck},
		Definitions: definitionsOf(s),
		Corrections: s.corrections,
		Bypass:      s.generation.wire.Bypass,
	}, nil
}

func (a *agent) ports(counters [2]port.Counts) []control.Port {
	var out []control.Port
	for s, c := range counters {
		i, err := port.Describe(a.loop.port.Name(port.Side(s)))
		if err != nil {
			slog.Warn("status", "error", err)
		}
		lost, err := a.loop.port.Lost(port.Side(s))
		if err != nil {
			slog.Warn("status", "error", err)
		}
		out = append(out, control.Port{
			Name: i.Name, Driver: i.Driver, MAC: i.MAC, Up: i.Up, TakenDown: a.links.Held(port.Side(s)), SpeedMbit: i.SpeedMbit, Attach: a.loop.port.Attached(), AttachWhy: a.loop.port.Reason(),
			RxPackets: c.RxPackets, RxBytes: c.RxBytes, Forwarded: c.Forwarded, Carried: c.Carried, Translated: c.Translated, Bypassed: c.Bypassed, HandedUp: c.HandedUp,
			TxPackets: c.TxPackets, TxBytes: c.TxBytes,
			Lost: lost, Untranslated: c.DroppedShift, Dropped: c.DroppedClosed + c.DroppedEdited + c.DroppedShift + c.DroppedTags + c.DroppedConfig + c.TxFailed,
		})
	}
	return out
}

// Reload implements control.Source: it builds a new generation beside the one
// in force and has the loop swap them. Settings with a fault change nothing.
func (a *agent) Reload(ctx context.Context) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	set, err := a.builder.settings()
	if err != nil {
		a.loop.report("settings", fmt.Sprintf("what was in force stays in force: %v", err))
		return err
	}
	g := a.builder.build(set)
	answer := make(chan error, 1)
	if err := a.loop.do(ctx, func() { answer <- a.loop.install(g) }); err != nil {
		return fmt.Errorf("reload: the engine does not answer: %w", err)
	}
	if err := <-answer; err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	a.links.Set(g.wire.LinkPropagation)
	if o, w := a.began, g.wire; o.Attach != w.Attach || o.MTU != w.MTU || o.Discovery != w.Discovery {
		a.loop.report("settings", "[wire] attach, mtu and discovery are in force from the next start of the dataplane")
	}
	a.loop.report("settings", fmt.Sprintf("settings and definitions were loaded anew: %s, %d services", g.set, len(g.services)))
	return nil
}

// reloadOn reloads at each signal.
func (a *agent) reloadOn(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			limit, cancel := context.WithTimeout(ctx, time.Minute)
			if err := a.Reload(limit); err != nil {
				slog.Error("reload", "error", err)
			}
			cancel()
		}
	}
}

// watch reports when a wire port gets or loses its link. It fails only when a
// port is gone: a subscription that broke off is made anew.
func (a *agent) watch(ctx context.Context) error {
	var known [2]string
	for {
		err := a.loop.port.WatchLinks(ctx, func(s port.Side, up bool) {
			a.links.Look()
			state := "has link"
			if !up {
				state = "has no link"
			}
			if known[s] == state {
				return
			}
			known[s] = state
			text := fmt.Sprintf("wire port %s (%s) %s", s, a.loop.port.Name(s), state)
			slog.Info(text)
			a.loop.report("link", text)
		})
		if err == nil || errors.Is(err, port.ErrGone) {
			return err
		}
		slog.Warn("links are watched anew", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
