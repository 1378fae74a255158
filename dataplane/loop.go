package main

import (
	"context"
	"errors"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

const (
	// batch is how many frames one side may bring before the timers, the
	// heartbeat and the other side have their turn.
	batch = 128
	// pulse is how long the loop sleeps at most: well within port.StaleAfter.
	pulse = port.StaleAfter / 8
	// When rounds follow each other within rush and bring frames of many sessions,
	// the loop lets frames gather before it looks again: going to sleep and being
	// woken for each costs more than what is done for one.
	rush   = int64(150 * time.Microsecond)
	gather = 40 * time.Microsecond
	// drainEvery is how often the ports are asked to let go of services that are
	// no longer protected.
	drainEvery = time.Second
)

// loop is the one goroutine that owns the engine and all sessions. Others send
// it functions to run between two frames (do); they share no lock with it.
type loop struct {
	port   *port.Port
	out    output
	engine *session.Engine
	events *control.Log
	room   room
	tasks  chan func()
	began  time.Time
	buf    []byte

	current    *generation
	draining   []port.Service // no longer protected, but with sessions under way
	drainNames []string
	drainAt    session.Instant
	lastBeat   session.Instant
	roundAt    session.Instant // when the round began
	mark       uint64          // of port.Handed
	bypassed   uint64          // by the ports' counters, when last looked at

	unmarked     int    // sessions that the ports could not be told of
	expired      uint64 // sessions below that were forgotten
	census       census
	countedBelow int64  // sessions below at the start, less what the counters say
	openedBefore uint64 // by the counters, at the start

	doomed      doomed
	knockAt     session.Instant
	overs       int    // how often the engine has started over
	adopted     int    // settled sessions that it then picked up anew, or inherited
	kept        int    // unsettled ones that it went on with
	lost        int    // unsettled ones that it could not
	ruined      uint64 // sessions that were doomed, and have been reset
	slotFailed  bool
	corrections uint64
	perPatch    map[string]uint64        // by definition
	strikes     map[string]*patch.Strike // that the ports make, or have made, by the field's name
}

func newLoop(p *port.Port, events *control.Log, r room) *loop {
	l := &loop{port: p, room: r, out: output{p}, events: events, tasks: make(chan func(), 16), began: time.Now(),
		buf: make([]byte, port.BufferSize), current: &generation{}, perPatch: map[string]uint64{}, strikes: map[string]*patch.Strike{}}
	l.engine = l.newEngine(nil)
	return l
}

func (l *loop) newEngine(services []*session.Service) *session.Engine {
	return session.NewEngine(session.Config{Output: l.out, Event: l.event, Services: services, Limits: l.room.limits, Slots: slots{l}, Below: below{l},
		MTU: func(s session.Side) int { return l.port.MTU(port.Side(s)) }})
}

// output hands the engine's frames to the ports. What a port does not take is
// lost, as on a wire, and counted there.
type output struct{ port *port.Port }

func (o output) Send(to session.Side, v packet.VNet, frame []byte) {
	_ = o.port.Send(port.Side(to), v, frame)
}

func (l *loop) now() session.Instant { return int64(time.Since(l.began)) + 1 }

// run moves frames until ctx is done.
func (l *loop) run(ctx context.Context) error {
	favour()
	for ctx.Err() == nil {
		now := l.now()
		if err := l.beat(); err != nil {
			return err
		}
		next := l.engine.Tick(now)
		l.drain(now)
		l.knock(now)
		l.tellStruck()
		// A frame is counted a moment before it can be read, so the mark is one
		// of the round before.
		mark, drained := l.mark, true
		l.mark = l.port.Handed()
		if l.engine.Crowded() && now-l.roundAt < rush {
			l.port.Pause(gather)
		}
		l.roundAt = now
		ready, err := l.port.Wait(min(time.Duration(next-now), pulse))
		if err != nil {
			return err
		}
		for s, waiting := range ready.Frames {
			if !waiting {
				continue
			}
			empty, err := l.receive(port.Side(s))
			if err != nil {
				return err
			}
			l.port.Flush()
			drained = drained && empty
		}
		if drained {
			l.port.Drained(mark)
		}
		l.runTasks()
	}
	return nil
}

// receive handles what waits on side s, but no more than a batch. It says
// whether it was all.
func (l *loop) receive(s port.Side) (empty bool, err error) {
	for range batch {
		if l.overdue() {
			return false, nil // beat first: what the engine knows may not be true any more
		}
		v, frame, err := l.port.Recv(s, l.buf)
		if errors.Is(err, port.ErrAgain) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if len(l.doomed) > 0 && l.refuse(s, frame) {
			continue
		}
		l.engine.Handle(session.Side(s), v, frame, l.now())
	}
	return false, nil
}

func (l *loop) runTasks() {
	for {
		select {
		case f := <-l.tasks:
			f()
		default:
			return
		}
	}
}

// do has the loop run f and waits for it.
func (l *loop) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case l.tasks <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.port.Wake()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
