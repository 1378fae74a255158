package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/dataplane/port"
)

// run opens the wire first, which then forwards by policy, and inspects once
// the definitions have passed their tests.
func run(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	b := newBuilder(o)
	set, settingsErr := b.settings()
	r, err := newRoom(o.ram)
	if err != nil {
		return err
	}
	p, err := port.Open(port.Config{Sessions: r.below, A: o.wireA, B: o.wireB, PinDir: o.pins, Services: portServices(protected(set), set.Wire), Attach: o.way(set.Wire), MTU: set.Wire.MTU})
	if err != nil {
		return err
	}
	for _, n := range p.Notes() {
		slog.Info("wire", "note", n)
	}
	if o.detach {
		return p.Detach()
	}
	defer p.Close()
	events := control.NewLog()
	l := newLoop(p, events, r)
	b.aside = func(id, why string) {
		slog.Error("definition set aside", "id", id, "reason", why)
		l.report("definition", "definition "+id+" set aside: "+why)
	}
	b.limited = func(id, client string) {
		slog.Warn("client limited", "id", id, "client", client)
		l.report("definition", "definition "+id+": what "+client+" sends takes too much time to judge; sessions of such clients are reset where it is concerned")
	}
	if err := errors.Join(l.inherit(), l.disown()); err != nil {
		return err
	}
	if r := p.Reason(); r != "" {
		l.report("wire", fmt.Sprintf("the program is attached by %s: %s", p.Attached(), r))
	}
	if settingsErr != nil {
		slog.Error("settings are not in force: nothing is protected", "error", settingsErr)
		l.report("settings", fmt.Sprintf("nothing is protected: %v", settingsErr))
	}
	l.current = &generation{wire: set.Wire}
	return serve(ctx, o, b, l, set)
}

// way is how the program is to sit on the ports: as the settings say, else as
// the board does.
func (o options) way(w settings.Wire) string {
	if w.Attach == "auto" {
		return o.attach
	}
	return w.Attach
}

// serve runs the loop and what stands around it until ctx is done or one of
// them fails.
func serve(ctx context.Context, o options, b *builder, l *loop, set *settings.Settings) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, err := control.Listen(o.socket, o.socketGroup)
	if err != nil {
		return err
	}
	a := newAgent(b, l)
	srv := control.NewServer(a, l.events)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	var wg sync.WaitGroup
	errs := make(chan error, 8)
	start := func(f func() error) {
		wg.Go(func() {
			err := f()
			if err != nil {
				cancel()
			}
			errs <- err
		})
	}
	first := a.prepare(set)
	start(func() error {
		if begun, err := l.begin(ctx, first); !begun || err != nil {
			return err
		}
		<-a.looking
		a.ready()
		return l.run(ctx)
	})
	start(func() error { return srv.Serve(listener) })
	start(func() error { return a.watch(ctx) })
	start(func() error { a.links.Run(ctx); return nil })
	start(func() error { a.sweep(ctx); return nil })
	start(func() error { a.requeue(ctx); return nil })
	start(func() error { a.lookAround(ctx); return nil })
	start(func() error { a.reloadOn(ctx, hup); return nil })
	slog.Info("the wire is open, the definitions are being tested", "a", o.wireA, "b", o.wireB)
	<-ctx.Done()
	err = errors.Join(srv.Close())
	l.port.Wake()
	wg.Wait()
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	slog.Info("ended: the wire goes on by policy")
	return err
}
