package session

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"time"

	"wirepatch/dataplane/packet"
)

// Instant is a point of monotonic time, in nanoseconds since some beginning.
type Instant = int64

// Engine follows all sessions. It is not safe for concurrent use: one
// goroutine owns it.
type Engine struct {
	cfg      Config
	sessions map[key]*Session
	lists    [listCount]list
	timers   timers
	frags    packet.Reassembler
	flows    flows
	tellings tellings
	lastID   uint32 // identification of fragments of our own
	stats    Stats
	memory   int // bytes kept in all sessions
	legacies map[key]legacy
	cleanAt  Instant // when legacies are looked through next
	now      Instant
	beats    uint64
	latest   *Session     // that a segment came for
	crowd    int          // how many came in turns from different ones, up to a limit
	in       packet.Frame // the frame at hand
	out      packet.Frame // the frame being built
	buf      []byte       // its bytes
	hdr      []byte       // headers of a frame of our own
}

// key names a session whichever way a frame goes: its lower end first.
type key struct {
	a, b         [16]byte
	aPort, bPort uint16
	vlan         uint32
}

func keyOf(f *packet.Frame) key {
	return key{f.Src, f.Dst, f.SrcPort, f.DstPort, f.VLAN}.ordered()
}

func keyOfConn(c Conn, vlan uint32) key {
	return key{c.Client.Addr().As16(), c.Server.Addr().As16(), c.Client.Port(), c.Server.Port(), vlan}.ordered()
}

func (k key) ordered() key {
	c := bytes.Compare(k.a[:], k.b[:])
	if c < 0 || c == 0 && k.aPort < k.bPort {
		return k
	}
	return key{k.b, k.a, k.bPort, k.aPort, k.vlan}
}

// NewEngine returns an engine without sessions. Zero Limits are DefaultLimits.
func NewEngine(cfg Config) *Engine {
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits
	}
	if cfg.Event == nil {
		cfg.Event = func(Event) {}
	}
	e := &Engine{cfg: cfg, sessions: map[key]*Session{}, legacies: map[key]legacy{}, buf: make([]byte, 0, 1<<16+256), hdr: make([]byte, 0, 256)}
	e.stats.PerService = map[string]uint64{}
	e.flows.init()
	e.lastID = rand.Uint32()
	for i := range e.lists {
		e.lists[i].init()
	}
	return e
}

// SetServices replaces the protected services. Sessions under way go on as
// they began; flows go on under what is new.
func (e *Engine) SetServices(services []*Service) {
	e.cfg.Services = services
	e.reassignFlows()
}

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Flows = uint64(len(e.flows.m))
	s.Open = uint64(len(e.sessions)) + s.Flows
	s.Closing = uint64(e.lists[closing].n)
	s.Held = uint64(e.memory)
	s.PerService = maps.Clone(e.stats.PerService)
	return s
}

// Handle takes a frame that came in on a wire port. It may write into frame,
// and keeps none of it.
func (e *Engine) Handle(from Side, v packet.VNet, frame []byte, now Instant) {
	e.now = now
	err := e.in.Parse(frame)
	switch {
	case err == nil:
		e.segment(from, v)
	case errors.Is(err, packet.ErrUDP):
		e.datagram(from, v, nil)
	case errors.Is(err, packet.ErrFragment):
		e.fragment(from, v)
	case errors.Is(err, packet.ErrNotTCP):
		e.other(from, v, frame)
	default:
		// The receiver would discard it; what we cannot read must not pass.
		e.stats.Malformed++
	}
}

// fragment collects the fragments of a packet. Those of a protected TCP session
// go on as one segment (cut anew where it is too long); others, and datagrams
// that nothing was changed in, as they came.
func (e *Engine) fragment(from Side, v packet.VNet) {
	if !e.in.MayBeOurs() {
		e.cfg.Output.Send(from^1, v, e.in.Data)
		return
	}
	whole, parts := e.frags.Add(&e.in, e.now)
	if whole == nil {
		return
	}
	if err := e.in.Parse(whole); err != nil {
		if errors.Is(err, packet.ErrUDP) {
			e.datagram(from, v, parts)
			return
		}
		if errors.Is(err, packet.ErrNotTCP) {
			e.sendAll(from^1, v, parts)
			return
		}
		e.stats.Malformed++
		return
	}
	if e.find(&e.in) == nil && e.serviceOf(&e.in) == nil {
		e.sendAll(from^1, v, parts)
		return
	}
	if !e.in.ValidChecksum() {
		e.stats.BadChecksum++
		return
	}
	// The kernel cuts it into segments no longer than the longest fragment.
	longest := 0
	for _, p := range parts {
		longest = max(longest, len(p))
	}
	e.in.PutPartialChecksum()
	v = packet.VNet{Flags: packet.VNetNeedsCsum, HdrLen: uint16(e.in.Payload), CsumStart: uint16(e.in.L4), CsumOffset: 16}
	if gso := longest - e.in.Payload; len(e.in.Body()) > gso && gso > 0 {
		v.GSOSize, v.GSOType = uint16(gso), packet.GSOTCPv4
		if e.in.V6 {
			v.GSOType = packet.GSOTCPv6
		}
	}
	e.segment(from, v)
}

func (e *Engine) sendAll(to Side, v packet.VNet, frames [][]byte) {
	for _, p := range frames {
		e.cfg.Output.Send(to, v, p)
	}
}

func (e *Engine) segment(from Side, v packet.VNet) {
	f := &e.in
	s := e.find(f)
	if s == nil && e.serviceOf(f) == nil {
		e.cfg.Output.Send(from^1, v, f.Data)
		return
	}
	if v.Flags&(packet.VNetNeedsCsum|packet.VNetDataValid) == 0 && !f.ValidChecksum() {
		e.stats.BadChecksum++
		return
	}
	if s != nil && s.lent {
		s = e.recall(s)
	}
	if s != nil && !s.marked && e.cfg.Below != nil {
		s = e.again(s, from, f)
	}
	if s == nil {
		s = e.open(from, f)
	}
	e.count(s)
	before := s.memory()
	s.handle(from, v, f)
	e.account(s, before)
}

// account keeps the sum of memory, the timers and the lists up to date after
// something happened to s, which used before bytes.
func (e *Engine) account(s *Session, before int) {
	e.memory += s.memory() - before
	if e.memory > e.cfg.Limits.Total && s.memory() > 0 && !s.blind {
		used := s.memory()
		s.exceed("the memory for all sessions is used up")
		e.memory += s.memory() - used
	}
	s.ride()
	e.touch(s)
	if s.stirred++; s.lendNow() {
		if pending, ok := s.mayLend(); ok {
			if e.lend(s, pending); s.list == nil {
				return
			}
			s.lookAt = e.now + restAfter
		}
	}
	e.timers.set(s, s.deadline())
}

func (e *Engine) find(f *packet.Frame) *Session { return e.sessions[keyOf(f)] }

// serviceOf finds the service that the segment is for: by its destination.
func (e *Engine) serviceOf(f *packet.Frame) *Service {
	if s := e.match(TCP, f.Dst, f.DstPort); s != nil {
		return s
	}
	return e.match(TCP, f.Src, f.SrcPort)
}

func (e *Engine) match(t Transport, addr [16]byte, port uint16) *Service {
	a := netip.AddrFrom16(addr).Unmap()
	var best *Service
	for _, s := range e.cfg.Services {
		if s.Port == port && s.Transport == t && s.Address.Contains(a) && (best == nil || s.Address.Bits() > best.Address.Bits()) {
			best = s
		}
	}
	return best
}

// open makes a session for a segment that belongs to none, but to a service.
func (e *Engine) open(from Side, f *packet.Frame) *Session {
	s := e.create(from, f)
	e.inherit(s, f.Flags&packet.SYN != 0)
	if e.takeOver(s) {
		e.stats.Taken++
	} else {
		e.stats.Total++
	}
	return s
}

func (e *Engine) create(from Side, f *packet.Frame) *Session {
	toServer := true
	svc := e.match(TCP, f.Dst, f.DstPort)
	if svc == nil {
		svc, toServer = e.match(TCP, f.Src, f.SrcPort), false
	}
	e.makeRoom()
	s := newSession(e, svc, from, f, toServer)
	e.sessions[s.key] = s
	e.stats.PerService[svc.Name]++
	e.lists[embryonic].push(s)
	return s
}

func (e *Engine) remove(s *Session) {
	if s.lent && e.lookAfter(s) {
		return
	}
	if s.putBack() {
		e.release(s)
		return
	}
	if e.cfg.Below != nil {
		e.cfg.Below.Forget(s.conn, s.key.vlan, s.marked)
	}
	e.drop(s)
}

// again asks the ports once more about a session that they could not mark as
// ours: they may have followed another one between the same ends meanwhile.
func (e *Engine) again(s *Session, from Side, f *packet.Frame) *Session {
	r, known, marked := e.cfg.Below.Take(s.conn, s.key.vlan)
	e.cfg.Below.Forget(s.conn, s.key.vlan, false) // it was counted as not marked, and now anew
	s.marked = marked
	if !known || !r.Established {
		return s
	}
	e.drop(s)
	s = e.create(from, f)
	s.marked = marked
	s.carryOn(&r)
	e.stats.Taken++
	return s
}

// drop forgets s.
func (e *Engine) drop(s *Session) {
	e.memory -= s.memory()
	e.timers.set(s, 0)
	s.leave()
	s.list.remove(s)
	delete(e.sessions, s.key)
	e.leaveService(s.svc)
}

func (e *Engine) leaveService(svc *Service) {
	if e.stats.PerService[svc.Name]--; e.stats.PerService[svc.Name] == 0 {
		delete(e.stats.PerService, svc.Name)
	}
}

// touch moves s behind all others of its list: it was used last.
func (e *Engine) touch(s *Session) {
	s.used = e.now
	s.list.remove(s)
	e.lists[s.stage()].push(s)
}

// Tick does what is due at now and returns when it wants to be called next: a
// second later at most.
func (e *Engine) Tick(now Instant) Instant {
	e.now = now
	for {
		s := e.timers.first()
		if s == nil || s.due > now {
			break
		}
		if s.lent && s.lookAt <= now && e.lookAfter(s) {
			continue
		}
		if s.lent && s.overdue() {
			if s = e.recall(s); s == nil {
				continue
			}
		}
		before := s.memory()
		if !s.lent {
			s.tick()
		}
		e.memory += s.memory() - before
		if !s.lent {
			s.ride()
			if pending, ok := s.mayLend(); ok && now-s.used >= restAfter {
				if e.lend(s, pending); s.list == nil {
					continue
				}
				s.lookAt = now + restAfter
			}
		}
		e.timers.set(s, s.deadline())
		if s.list != &e.lists[s.stage()] {
			e.touch(s)
		}
	}
	e.expire(&e.lists[embryonic], 60*time.Second)
	e.expire(&e.lists[established], e.cfg.Limits.Idle)
	e.expire(&e.lists[closing], e.cfg.Limits.Linger)
	e.expireFlows()
	e.frags.Expire(now)
	if now >= e.cleanAt {
		e.cleanAt = now + int64(time.Minute)
		e.forgetLegacies()
	}
	next := now + int64(time.Second)
	if s := e.timers.first(); s != nil {
		next = min(next, s.due)
	}
	return next
}

func (e *Engine) expire(l *list, after time.Duration) {
	for s := l.first(); s != nil && e.now-s.used >= int64(after); s = l.first() {
		if s.busy() {
			e.touch(s)
			continue
		}
		e.remove(s)
	}
}
