package sim

import (
	"encoding/binary"
	"fmt"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// The states of an endpoint.
const (
	closed   = iota
	opening  // SYN sent
	answered // SYN received and answered
	open
	over  // both FINs are done, or given up after a reset
	reset // a reset was received or sent
)

// endpoint is one model TCP. Offsets count from the own (or the peer's) SYN,
// which is 0: byte i of a stream is at offset 1+i, FIN behind the last.
type endpoint struct {
	s    *run
	dir  session.Direction // the one it sends in
	c    End
	addr address
	id   uint16

	state     int
	isn, peer uint32 // initial sequence numbers
	mss       int
	opts      struct{ scale, peerScale uint8 }
	sack, ts  bool

	script   []byte // all that the application will ever write
	written  int64
	turns    int  // how often it has written in turn
	finished bool // the application has closed
	una, nxt int64
	maxSent  int64
	edge     int64
	wl1      int64
	cwnd     int
	sacked   []span
	dups     int
	rto      int64
	rtoAt    int64
	retries  int
	rtxOnly  bool // an RTO or fast retransmission is under way

	got       []byte // what was received in order
	gotFIN    bool
	early     []early
	consumed  int64
	rcvEdge   int64 // the right edge advertised, never moved back
	lastStamp uint32
	ackDue    int64
	unacked   int
	idle      int64 // since when nothing was heard
	probes    int
	timer     int64 // when wake is scheduled
}

type span struct{ from, to int64 }
type early struct {
	from int64
	b    []byte
	fin  bool
}

const ms = int64(1e6)

// finAt is the offset of the FIN, if the application has closed.
func (e *endpoint) finAt() int64 { return 1 + e.written }

func (e *endpoint) rcvNxt() int64 {
	n := 1 + int64(len(e.got))
	if e.gotFIN {
		n++
	}
	return n
}

func (e *endpoint) start() {
	e.state = opening
	e.nxt, e.maxSent, e.cwnd = 1, 1, e.c.Window0*e.c.MSS
	e.rto = 200 * ms
	e.sendSYN()
}

func (e *endpoint) sendSYN() {
	o := []byte{2, 4, byte(e.c.MSS >> 8), byte(e.c.MSS)}
	if e.c.Scale >= 0 {
		o = append(o, 1, 3, 3, byte(e.c.Scale))
	}
	if e.c.SACK {
		o = append(o, 1, 1, 4, 2)
	}
	if e.c.Stamps {
		o = append(o, 1, 1, 8, 10)
		o = binary.BigEndian.AppendUint32(o, e.stampNow())
		o = binary.BigEndian.AppendUint32(o, e.lastStamp)
	}
	s := segment{seq: e.isn, flags: packet.SYN, window: uint16(min(e.c.Buffer, 65535)), opts: o}
	if e.state == answered {
		s.flags |= packet.ACK
		s.ack = e.peer + 1
	} else if e.c.SYNData > 0 {
		s.body = e.script[:min(e.c.SYNData, len(e.script))]
	}
	e.rcvEdge = max(e.rcvEdge, 1+int64(s.window))
	e.rtoAt = e.s.now + e.rto
	e.put(&s, 0)
	e.plan()
}

func (e *endpoint) stampNow() uint32 { return e.c.Stamp0 + uint32(e.s.now/ms) }

// put sends s to the wire; gso is the segment size if it may be a super-frame.
func (e *endpoint) put(s *segment, gso int) {
	e.id++
	if e.c.IPOptions {
		if s.ipOpts = []byte{1, 1, 1, 0}; len(e.addr.ip) == 16 {
			s.ipOpts = []byte{6, 0, 1, 4, 0, 0, 0, 0}
		}
	}
	to := &e.s.ends[e.dir.Other()].addr
	e.s.fromEnd(e, s.frame(&e.addr, to, e.s.vlan, e.id), gso)
}

// segmentOptions are those of every segment but SYNs.
func (e *endpoint) segmentOptions(sack bool) []byte {
	var o []byte
	if e.ts {
		o = append(o, 1, 1, 8, 10)
		o = binary.BigEndian.AppendUint32(o, e.stampNow())
		o = binary.BigEndian.AppendUint32(o, e.lastStamp)
	}
	if sack && e.sack && len(e.early) > 0 {
		blocks := e.blocks()
		o = append(o, 1, 1, 5, byte(2+8*len(blocks)))
		for _, b := range blocks {
			o = binary.BigEndian.AppendUint32(o, e.peer+uint32(b.from))
			o = binary.BigEndian.AppendUint32(o, e.peer+uint32(b.to))
		}
	}
	return o
}

// blocks merges what arrived early into at most three spans.
func (e *endpoint) blocks() []span {
	var out []span
	for i := range e.early {
		x := &e.early[i]
		to := x.from + int64(len(x.b))
		if n := len(out); n > 0 && x.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, to)
		} else if to > x.from {
			out = append(out, span{x.from, to})
		}
	}
	return out[:min(len(out), 3)]
}

func (e *endpoint) window() uint16 {
	free := int64(e.c.Buffer) - (int64(len(e.got)) - e.consumed)
	edge := e.rcvNxt() + free>>e.opts.scale<<e.opts.scale
	if edge-e.rcvEdge >= int64(min(e.mss, e.c.Buffer/2)) { // RFC 9293, 3.8.6.2.2
		e.rcvEdge = edge
	}
	return uint16(min((e.rcvEdge-e.rcvNxt())>>e.opts.scale, 65535))
}

func (e *endpoint) tx(off int64, body []byte, flags byte, gso int) {
	e.ackDue, e.unacked = 0, 0
	s := segment{seq: e.isn + uint32(off), ack: e.peer + uint32(e.rcvNxt()), flags: flags | packet.ACK,
		window: e.window(), opts: e.segmentOptions(len(body) == 0), body: body}
	if e.s.chance(e.c.Urgent) && len(body) > 0 {
		s.flags |= packet.URG
		s.urgent = uint16(len(body))
	}
	e.put(&s, gso)
}

func (e *endpoint) ack() { e.tx(min(e.maxSent, max(e.edge, e.una)), nil, 0, 0) }

func (e *endpoint) sendReset(off int64) {
	e.put(&segment{seq: e.isn + uint32(off), ack: e.peer + uint32(e.rcvNxt()), flags: packet.RST | packet.ACK}, 0)
}

// abort is the application's reset.
func (e *endpoint) abort() {
	if e.state == open {
		e.sendReset(e.maxSent)
		e.state = reset
	}
}

// room is the payload a segment may hold.
func (e *endpoint) room() int {
	n := e.mss
	if e.ts {
		n -= 12
	}
	if e.s.shrinkAt > 0 && e.s.now > e.s.shrinkAt {
		n = min(n, e.s.shrinkTo-e.headerLen())
	}
	return n
}

func (e *endpoint) headerLen() int {
	n := 40 + 12
	if len(e.addr.ip) == 16 {
		n += 20
	}
	if e.c.IPOptions {
		n += 8
	}
	return n
}

// send sends what window, congestion window and Nagle allow.
func (e *endpoint) send() {
	if e.state != open {
		return
	}
	for {
		for _, x := range e.sacked {
			if e.nxt >= x.from && e.nxt < x.to && e.rtxOnly {
				e.nxt = x.to
			}
		}
		avail := 1 + e.written - e.nxt
		n := min(avail, int64(e.room()), e.edge-e.nxt, int64(e.cwnd)-(e.nxt-e.una))
		if n <= 0 {
			break
		}
		if n < int64(e.room()) && e.nxt > e.una && e.c.Nagle && !(e.finished && n == avail) && e.nxt >= e.maxSent {
			break
		}
		gso := 0
		if e.c.GSO && e.nxt >= e.maxSent && e.s.rng.IntN(2) == 0 {
			most := int64(e.room() * (2 + e.s.rng.IntN(20)))
			n = min(avail, most, e.edge-e.nxt, int64(e.cwnd)-(e.nxt-e.una))
			gso = e.room()
		}
		if e.c.Tiny && e.s.rng.IntN(3) == 0 {
			n = min(n, int64(1+e.s.rng.IntN(3)))
		}
		flags := byte(0)
		if n == avail {
			flags = packet.PSH
		}
		body := e.script[e.nxt-1 : e.nxt-1+n]
		if e.finished && n == avail && e.s.rng.IntN(2) == 0 {
			flags |= packet.FIN
			e.tx(e.nxt, body, flags, gso)
			n++
		} else {
			e.tx(e.nxt, body, flags, gso)
		}
		e.nxt += n
		e.maxSent = max(e.maxSent, e.nxt)
	}
	if e.finished && e.nxt == e.finAt() && (e.nxt < e.edge || e.nxt == e.una) {
		e.tx(e.nxt, nil, packet.FIN, 0)
		e.nxt++
		e.maxSent = max(e.maxSent, e.nxt)
	}
	e.armRTO(false)
}

func (e *endpoint) armRTO(anew bool) {
	waiting := e.maxSent > e.una || e.written+1 > e.nxt || e.finished && e.una <= e.finAt()
	switch {
	case !waiting || e.state != open:
		e.rtoAt = 0
	case e.rtoAt == 0 || anew:
		e.rtoAt = e.s.now + e.rto
	}
	e.plan()
}

// wake does what is due.
func (e *endpoint) wake() {
	now := e.s.now
	if e.rtoAt != 0 && e.rtoAt <= now {
		e.timeout()
	}
	if e.ackDue != 0 && e.ackDue <= now {
		e.ack()
	}
	if e.c.KeepAlive && e.state == open && now-e.idle > 2000*ms*int64(1+e.probes) {
		e.probe()
	}
	e.plan()
}

func (e *endpoint) probe() {
	if e.probes++; e.probes > 12 {
		e.s.fail("%s: keep-alive probes are not answered: %s", e.name(), e.s.progress())
		e.state = over
		return
	}
	var body []byte
	if e.c.Garbage {
		body = []byte{'!'}
		if e.una > 1 && e.maxSent == e.una && e.una <= 1+e.written {
			body[0] = e.script[e.una-2]
		} else {
			body = nil
		}
	}
	e.tx(e.una-1, body, 0, 0)
}

func (e *endpoint) timeout() {
	e.rtoAt = 0
	if e.retries++; e.retries > 40 {
		e.s.fail("%s: gives up: una %d nxt %d max %d written %d edge %d state %d", e.name(), e.una, e.nxt, e.maxSent, e.written, e.edge, e.state)
		e.state = over
		return
	}
	e.rto = min(e.rto*2, 3000*ms)
	switch e.state {
	case opening, answered:
		e.sendSYN()
		return
	case open:
	default:
		return
	}
	if e.edge <= e.una && e.una <= e.written { // probe the closed window
		e.tx(e.una, e.script[e.una-1:e.una], 0, 0)
		e.nxt = e.una + 1
		e.maxSent = max(e.maxSent, e.nxt)
		e.armRTO(true)
		return
	}
	e.cwnd = e.mss
	e.nxt, e.rtxOnly = e.una, true
	if e.retries > 3 {
		e.sacked = nil
	}
	e.send()
}

// plan schedules the next wake.
func (e *endpoint) plan() {
	at := int64(0)
	for _, t := range []int64{e.rtoAt, e.ackDue, e.nextProbe()} {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	if at == 0 || e.timer > e.s.now && e.timer <= at {
		return
	}
	e.timer = max(at, e.s.now)
	t := e.timer
	e.s.after(t-e.s.now, func() {
		if e.timer == t {
			e.timer = 0
			e.wake()
		}
	})
}

func (e *endpoint) nextProbe() int64 {
	if !e.c.KeepAlive || e.state != open {
		return 0
	}
	return e.idle + 2000*ms*int64(1+e.probes) + 1
}

func (e *endpoint) name() string {
	return fmt.Sprintf("sender %s", e.dir)
}

// read is the application taking n bytes from the buffer.
func (e *endpoint) read(n int) {
	before := int64(e.window()) << e.opts.scale
	e.consumed = min(e.consumed+int64(n), int64(len(e.got)))
	if e.state == open && before < int64(min(e.mss, e.c.Buffer)) && int64(e.window())<<e.opts.scale > before {
		e.ack()
	}
}
