package sim

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// longest is the virtual time after which a run counts as stalled.
const longest = 900_000 * ms

// run is one simulation under way.
type run struct {
	cfg     Config
	rng     *rand.Rand
	now     int64
	events  events
	order   int
	engine  *session.Engine
	service *session.Service
	tickAt  int64
	ends    [2]*endpoint // by the direction they send in
	insp    *inspector
	vlan    uint16
	arrived [2]ranges // input offsets that have reached the engine
	acks    [2]int64  // what the receiver was heard to acknowledge
	lastIn  [2]int64
	lastOut [2]int64
	passing [2][][]byte // frames that must pass bit for bit
	strict  bool
	slot    *slot
	halts   halts
	books   books

	shrinkAt int64
	shrinkTo int

	failure string
	tracing bool
	log     []string
	steps   int
}

type event struct {
	at    int64
	order int
	do    func()
}

type events []event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (s *run) after(d int64, do func()) {
	s.order++
	heap.Push(&s.events, event{s.now + max(d, 0), s.order, do})
}

func (s *run) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }

// fail notes the first violation. It returns true.
func (s *run) fail(format string, args ...any) bool {
	if s.failure == "" {
		s.failure = fmt.Sprintf("at %.3f ms: ", float64(s.now)/1e6) + fmt.Sprintf(format, args...)
		s.trace("FAIL %s", s.failure)
	}
	return true
}

func (s *run) trace(format string, args ...any) {
	if s.tracing {
		s.log = append(s.log, fmt.Sprintf("%10.3f ", float64(s.now)/1e6)+fmt.Sprintf(format, args...))
	}
}

// Run simulates c and returns what was violated, "" if nothing; with trace also
// what happened last.
func Run(c Config, trace bool) (failure, log string) {
	s := newRun(c, trace)
	defer func() {
		if p := recover(); p != nil {
			failure = fmt.Sprintf("panic at %.3f ms: %v\n%s", float64(s.now)/1e6, p, stack())
			log = s.tail()
		}
	}()
	s.loop()
	s.verify()
	return s.failure, s.tail()
}

// tailLines is how much of a trace is printed.
const tailLines = 100

func (s *run) tail() string {
	return strings.Join(s.log[max(0, len(s.log)-tailLines):], "\n")
}

func newRun(c Config, trace bool) *run {
	s := &run{cfg: c, rng: rand.New(rand.NewPCG(c.Seed, 1)), now: 1, vlan: c.VLAN, tracing: trace}
	s.insp = &inspector{s: s, rng: rand.New(rand.NewPCG(c.Seed, 2))}
	s.shrinkAt, s.shrinkTo = c.Shrink, c.Path
	clean := Link{}
	s.strict = c.Choices == Choices{} && c.Hostile == 0 && c.Inject == 0 && c.Total == 0 && c.Shrink == 0 && !c.halting() && c.Reload.At == 0
	for i := range s.ends {
		in := c.In[i]
		in.Delay, in.Dup = 0, 0
		s.strict = s.strict && in == clean && c.Ends[i].Urgent == 0 && c.Ends[i].SYNData == 0
		e := &endpoint{s: s, dir: session.Direction(i), c: c.Ends[i], isn: c.Ends[i].ISN, mss: c.Ends[i].MSS}
		e.addr = address{mac: [6]byte{2, 0, 0, 0, 0, byte(i)}, ip: []byte{10, 0, 0, byte(1 + i)},
			port: uint16(40000 - i*39920), ttl: byte(57 + i), tos: byte(0x28 + 4*i)}
		if c.V6 {
			e.addr.ip = append(make([]byte, 15), byte(1+i))
			e.addr.ip[0] = 0xfd
		}
		e.script = make([]byte, e.c.Bytes)
		for j := range e.script {
			e.script[j] = byte('a' + s.rng.IntN(26))
		}
		s.ends[i] = e
	}
	server, _ := netip.AddrFromSlice(s.ends[1].addr.ip)
	s.service = &session.Service{Name: "toy", Address: netip.PrefixFrom(server, server.BitLen()), Port: 80, Exceed: c.Policy,
		New: func(_ session.Conn, midStream bool) session.Inspector {
			if !midStream && (!c.halting() || !s.insp.begun() || s.books.holds && !s.insp.passed) {
				return s.insp
			}
			if c.halting() { // else it is what is left of a session that was reset and forgotten
				s.insp.pass()
			}
			return idle{}
		}}
	s.books.s = s
	s.newEngine()
	return s
}

func (s *run) newEngine() {
	c := &s.cfg
	limits := session.DefaultLimits
	if c.Held > 0 {
		limits.Held = c.Held
	}
	if c.Total > 0 {
		limits.Total = c.Total
	}
	cfg := session.Config{Output: s, Services: []*session.Service{s.service}, Limits: limits, Event: s.insp.onEvent}
	if c.Carry > 0 || c.halting() {
		cfg.Slots, cfg.Limits.Carry = s, c.Carry
	}
	if c.Carry == 0 {
		cfg.Limits.Carry = 1 << 30
	}
	if c.Lend {
		cfg.Below = &s.books
	}
	s.engine = session.NewEngine(cfg)
}

func (s *run) loop() {
	for _, e := range s.ends {
		s.schedule(e)
	}
	s.planHalts()
	s.ends[0].start()
	for len(s.events) > 0 && s.failure == "" && !s.done() {
		ev := heap.Pop(&s.events).(event)
		s.now = ev.at
		ev.do()
		if s.now > longest {
			s.fail("stalled: %s", s.progress())
		}
		if s.steps++; s.steps > 1_500_000 {
			s.fail("endless: %s", s.progress())
		}
	}
	if s.failure == "" && !s.done() {
		s.fail("nothing more happens: %s", s.progress())
	}
}

func (s *run) progress() string {
	var b strings.Builder
	for i, e := range s.ends {
		fmt.Fprintf(&b, "[%s: state %d una %d nxt %d written %d edge %d; delivered %d of %d, fin %v] ", e.dir, e.state, e.una, e.nxt, e.written, e.edge,
			len(s.ends[1-i].got), len(s.insp.dirs[i].expected), s.ends[1-i].gotFIN)
	}
	return b.String()
}

// schedule plans what e's application does.
func (s *run) schedule(e *endpoint) {
	switch {
	case !s.cfg.Turns:
		s.writes(e)
	case e.dir == session.ToServer:
		s.turn(e)
	}
	if e.c.AbortAt > 0 {
		s.after(e.c.AbortAt, e.abort)
	}
	if e.c.ReadEvery > 0 {
		s.reading(e)
	}
}

// writes plans what e writes, whatever the other end does.
func (s *run) writes(e *endpoint) {
	at, left := int64(0), len(e.script)
	for i := e.c.Writes; i > 0 && left > 0; i-- {
		n := left
		if i > 1 {
			n = 1 + s.rng.IntN(left)
		}
		left -= n
		if e.c.Pause > 0 {
			at += s.rng.Int64N(e.c.Pause)
		}
		s.after(at, func() {
			e.written += int64(n)
			e.send()
		})
	}
	s.after(at+s.rng.Int64N(50*ms), func() {
		if !e.c.AfterPeer || e.gotFIN {
			s.finish(e)
		}
		e.c.AfterPeer = false
	})
}

// turn has e write, and the other end once all of that has arrived.
func (s *run) turn(e *endpoint) {
	o := s.ends[e.dir.Other()]
	left := len(e.script) - int(e.written)
	if left > 0 {
		n := left
		if e.turns++; e.turns < max(e.c.Writes, 6) {
			n = 1 + s.rng.IntN(min(left, 8000))
		}
		e.written += int64(n)
		e.send()
	}
	var wait func()
	wait = func() {
		switch {
		case e.gotFIN || o.gotFIN || e.state == reset || o.state == reset: // nothing is answered any more
			for _, e := range s.ends {
				e.written = int64(len(e.script))
				s.finish(e)
			}
		case e.una <= e.written:
			s.after(ms, wait)
		case int(e.written) < len(e.script) || int(o.written) < len(o.script):
			s.turn(o)
		default:
			s.finish(e)
			s.finish(o)
		}
	}
	s.after(ms, wait)
}

func (s *run) reading(e *endpoint) {
	s.after(e.c.ReadEvery, func() {
		e.read(e.c.ReadN)
		s.reading(e)
	})
}

func (s *run) finish(e *endpoint) {
	if !e.finished {
		e.finished = true
		e.send()
	}
}

// finArrived lets the application of e close once the peer has, if it waits
// for that.
func (s *run) finArrived(e *endpoint) {
	if !e.c.AfterPeer && !e.finished && e.written == int64(len(e.script)) {
		s.after(1, func() { s.finish(e) })
	}
	e.c.AfterPeer = false
}

func (e *endpoint) done() bool {
	return e.state == reset || e.state == over || e.gotFIN && e.finished && e.una > e.finAt()
}

func (s *run) done() bool { return s.ends[0].done() && s.ends[1].done() }

// tick runs the engine's timers.
func (s *run) tick() {
	if s.halts.on {
		return
	}
	s.tickAt = s.engine.Tick(s.now)
	at := s.tickAt
	s.after(at-s.now, func() {
		if s.tickAt == at {
			s.tick()
		}
	})
}

// Send implements session.Output.
func (s *run) Send(to session.Side, v packet.VNet, frame []byte) {
	d := session.Direction(0)
	if to == session.A {
		d = session.ToClient
	}
	frames, err := complete(v, frame)
	if err != nil {
		s.fail("engine sends %s: %v", d, err)
		return
	}
	for _, f := range frames {
		p, err := parse(f)
		if err != nil {
			s.fail("engine sends %s: %v", d, err)
			return
		}
		if s.tracing {
			s.trace("                       engine -> %s %s", d, s.describe(d, p, false))
		}
		s.check(d, p, f)
		if s.shrinkAt > 0 && s.now > s.shrinkAt && len(f)-p.l3 > s.shrinkTo {
			continue
		}
		s.carry(&s.cfg.Out[d], &s.lastOut[d], f, func(f []byte) {
			v, err := parse(f)
			if err != nil {
				return
			}
			if s.tracing {
				s.trace("                                     -> receiver %s %s", d, s.describe(d, v, false))
			}
			s.ends[d.Other()].receive(v)
		})
	}
}

// fromEnd takes a frame that an endpoint sends.
func (s *run) fromEnd(e *endpoint, f []byte, gso int) {
	s.emit(e, f, gso)
	if s.chance(s.cfg.Hostile) {
		s.hostile(e)
	}
	if s.chance(s.cfg.Inject) {
		s.inject(e)
	}
}

func (s *run) emit(e *endpoint, f []byte, gso int) {
	d := e.dir
	s.carry(&s.cfg.In[d], &s.lastIn[d], f, func(f []byte) {
		p, err := parse(f)
		var v packet.VNet
		if err == nil {
			if s.strict {
				s.mirror(d, f, p, gso)
			}
			if gso > 0 {
				v = partial(f, gso)
			}
			if s.tracing {
				s.trace("sender %s -> %s gso %d", d, s.describe(d, p, true), gso)
			}
		}
		from := session.A
		if d == session.ToClient {
			from = session.B
		}
		handle := func() {
			s.note(d, p)
			s.engine.Handle(from, v, f, s.now)
			s.tick()
		}
		if s.halts.doomed || s.stopped(d, p, f, v, handle) || s.follow(d, p, f, v) || s.ride(d, p, f, v) {
			return
		}
		handle()
		if held := s.engine.Stats().Held; s.cfg.Total > 0 && s.cfg.Policy == session.PolicyReset && held > uint64(s.cfg.Total) {
			s.fail("engine keeps %d bytes; limit %d", held, s.cfg.Total)
		}
	})
}

// carry takes f over link l.
func (s *run) carry(l *Link, last *int64, f []byte, arrive func([]byte)) {
	if s.chance(l.Loss) {
		return
	}
	f = bytes.Clone(f)
	if s.chance(l.Corrupt) {
		p, _ := parse(f)
		at := p.l4 + 4 + s.rng.IntN(len(f)-p.l4-4) // with other ports it would not be of this session
		f[at] ^= 1 << s.rng.IntN(8)
		if _, err := parse(f); err == nil {
			return // not to be told from the original
		}
	}
	at := max(s.now+l.Delay, *last)
	if s.chance(l.Reorder) {
		at += s.rng.Int64N(30 * ms)
	} else {
		*last = at
	}
	n := 1
	if s.chance(l.Dup) {
		n = 2
	}
	for range n {
		g := bytes.Clone(f)
		s.after(at-s.now, func() { arrive(g) })
		at += s.rng.Int64N(5 * ms)
	}
}
