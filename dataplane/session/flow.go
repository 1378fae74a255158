package session

import (
	lists "container/list"
	"net/netip"
	"time"

	"wirepatch/dataplane/packet"
)

// flow is the datagrams between two ends, one of which is a protected service.
// It ends when none has passed for a time.
//
//	client only            unanswered: forgotten first, and sooner
//	both ends were heard   answered
type flow struct {
	svc       *Service
	key       key
	conn      Conn
	inspector DatagramInspector // nil: to be made
	rest      Rest
	heard     [2]bool // by Direction
	edited    bool
	told      bool // an event says that it has what cannot be inspected
	passed    bool // such a datagram has passed
	used      Instant
	at        *lists.Element
	list      *lists.List
}

// How long a flow is remembered after its last datagram.
const (
	unansweredFor = 30 * time.Second
	answeredFor   = 180 * time.Second
)

// flows are all flows. The oldest of each list stands first.
type flows struct {
	m                    map[key]*flow
	unanswered, answered lists.List
}

func (fs *flows) init() {
	fs.m = map[key]*flow{}
	fs.unanswered.Init()
	fs.answered.Init()
}

// flowOf returns the flow of the datagram at hand, a new one if need be; nil if
// no service is concerned.
func (e *Engine) flowOf(f *packet.Frame) (*flow, Direction) {
	k := keyOf(f)
	w := e.flows.m[k]
	if w == nil {
		svc, dir := e.match(UDP, f.Dst, f.DstPort), ToServer
		if svc == nil {
			svc, dir = e.match(UDP, f.Src, f.SrcPort), ToClient
		}
		if svc == nil {
			return nil, dir
		}
		w = e.openFlow(k, svc, f, dir)
	}
	dir := ToClient
	if f.SrcPort == w.conn.Client.Port() && f.Src == w.conn.Client.Addr().As16() {
		dir = ToServer
	}
	w.heard[dir] = true
	e.touchFlow(w)
	return w, dir
}

func (e *Engine) openFlow(k key, svc *Service, f *packet.Frame, dir Direction) *flow {
	w := &flow{svc: svc, key: k}
	src := netip.AddrPortFrom(netip.AddrFrom16(f.Src).Unmap(), f.SrcPort)
	dst := netip.AddrPortFrom(netip.AddrFrom16(f.Dst).Unmap(), f.DstPort)
	w.conn = Conn{src, dst}
	if dir == ToClient {
		w.conn = Conn{dst, src}
	}
	e.roomForFlow()
	e.flows.m[k] = w
	e.stats.Total++
	e.stats.PerService[svc.Name]++
	return w
}

// roomForFlow forgets the flow that is missed least when there are too many.
// The unanswered ones have half the room, so that forged senders evict no flow
// that both ends take part in.
func (e *Engine) roomForFlow() {
	fs, most := &e.flows, e.cfg.Limits.Flows
	switch {
	case fs.unanswered.Len() >= most/2 && fs.unanswered.Len() > 0:
		e.removeFlow(fs.unanswered.Front().Value.(*flow))
	case fs.answered.Len() >= most-most/2 && fs.answered.Len() > 0:
		e.removeFlow(fs.answered.Front().Value.(*flow))
	}
}

// touchFlow puts w behind all others of its list: it was used last.
func (e *Engine) touchFlow(w *flow) {
	w.used = e.now
	to := &e.flows.unanswered
	if w.heard[ToServer] && w.heard[ToClient] {
		to = &e.flows.answered
	}
	if w.list == to {
		to.MoveToBack(w.at)
		return
	}
	if w.list != nil {
		w.list.Remove(w.at)
	}
	w.list, w.at = to, to.PushBack(w)
}

func (e *Engine) removeFlow(w *flow) {
	w.list.Remove(w.at)
	delete(e.flows.m, w.key)
	e.leaveService(w.svc)
}

// expireFlows forgets those that have been silent for long enough.
func (e *Engine) expireFlows() {
	for _, l := range []struct {
		*lists.List
		after time.Duration
	}{{&e.flows.unanswered, unansweredFor}, {&e.flows.answered, answeredFor}} {
		for at := l.Front(); at != nil; at = l.Front() {
			w := at.Value.(*flow)
			if e.now-w.used < int64(l.after) {
				break
			}
			e.removeFlow(w)
		}
	}
}

// reassignFlows has the flows go on under the services in force. A datagram
// stands alone, so what their decoders knew is given up for the new
// definitions; those whose service is no longer protected end.
func (e *Engine) reassignFlows() {
	for _, w := range e.flows.m {
		server := w.conn.Server
		svc := e.match(UDP, server.Addr().As16(), server.Port())
		if svc == nil {
			e.removeFlow(w)
			continue
		}
		e.leaveService(w.svc)
		e.stats.PerService[svc.Name]++
		w.svc, w.inspector, w.rest = svc, nil, InspectRest
	}
}
