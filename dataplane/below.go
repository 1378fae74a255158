package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"wirepatch/board/settings"
	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// below is session.Below: the sessions that the program on the ports follows.
type below struct{ l *loop }

// Take implements session.Below.
func (b below) Take(c session.Conn, vlan uint32) (session.Resting, bool, bool) {
	s, known, marked, err := b.l.port.Take(flow(c, vlan))
	if err != nil {
		slog.Error("the ports do not tell of a session", "error", err)
	}
	if !marked {
		b.l.setUnmarked(b.l.unmarked + 1)
	}
	return restingOf(&s), known, marked
}

func restingOf(s *port.Session) session.Resting {
	r := session.Resting{Followed: s.Followed, Established: s.Established, Pending: s.Pending, MidStream: s.MidStream,
		Edited: s.Edited, Stale: s.Stale, Above: s.Above, Request: s.Request}
	for i := range s.Dir {
		d := &s.Dir[i]
		r.Half[i] = session.RestingHalf{First: d.First, Next: d.Next, Top: d.Top, Acked: d.Acked, From: d.From, Size: d.Size, Sum: d.Sum,
			Edged: d.Edged, Edge: d.Edge, Delta: d.Delta, Cut: d.Cut, CutLen: d.CutLen,
			Hello: packet.Handshake{MSS: d.MSS, Scale: d.Scale, SACK: d.SACK, Stamps: d.Stamps, HasScale: d.HasScale},
			Scale: d.Scale, Window: d.Window, Stamp: d.Stamp, Stamped: d.Stamped, Fin: d.Fin}
	}
	return r
}

// Lend implements session.Below.
func (b below) Lend(c session.Conn, vlan uint32, r session.Resting, client session.Side) bool {
	if b.l.overdue() { // frames may have gone past the engine that it knows nothing of
		return false
	}
	s := port.Session{Established: true, Lent: r.Edited, Stale: r.Stale, Above: r.Above, Pending: r.Pending, MidStream: r.MidStream, Edited: r.Edited}
	for i := range r.Half {
		h := &r.Half[i]
		s.Dir[i] = port.Stream{First: h.First, Next: h.Next, Top: h.Top, Acked: h.Acked, From: h.From, Size: h.Size, Sum: h.Sum,
			Edged: h.Edged, Edge: h.Edge, Delta: h.Delta,
			Stamp: h.Stamp, Window: h.Window, MSS: h.Hello.MSS, Scale: h.Scale,
			HasScale: h.Hello.HasScale, SACK: h.Hello.SACK, Stamps: h.Hello.Stamps, Stamped: h.Stamped, Fin: h.Fin}
	}
	f := flow(c, vlan)
	if b.l.port.Give(f, s, port.Side(client)) != nil {
		return false
	}
	if b.l.overdue() { // the same, in the moment before
		_, _, err := b.l.port.Recall(f)
		if err != nil {
			slog.Error("a session stays with the ports", "error", err)
		}
		return false
	}
	return true
}

// Recall implements session.Below.
func (b below) Recall(c session.Conn, vlan uint32) (session.Resting, bool) {
	return told(b.l.port.Recall(flow(c, vlan)))
}

// Look implements session.Below.
func (b below) Look(c session.Conn, vlan uint32) (session.Resting, bool) {
	return told(b.l.port.Look(flow(c, vlan)))
}

func told(s port.Session, known bool, err error) (session.Resting, bool) {
	if err != nil {
		slog.Error("the ports do not tell of a session", "error", err)
	}
	return restingOf(&s), known
}

// Forget implements session.Below.
func (b below) Forget(c session.Conn, vlan uint32, marked bool) {
	if !marked {
		b.l.setUnmarked(b.l.unmarked - 1)
		return
	}
	if err := b.l.port.Forget(flow(c, vlan)); err != nil {
		slog.Error("the ports do not forget a session", "error", err)
	}
}

// Sum implements session.Below.
func (b below) Sum(m []byte) uint64 { return b.l.port.Sum(m) }

func flow(c session.Conn, vlan uint32) port.Flow {
	return port.Flow{VLAN: vlan, Client: c.Client, Server: c.Server}
}

func (l *loop) setUnmarked(n int) {
	if (n > 0) != (l.unmarked > 0) {
		l.port.SetUnmarked(n > 0)
	}
	l.unmarked = n
}

const (
	sweepEvery  = 2 * time.Second
	sweepLinger = 10 * time.Second
	// sweepShare is how much longer than a batch takes is waited before the next: a
	// million sessions, half a second's work, are looked through in less than a
	// minute, and at no moment does the load lose more than one part in so many of
	// one processor.
	sweepShare = 100
	// hasteShare is that where the last walk found a tenth of the sessions over: so
	// many are reset that the table could fill.
	hasteShare = 10
	// restAtMost bounds that wait where a batch took long because others had the
	// processors.
	restAtMost = 200 * time.Millisecond
)

// census is what was found when the sessions that the program follows were last
// looked through.
type census struct {
	generation *generation // in force when it began
	strays     int
	services   map[port.ServiceEnd]uint64
}

// sweep has sessions that are over forgotten, every now and then. It walks
// beside the loop, which does what is to be done between two frames.
func (a *agent) sweep(ctx context.Context) {
	share := time.Duration(sweepShare)
	for sleep(ctx, sweepEvery) == nil {
		found, err := a.sweepOnce(ctx, share)
		if err != nil && ctx.Err() == nil {
			slog.Error("sessions in the kernel are not looked through", "error", err)
		}
		if share = sweepShare; uint64(len(found.Expired)) > found.Below/10 {
			share = hasteShare
		}
	}
}

// sleep returns early, with the reason, when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (a *agent) sweepOnce(ctx context.Context, share time.Duration) (found port.Sweep, err error) {
	var g *generation
	if err := a.loop.do(ctx, func() { g = a.loop.current }); err != nil {
		return found, err
	}
	l, idle := a.loop, session.DefaultLimits.Idle
	found, err = l.port.SweepSessions(g.protects, idle, sweepLinger, false, func(took time.Duration) error {
		return sleep(ctx, min(share*took, restAtMost))
	})
	if err != nil {
		return found, err
	}
	forget := func(flows []port.Flow, f func(port.Flow) (bool, error)) error {
		for chunk := range slices.Chunk(flows, batch) {
			var failed error
			err := l.do(ctx, func() {
				for _, flow := range chunk {
					gone, err := f(flow)
					if gone {
						l.expired++
					}
					failed = errors.Join(failed, err)
				}
			})
			if err := errors.Join(err, failed); err != nil {
				return err
			}
		}
		return nil
	}
	err = errors.Join(
		forget(found.Expired, func(f port.Flow) (bool, error) { return l.port.Expire(f, idle, sweepLinger) }),
		forget(found.Strays, func(f port.Flow) (bool, error) { return l.port.Expire(f, 0, 0) }))
	if err != nil {
		return found, err
	}
	return found, l.do(ctx, func() { l.census = census{g, len(found.Strays) + int(found.Bound), found.Services} })
}

// protects says whether a session with this end is one of the services.
func (g *generation) protects(e port.ServiceEnd) bool {
	a := netip.AddrFrom16(e.Address).Unmap()
	return slices.ContainsFunc(g.settings, func(v settings.Service) bool { return v.Port == e.Port && v.Address.Contains(a) })
}

// disown removes what the ports know of sessions that an earlier engine had, or
// had not brought to an end: nobody knows how they stand. Those that were edited
// and settled stay with what is known of their numbers.
func (l *loop) disown() error {
	found, err := l.port.SweepSessions(func(port.ServiceEnd) bool { return true }, session.DefaultLimits.Idle, sweepLinger, true, nil)
	if err != nil {
		return err
	}
	for _, f := range found.Orphans {
		if err := l.disownOne(f); err != nil {
			return fmt.Errorf("forget sessions of an earlier engine: %w", err)
		}
	}
	l.setUnmarked(0)
	c, err := l.port.Counters()
	l.census.services = found.Services
	l.countedBelow = int64(found.Below) - openedLessClosed(c)
	l.openedBefore = c[port.A].Opened + c[port.B].Opened
	return err
}

func (l *loop) disownOne(f port.Flow) error {
	s, known, err := l.port.Look(f)
	switch {
	case err != nil:
		return err
	case known && s.Edited && s.Settled():
		s.Above, s.Stale = false, true
		return l.port.Give(f, s, port.A) // whichever side: only the numbers count
	case known && s.Edited:
		l.doomed[f] = newDoom(nil)
		_, _, err := l.port.Recall(f) // it stays, saying that nothing of the session may pass
		return err
	}
	return l.port.Forget(f)
}

func openedLessClosed(c [2]port.Counts) int64 {
	return int64(c[port.A].Opened + c[port.B].Opened - c[port.A].Closed - c[port.B].Closed)
}

// addBelow adds the sessions that the program follows to the engine's figures,
// and returns how many they are.
func (l *loop) addBelow(s *session.Stats, c [2]port.Counts) (below uint64) {
	s.Total += c[port.A].Opened + c[port.B].Opened - l.openedBefore
	open := l.countedBelow + openedLessClosed(c) - int64(s.Taken) + int64(s.Given) - int64(l.expired)
	below = uint64(max(open, 0))
	s.Open += below
	for end, n := range l.census.services {
		for _, v := range l.current.settings {
			if v.Port == end.Port && v.Address.Contains(netip.AddrFrom16(end.Address).Unmap()) {
				s.PerService[v.Name] += n
				break
			}
		}
	}
	return below
}
