package main

import (
	"context"
	"log/slog"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
)

// begin stands in for the loop until the first definitions have passed their
// tests: however many there are, the wire forwards by policy meanwhile, and who
// asks whether it does gets an answer. It says whether they have, before ctx was
// done.
func (l *loop) begin(ctx context.Context, first <-chan *generation) (begun bool, err error) {
	select {
	case g := <-first:
		return true, l.install(g)
	case <-ctx.Done():
		return false, nil
	}
}

// prepare builds the first generation. Nobody reloads meanwhile.
func (a *agent) prepare(set *settings.Settings) <-chan *generation {
	out := make(chan *generation, 1)
	a.reload.Lock()
	go func() {
		defer a.reload.Unlock()
		out <- a.builder.build(set)
	}()
	return out
}

// ready is told that the first generation is in force.
func (a *agent) ready() {
	a.links.Set(a.loop.current.wire.LinkPropagation)
	close(a.inspecting)
	a.loop.report("start", "the dataplane has started, version "+version)
	slog.Info("started", "version", version, "a", a.builder.options.wireA, "b", a.builder.options.wireB)
}

// Alive implements control.Living.
func (a *agent) Alive() control.Alive {
	out := control.Alive{Attached: a.attached}
	select {
	case <-a.inspecting:
	default:
		out.Testing = true
	}
	return out
}
