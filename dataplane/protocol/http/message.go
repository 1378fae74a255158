package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// gotHead parses a whole head and has it decided, or waits for its body.
func (d *Decoder) gotHead(b []byte) bool {
	h := d.turn.h
	request := h.dir == session.ToServer
	h.want = d.wants(h.dir)
	parseHead(&h.head, b, request)
	var f fault
	if request {
		h.framing, h.left, f = h.head.requestFraming(b)
	} else {
		h.framing, h.left, f = h.head.responseFraming(b, d.queue.front())
	}
	sloppy := !request && h.head.fault.sloppy()
	switch {
	case h.head.fault != faultNone && !sloppy:
		f = h.head.fault
	case f != faultNone:
	case (h.head.lenient || sloppy) && d.o.Ambiguous == AmbiguousRefuse:
		f = faultLenient
	case request && h.framing != noBody && h.want&wantContent != 0 && h.head.contentFault(b) != faultNone:
		f = h.head.contentFault(b)
	case request && (d.queue.n >= d.o.MaxOutstanding || d.queue.bytes > 8*d.o.MaxHead+2*d.o.MaxBody):
		f = faultOutstanding
	}
	if f != faultNone {
		return d.faulty(b, f)
	}
	h.chunks = chunkScan{request: request, max: d.o.MaxHead}
	d.narrow(b)
	if !d.wantsBody(b) {
		return d.decide(len(b), false)
	}
	return d.startHold(b)
}

// narrow takes away what no rule asks for of a body behind this head.
func (d *Decoder) narrow(head []byte) {
	h := d.turn.h
	n, ok := d.rules.(protocol.Narrower)
	if !ok || h.framing == noBody || h.framing == tunnel || h.want&(wantContent|wantFraming) == 0 {
		return
	}
	able := h.want&^(wantContent|wantFraming) | h.fitting(head, 0)
	if h.framing == byChunks {
		able |= h.want & wantFraming
	}
	h.want = able
	d.vars.begin(head, false)
	d.msg.Dir, d.msg.Data = h.dir, head
	for _, k := range wanted[h.dir] {
		if k.want&(wantContent|wantFraming)&h.want != 0 && !n.WantsOf(&d.msg, k.kind) {
			h.want &^= k.want
		}
	}
	d.vars.end()
	d.msg.Data = nil
}

// wantsBody says whether the message under way has a body that rules ask for.
func (d *Decoder) wantsBody(head []byte) bool {
	h := d.turn.h
	h.forFraming = 0
	if holder, ok := d.rules.(protocol.Holder); ok && h.framing == byChunks && h.want&wantFraming != 0 {
		h.forFraming = max(holder.Hold(kinds[h.dir].chunk), holder.Hold(kinds[h.dir].trailer))
	}
	if h.framing == noBody || h.framing == tunnel || h.fitting(head, 0) == 0 && h.forFraming == 0 {
		return false
	}
	return h.dir == session.ToServer || !d.queue.front().answered
}

// faulty is for a message that is refused; see the table in fault.go. b is the
// head, or what there is of it. The rules see it first: an answer in the server's
// own words is better than any policy of ours.
func (d *Decoder) faulty(b []byte, f fault) bool {
	t := &d.turn
	h := t.h
	request := h.dir == session.ToServer
	breaksOff := !request && f == faultTruncated
	reset := (d.o.Exceed == protocol.ExceedReset || d.queue.owesReply()) && !breaksOff
	h.hold.clear()
	h.want = d.wants(h.dir)
	parseHead(&h.head, b, request)
	h.framing = untilClose
	if !request && d.queue.front().answered {
		h.mode = inSink
		return true
	}
	h.head.fault = f
	told, before := len(t.v.Evidence), markEdits(t.v.Edits)
	o := d.correct(len(b), false)
	switch {
	case o.kind == forwarded && reset:
		t.v.Evidence, t.v.Edits = t.v.Evidence[:told], before.of(t.v.Edits)
		return d.giveUp(f, b)
	case o.kind == forwarded && breaksOff:
		d.consume(len(t.rest()), false)
		return false
	case o.kind == forwarded:
		return d.giveUp(f, b)
	default:
		d.report(f, b)
		o.close = true
		return d.carryOut(o, len(b), false)
	}
}

// report makes the evidence of a fault.
func (d *Decoder) report(f fault, before []byte) {
	kind := kinds[d.turn.h.dir].message
	d.turn.v.Evidence = append(d.turn.v.Evidence, session.Evidence{
		Mode: "correct", Action: "report", Element: kind, Before: bounded(before),
		Note: "cannot be inspected: " + f.String(),
	})
}

// giveUp ends the inspection of the session as Options.Exceed says. Where a
// reply of our own is still owed, the client and the server no longer mean the
// same exchanges, and only a reset is honest.
func (d *Decoder) giveUp(f fault, before []byte) bool {
	d.report(f, before)
	if d.o.Exceed == protocol.ExceedReset || d.queue.owesReply() {
		d.turn.v.End = session.Reset
		return false
	}
	d.passing = true
	d.turn.v.Release = session.Forever
	return false
}

// decide asks the rules about the message, whose first size bytes are there,
// and does what they say. held: that includes the body.
func (d *Decoder) decide(size int, held bool) bool {
	h := d.turn.h
	if h.dir == session.ToClient && d.notWanted() {
		return d.carryOut(outcome{kind: dropped}, size, held)
	}
	o := d.correct(size, held)
	if o.kind == broken {
		return d.faulty(d.turn.rest()[:h.head.size], o.fault)
	}
	return d.carryOut(o, size, held)
}

// notWanted says whether a response does not reach the client, whatever it is: it
// was answered already, or told to go on.
func (d *Decoder) notWanted() bool {
	e := d.queue.front()
	if d.turn.h.head.status == 100 && e.said100 {
		e.said100 = false
		return true
	}
	return e.answered
}

// carryOut does with the message what was decided and goes on behind it.
func (d *Decoder) carryOut(o outcome, size int, held bool) bool {
	h := d.turn.h
	if o.kind == wasReset {
		d.turn.v.End = session.Reset
		return false
	}
	h.discard = o.kind != forwarded
	if o.spoil && held && !h.discard {
		from, edits := h.hold.raw.Start, dropEdits(d.turn.v.Edits, d.turn.pos+h.hold.raw.Start)
		if len(edits) == len(d.turn.v.Edits) && o.from > from {
			from = o.from // nothing in front of the bad line is changed: it may be read
		}
		d.turn.v.Edits = edits
		d.turn.v.Edit(d.turn.pos+from, d.turn.pos+h.hold.raw.End, []byte(spoiledChunk))
	}
	if h.dir == session.ToServer {
		d.request(o, size)
	} else {
		d.response(o, size)
	}
	if d.turn.v.End != session.Continue || d.passing || d.inner != nil {
		return false
	}
	d.enterBody(o, held)
	return true
}

// enterBody goes into the body, or behind it when there is none or it was held.
func (d *Decoder) enterBody(o outcome, held bool) {
	h := d.turn.h
	switch {
	case o.close && h.dir == session.ToServer:
		h.mode = inSink
	case h.framing == untilClose && h.discard, o.spoil && held && !h.discard:
		h.mode = inSink
	case h.framing == untilClose:
		h.mode = inTunnel
	case held || h.framing == noBody:
		d.endMessage()
	case h.parts.dash != nil && !h.discard && !o.spoil:
		h.mode = inParts
	case h.framing == byLength:
		h.mode = inLength
	default:
		h.mode = inChunks
		h.spoil = o.spoil
	}
}

// request puts a decided request on its way.
func (d *Decoder) request(o outcome, size int) {
	t := &d.turn
	h := t.h
	d.synced = true
	if len(o.interim) > 0 {
		d.queue.pushReply(o.interim, false)
	}
	switch o.kind {
	case forwarded:
		b := t.rest()[:size]
		e := d.queue.push()
		method := cut(b, h.head.method)
		e.head, e.connect, e.offers = string(method) == "HEAD", h.head.tunnels(b), h.head.offersUpgrade(b)
		h.upgrade, e.socket = h.head.asksForUpgrade(b)
		e.said100 = h.said100 || o.said100
		h.serial = d.queue.pushed
		if d.wants(session.ToClient) != 0 || e.socket && d.wantsSocket() {
			body, ok := d.bodyValue()
			d.queue.keep(e, b[:h.head.size], body, h.hold.coding(), ok)
		}
		h.late.keep(b[:h.head.size], h.parts.dash != nil || h.framing == byChunks && h.want&wantFraming != 0)
		d.consume(size, false)
	case rejected:
		d.consume(size, true)
		d.queue.pushReply(o.reply, o.close)
	default:
		d.consume(size, true)
	}
	if len(o.interim) > 0 || o.kind == rejected {
		d.flushReplies()
	}
}

// response puts a decided response, or the reply in its place, on its way.
func (d *Decoder) response(o outcome, size int) {
	t := &d.turn
	h := t.h
	e := d.queue.front()
	h.final = h.head.status >= 200 || h.framing == tunnel
	d.last = h.final && !h.head.persistent(t.rest()[:h.head.size])
	h.late.keep(t.rest()[:h.head.size], h.framing == byChunks && h.want&wantFraming != 0)
	if len(o.interim) > 0 {
		t.v.Edit(t.pos, t.pos, o.interim)
	}
	if o.kind == rejected {
		t.v.Edit(t.pos, t.pos, o.reply)
		e.answered = true
		if o.close {
			t.v.End = session.Close
		}
	}
	took := h.framing == tunnel && o.kind == forwarded && !d.queue.owesReply() && d.startSocket(e)
	d.consume(size, h.discard)
	if h.framing != tunnel || took {
		return
	}
	switch {
	case o.kind == rejected:
		t.v.End = session.Close
	case o.kind == dropped, d.queue.owesReply():
		t.v.End = session.Reset
	default:
		d.passing = true
		t.v.Release = session.Forever
	}
}

// bounded copies at most session.EvidenceLimit bytes of b.
func bounded(b []byte) []byte {
	return append([]byte(nil), b[:min(len(b), session.EvidenceLimit)]...)
}
