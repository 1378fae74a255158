package sim

import (
	"math/rand/v2"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// Halt is a time in which the engine does nothing: stopped and continued, or
// killed and started anew. The ports then do what the BPF program does
// (port/bpf/wire.c): as long as the last heartbeat is fresh they hand frames up,
// and then they follow the policy.
type Halt struct {
	At, For int64 // 0: none
	Kill    bool
}

// Reload is when other definitions come into force.
type Reload struct {
	At   int64 // 0: never
	Then Choices
}

const (
	beatEvery = 50 * ms
	fresh     = 400 * ms // port.StaleAfter
	backlog   = 256      // frames that wait for the engine
)

// halts is the state of the ports while the engine does nothing.
type halts struct {
	on       bool
	kill     bool
	beat     int64 // the last one
	waiting  []func()
	bypassed bool // a frame has gone past the engine
	doomed   bool // frames of the session are refused
}

func (c *Config) drawHalts(r *rand.Rand) {
	chance := func(p float64) bool { return r.Float64() < p }
	if chance(.1) {
		c.Reload = Reload{1 + r.Int64N(300*ms), choices(r)}
		if c.Hostile > 0 {
			c.Reload.Then.Unseen, c.Reload.Then.Forever = 0, 0
		}
	}
	if !chance(.2) {
		return
	}
	for i := range c.Halts {
		if i == 0 || chance(.3) {
			c.Halts[i] = Halt{1 + r.Int64N(800*ms) + int64(i)*4000*ms, []int64{5, 100, 350, 450, 600, 1500, 3000}[r.IntN(7)] * ms, chance(.5)}
		}
	}
	c.Closed = chance(.3)
	c.Hostile, c.Inject, c.Held, c.Total = 0, 0, 0, 0 // what is not inspected is not protected
	c.Ends[0].Urgent, c.Ends[1].Urgent, c.Ends[0].SYNData = 0, 0, 0
	c.Choices.Close, c.Reload.Then.Close = 0, 0 // perhaps only one end hears of it
}

func (c *Config) halting() bool { return c.Halts[0].At > 0 || c.Halts[1].At > 0 }

// planHalts schedules what befalls the engine.
func (s *run) planHalts() {
	if r := s.cfg.Reload; r.At > 0 {
		s.after(r.At, func() {
			s.trace("other definitions")
			s.cfg.Choices = r.Then
			svc := *s.service
			s.service = &svc
			s.engine.SetServices([]*session.Service{&svc})
		})
	}
	if !s.cfg.halting() {
		return
	}
	s.heartbeat()
	for _, h := range s.cfg.Halts {
		if h.At > 0 {
			s.after(h.At, func() { s.halt(h) })
		}
	}
}

// heartbeat goes on for ever, but while the engine does nothing.
func (s *run) heartbeat() {
	if !s.halts.on {
		s.halts.beat = s.now
		s.engine.Beat()
	}
	s.after(beatEvery, s.heartbeat)
}

func (s *run) halt(h Halt) {
	if s.halts.on || s.done() {
		return
	}
	s.trace("the engine halts, killed: %v", h.Kill)
	s.halts.on, s.halts.kill, s.halts.bypassed = true, h.Kill, false
	s.after(h.For, s.goOn)
}

// goOn is what package main does when it continues, or starts (stall.go,
// slots.go).
func (s *run) goOn() {
	s.trace("the engine goes on")
	h := &s.halts
	waiting := h.waiting
	late := s.now-h.beat > fresh/2
	h.on, h.waiting = false, nil
	switch {
	case h.kill:
		s.restart()
		waiting = nil
	case late && h.bypassed:
		for range s.engine.Bypassed().Lost {
			s.doom()
		}
		waiting = nil
	}
	h.beat = s.now
	s.engine.Beat()
	for _, handle := range waiting {
		handle()
	}
	s.tick()
}

// restart begins with a new engine, which inherits what the ports know.
func (s *run) restart() {
	s.newEngine()
	s.engine.Tick(s.now) // it knows the time
	s.disown()
	p := s.slot
	switch {
	case p == nil:
	case !p.c.Settled:
		s.doom()
	default:
		s.engine.Adopt(p.conn, p.vlan, p, [2]uint32{p.c.Lanes[0].Seq, p.c.Lanes[1].Seq})
	}
}

// doom resets both ends of a session whose edits were not settled: what it was
// promised is lost (doomed.go).
func (s *run) doom() {
	s.trace("doomed")
	s.slot = nil
	s.books.forget()
	s.halts.doomed = true
	s.insp.killed = true
	for _, e := range s.ends {
		e.state = reset
	}
}

// stopped has the ports decide about a frame while the engine does nothing. It
// says whether the engine is to have nothing of it.
func (s *run) stopped(d session.Direction, seen *view, f []byte, v packet.VNet, handle func()) bool {
	h := &s.halts
	switch {
	case !h.on:
		return false
	case s.now-h.beat < fresh:
		if !s.follow(d, seen, f, v) && !s.ride(d, seen, f, v) && len(h.waiting) < backlog {
			h.waiting = append(h.waiting, handle)
		}
		return true
	}
	h.bypassed = h.bypassed || !s.cfg.Closed
	s.bypass(d, seen, f, v)
	return true
}

// bypass sends a frame past the engine, as the policy says.
func (s *run) bypass(d session.Direction, seen *view, f []byte, v packet.VNet) {
	var p packet.Frame
	if s.cfg.Closed || p.Parse(f) != nil {
		return
	}
	if p.Flags&(packet.SYN|packet.ACK) == packet.SYN { // another session
		s.slot = nil
		s.books.forget()
	}
	isPartial := v.Flags&packet.VNetNeedsCsum != 0
	damaged := !isPartial && !p.ValidChecksum()
	if s.slot != nil && !s.slot.lent {
		if !s.slot.c.Settled {
			return
		}
		shift(&p, s.slot.c.Lanes[d], isPartial)
	} else if s.cfg.Lend {
		l, ok := s.books.pass(d, &p, damaged)
		if !ok {
			return
		}
		shift(&p, l, isPartial)
	}
	s.trace("                       past the engine")
	s.note(d, seen)
	if p.Flags&packet.SYN == 0 {
		s.insp.pass()
	}
	if to := session.Side(1 - d); !damaged {
		s.Send(to, v, p.Data)
	}
}
