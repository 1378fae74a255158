package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// pickUpTime is how long after a rehearsal sessions are watched.
const pickUpTime = time.Second

// Rehearse implements control.Rehearser: the loop stands still, as it would if
// the process were stopped, so that the ports give the engine up and do what
// the policies say; then it goes on the way a stopped process does (stall.go).
func (a *agent) Rehearse(ctx context.Context, d time.Duration) (control.Rehearsal, error) {
	if !a.rehearsal.TryLock() {
		return control.Rehearsal{}, errors.New("another rehearsal is under way; wait for its end")
	}
	defer a.rehearsal.Unlock()
	var r control.Rehearsal
	var before uint64
	var err error
	done := a.loop.do(ctx, func() {
		before = a.loop.engine.Stats().PickedUp
		r, err = a.loop.rehearse(ctx, d)
	})
	if done != nil {
		return control.Rehearsal{}, fmt.Errorf("rehearse: the engine does not answer: %w", done)
	}
	if err != nil {
		return r, fmt.Errorf("rehearse: %w", err)
	}
	select {
	case <-ctx.Done():
		return r, ctx.Err()
	case <-time.After(pickUpTime):
	}
	after, err := a.snapshot(ctx)
	r.Sessions.PickedUp = after.stats.PickedUp - before
	return r, err
}

// figures are what the ports count while the engine is gone.
type figures struct {
	policies []port.Policy // by service
	counts   port.Counts   // of both ports
}

func (l *loop) figures() (f figures, err error) {
	if f.policies, err = l.policies(); err != nil {
		return f, err
	}
	c, err := l.port.Counters()
	f.counts = port.Counts{
		HandedUp:      c[port.A].HandedUp + c[port.B].HandedUp,
		Bypassed:      c[port.A].Bypassed + c[port.B].Bypassed,
		DroppedClosed: c[port.A].DroppedClosed + c[port.B].DroppedClosed,
		DroppedEdited: c[port.A].DroppedEdited + c[port.B].DroppedEdited,
	}
	return f, err
}

// rehearse runs on the loop, which stands still for d, or until ctx is done.
func (l *loop) rehearse(ctx context.Context, d time.Duration) (control.Rehearsal, error) {
	open := l.snapshot().stats.Open
	before, err := l.figures()
	if err != nil {
		return control.Rehearsal{}, err
	}
	l.report("wire", fmt.Sprintf("rehearsal: inspection stops for %v", d))
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	stopped := time.Since(began)
	after, err := l.figures()
	if err != nil {
		return control.Rehearsal{}, err
	}
	overs := l.overs
	if err := l.beat(); err != nil {
		return control.Rehearsal{}, err
	}
	r := l.rehearsed(before, after)
	r.StoppedMS, r.NoticedMS = stopped.Milliseconds(), port.StaleAfter.Milliseconds()
	r.Sessions.Open = open
	if l.overs != overs {
		found, err := l.port.SweepSessions(l.current.protects, session.DefaultLimits.Idle, sweepLinger, false, nil)
		if err != nil {
			return r, err
		}
		r.Sessions.StartOver, r.Sessions.Adopted, r.Sessions.Doomed = true, l.adopted+int(found.Edited), l.kept+l.lost
	}
	l.report("wire", fmt.Sprintf("rehearsal: inspection goes on; %d packets of protected services went past it, %d were held back", r.Bypassed, r.Dropped))
	return r, nil
}

// rehearsed says what the ports have counted between two moments.
func (l *loop) rehearsed(before, after figures) control.Rehearsal {
	b, a := before.counts, after.counts
	r := control.Rehearsal{
		Waiting: a.HandedUp - b.HandedUp, Bypassed: a.Bypassed - b.Bypassed,
		Dropped:  a.DroppedClosed + a.DroppedEdited - b.DroppedClosed - b.DroppedEdited,
		Services: []control.RehearsedService{},
	}
	for i, v := range l.current.settings {
		was, is := before.policies[i], after.policies[i]
		r.Services = append(r.Services, control.RehearsedService{Name: v.Name, Fail: failOf(is),
			Passed: is.Passed - was.Passed, Dropped: is.Dropped - was.Dropped})
	}
	return r
}

// failOf names the policy in force; empty: none is.
func failOf(p port.Policy) string {
	switch {
	case !p.InForce:
		return ""
	case p.FailClosed:
		return "closed"
	}
	return "open"
}

// rehearse asks the dataplane that runs for a rehearsal and prints the report.
func rehearse(ctx context.Context, socket string, out io.Writer) error {
	c := control.Dial(socket)
	defer c.Close()
	slog.Info("the engine is stopped for a moment", "time", control.DefaultRehearsal)
	r, err := c.Rehearse(ctx, control.DefaultRehearsal)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The engine stood still for %d ms; the ports give it up after %d ms.\n\n", r.StoppedMS, r.NoticedMS)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tFAIL\tPASSED\tDROPPED")
	for _, s := range r.Services {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", s.Name, s.Fail, s.Passed, s.Dropped)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nPackets that waited for the engine: %d\nSessions open before: %d; edited ones that went on: %d; with unsettled edits, which a dead engine would have lost: %d; picked up again: %d\n",
		r.Waiting, r.Sessions.Open, r.Sessions.Adopted, r.Sessions.Doomed, r.Sessions.PickedUp)
	return err
}
