package sim

import (
	"encoding/binary"
	"slices"

	"wirepatch/dataplane/packet"
)

type options struct {
	mss    int
	scale  int
	sackOK bool
	stamp  bool
	val    uint32
	blocks []byte
}

func parseOptions(o []byte) options {
	r := options{scale: -1}
	for len(o) > 0 {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if o[0] == 0 || len(o) < 2 || int(o[1]) > len(o) || o[1] < 2 {
			break
		}
		b := o[2:o[1]]
		switch o[0] {
		case 2:
			r.mss = int(binary.BigEndian.Uint16(b))
		case 3:
			r.scale = int(b[0])
		case 4:
			r.sackOK = true
		case 5:
			r.blocks = b
		case 8:
			r.stamp, r.val = true, binary.BigEndian.Uint32(b)
		}
		o = o[o[1]:]
	}
	return r
}

// receive takes a frame from the wire.
func (e *endpoint) receive(v *view) {
	o := parseOptions(v.opts)
	switch e.state {
	case closed:
		if v.flags&(packet.SYN|packet.ACK|packet.RST) == packet.SYN {
			e.accept(v, o)
		}
		return
	case opening:
		e.onSYNACK(v, o)
		return
	case over, reset:
		if v.flags&packet.RST == 0 && v.flags&packet.ACK != 0 && e.state == reset {
			e.put(&segment{seq: v.ack, flags: packet.RST}, 0)
		} else if v.flags&packet.RST == 0 && e.state == over {
			e.onSegment(v, o)
		}
		return
	}
	if v.flags&packet.SYN != 0 {
		if e.state == answered && v.flags&packet.ACK == 0 {
			e.sendSYN()
		} else {
			e.ack()
		}
		return
	}
	e.onSegment(v, o)
}

func (e *endpoint) negotiate(v *view, o options) {
	e.peer = v.seq
	e.mss = min(o.mss, e.c.MSS)
	if o.mss == 0 {
		e.mss = 536
	}
	e.sack, e.ts = o.sackOK && e.c.SACK, o.stamp && e.c.Stamps
	if o.scale >= 0 && e.c.Scale >= 0 {
		e.opts.scale, e.opts.peerScale = uint8(e.c.Scale), uint8(o.scale)
	}
	e.lastStamp = o.val
	e.una, e.edge = 0, 1+int64(v.window)
	e.idle = e.s.now
}

func (e *endpoint) accept(v *view, o options) {
	e.start0()
	e.negotiate(v, o)
	e.state = answered
	e.sendSYN()
}

func (e *endpoint) start0() {
	e.nxt, e.maxSent, e.cwnd, e.rto = 1, 1, e.c.Window0*e.c.MSS, 200*ms
}

func (e *endpoint) onSYNACK(v *view, o options) {
	if v.flags&(packet.SYN|packet.ACK) != packet.SYN|packet.ACK || v.ack != e.isn+1 {
		if v.flags&packet.RST != 0 && v.ack == e.isn+1 {
			e.state = reset
		}
		return
	}
	e.negotiate(v, o)
	e.una, e.state, e.retries = 1, open, 0
	e.ack()
	e.armRTO(true)
	e.send()
}

// onSegment follows RFC 9293, 3.10.7.4.
func (e *endpoint) onSegment(v *view, o options) {
	off := e.rcvNxt() + int64(int32(v.seq-(e.peer+uint32(e.rcvNxt()))))
	end := off + int64(len(v.body))
	if e.ts && o.stamp && v.flags&packet.RST == 0 && int32(o.val-e.lastStamp) < 0 {
		e.s.trace("%s discards an old timestamp", e.name())
		e.ack()
		return
	}
	// An acknowledgement at the window's right edge is taken, as real systems do,
	// against the letter of the RFC: else two ends whose full windows were lost
	// answer each other for ever.
	wnd := int64(e.window()) << e.opts.scale
	ok := len(v.body) == 0 && off >= e.rcvNxt() && off <= e.rcvNxt()+wnd || end > e.rcvNxt() && off < e.rcvNxt()+wnd
	if !ok {
		if v.flags&packet.RST == 0 {
			if v.flags&packet.ACK != 0 {
				e.onACK(v, o, off)
			}
			e.ack()
		}
		return
	}
	if v.flags&packet.RST != 0 {
		if off == e.rcvNxt() {
			e.state = reset
			e.rtoAt, e.ackDue = 0, 0
		} else {
			e.ack()
		}
		return
	}
	if v.flags&packet.ACK == 0 || v.flags&packet.URG != 0 && !e.s.fail("urgent flag arrives") {
		return
	}
	if e.ts && o.stamp && off <= e.rcvNxt() {
		e.lastStamp = o.val
	}
	e.idle, e.probes = e.s.now, 0
	if !e.onACK(v, o, off) {
		e.ack()
		return
	}
	e.onData(off, v.body, v.flags&packet.FIN != 0)
	e.send()
}

// onACK returns false if the acknowledgement is for what was never sent.
func (e *endpoint) onACK(v *view, o options, off int64) bool {
	ack := e.una + int64(int32(v.ack-(e.isn+uint32(e.una))))
	if ack > e.maxSent {
		e.s.fail("%s gets an acknowledgement of %d; sent %d", e.name(), ack, e.maxSent)
		return false
	}
	if e.state == answered && ack >= 1 {
		e.state, e.una, e.retries = open, 1, 0
		e.armRTO(true)
	}
	if ack < e.una {
		return true
	}
	edge := ack + int64(v.window)<<e.opts.peerScale
	switch {
	case ack > e.una:
		e.s.acked(e, ack)
		if e.retries == 0 {
			e.cwnd = min(e.cwnd+e.mss, e.c.MaxWindow*e.mss)
		}
		e.una = ack
		e.nxt = max(e.nxt, ack)
		e.rto, e.retries, e.dups = 200*ms, 0, 0
		if e.una >= e.maxSent {
			e.rtxOnly, e.sacked = false, nil
		}
		e.armRTO(true)
	case len(v.body) == 0 && edge == e.edge && e.maxSent > e.una && v.flags&packet.FIN == 0:
		if e.dups++; e.dups == 3 {
			e.again()
		}
	}
	if edge <= ack && (ack <= e.written || ack < e.maxSent) {
		e.retries = 0 // a closed window may stay closed
	}
	if edge > e.edge || off >= e.wl1 {
		e.edge, e.wl1 = edge, off
	}
	if e.sack {
		for b := o.blocks; len(b) >= 8; b = b[8:] {
			from := e.una + int64(int32(binary.BigEndian.Uint32(b)-(e.isn+uint32(e.una))))
			to := e.una + int64(int32(binary.BigEndian.Uint32(b[4:])-(e.isn+uint32(e.una))))
			e.s.selectively(e, from, to)
			if from >= e.una && to <= e.maxSent && from < to {
				e.sacked = append(e.sacked, span{from, to})
			}
		}
	}
	return true
}

// again is the fast retransmission.
func (e *endpoint) again() {
	n := min(int64(e.room()), 1+e.written-e.una, e.maxSent-e.una)
	for _, x := range e.sacked {
		if x.from > e.una {
			n = min(n, x.from-e.una)
		}
	}
	e.cwnd = max(e.cwnd/2, e.mss)
	switch {
	case n > 0:
		e.tx(e.una, e.script[e.una-1:e.una-1+n], 0, 0)
	case e.finished && e.una == e.finAt():
		e.tx(e.una, nil, packet.FIN, 0)
	}
}

func (e *endpoint) onData(off int64, b []byte, fin bool) {
	if len(b) == 0 && !fin {
		return
	}
	late := off > e.rcvNxt()
	if over := off + int64(len(b)) - e.rcvEdge; over > 0 {
		b = b[:max(int64(len(b))-over, 0)]
		fin = false
	}
	if late {
		i, _ := slices.BinarySearchFunc(e.early, off, func(x early, off int64) int { return int(x.from - off) })
		e.early = slices.Insert(e.early, i, early{off, slices.Clone(b), fin})
	} else {
		e.take(off, b, fin)
	}
	for len(e.early) > 0 && e.early[0].from <= e.rcvNxt() {
		x := e.early[0]
		e.early = e.early[1:]
		e.take(x.from, x.b, x.fin)
	}
	if e.unacked++; late || fin || len(e.early) > 0 || e.unacked >= 2 || e.c.DelayACK == 0 {
		e.ack()
	} else if e.ackDue == 0 {
		e.ackDue = e.s.now + e.c.DelayACK
		e.plan()
	}
}

func (e *endpoint) take(off int64, b []byte, fin bool) {
	if e.gotFIN {
		return
	}
	if skip := e.rcvNxt() - off; skip <= int64(len(b)) {
		e.got = append(e.got, b[skip:]...)
		if fin {
			e.gotFIN = true
			e.s.finArrived(e)
		}
	}
	if e.c.ReadEvery == 0 {
		e.consumed = int64(len(e.got))
	}
}
