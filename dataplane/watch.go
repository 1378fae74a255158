package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/port"
)

// lookAround keeps what servers say of themselves until ctx is done. That it
// cannot be had keeps nothing else from working.
func (a *agent) lookAround(ctx context.Context) {
	w := a.openWatch()
	close(a.looking)
	if w == nil {
		return
	}
	defer context.AfterFunc(ctx, func() { w.Close() })()
	for {
		s, err := w.Next()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			slog.Warn("servers are no longer found by themselves", "error", err)
			w.Close()
			return
		}
		a.found.Add(s)
	}
}

// openWatch is nil when servers are not to be looked at, or cannot be.
func (a *agent) openWatch() *port.Watch {
	if !a.began.Discovery {
		return nil
	}
	w, err := a.loop.port.NewWatch()
	if err != nil {
		slog.Warn("servers are not found by themselves", "error", err)
		a.loop.report("wire", "servers are not found by themselves: "+err.Error())
		return nil
	}
	return w
}

// Found implements control.Finder.
func (a *agent) Found() (all []control.Found) {
	for _, v := range a.found.Services() {
		f := control.Found{Address: v.Address, Port: v.Port, UDP: v.UDP, Protocol: v.Protocol, Names: v.Names, First: v.First, Last: v.Last, Sampled: v.Sampled}
		for _, s := range v.Software {
			f.Software = append(f.Software, control.FoundSoftware(s))
		}
		all = append(all, f)
	}
	return all
}
