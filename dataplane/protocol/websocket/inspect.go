package websocket

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// half is the decoder's state of one direction.
type half struct {
	dir              session.Direction
	frames, messages bool // rules ask for them
	document, json   bool // and for these of messages
	inflated         bool // and for how long compressed ones become
	growth           *growth
	left             int64 // of a frame's payload that passes: bytes to come
	pos              int   // held: bytes of the message looked at so far
	shown            bool  // the frame at pos was shown
	message          message
	inflater         inflater
	plain            bool // a compressed message was changed: those that follow go on uncompressed
	index            int  // of the frame at pos in its message
	total            int64
	held             int  // bytes shown and not decided
	under            byte // opcode of the message under way, 0: none
	refused          bool // a message was refused: nothing goes on but Close
	ownClose         bool // what was refused is a Close: one of ours goes on in its place
	closed           bool // Close went on, nothing follows
	saidClose        bool // the server has sent its own Close
}

// message is a message that is held.
type message struct {
	spans   []span // its frames, and what is between them
	first   header
	payload []byte // unmasked
}

// span is a frame of what is held.
type span struct {
	start, end int
	data       bool
	size       int // of its payload
}

// turn is one call of Inspect.
type turn struct {
	h    *half
	data []byte
	eof  bool
	pos  int
	skip int64
	v    session.Verdict
}

func (t *turn) rest() []byte { return t.data[t.pos:] }

// Inspect implements session.Inspector.
func (d *Decoder) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	switch {
	case d.ended != session.Continue:
		return session.Verdict{End: d.ended}
	case d.passing:
		return session.Verdict{Release: session.Forever}
	}
	d.turn = turn{h: &d.halves[dir], data: data, eof: eof}
	for d.step() {
	}
	t := &d.turn
	v := t.v
	if v.Release != session.Forever {
		if eof && v.End == session.Continue {
			d.endOfStream()
			v = t.v
		}
		v.Release = int64(t.pos) + t.skip
		t.h.held = len(data) - t.pos
	}
	d.ended = v.End
	d.turn = turn{}
	return v
}

// endOfStream decides what is left where nothing follows: half a frame or
// message, which no receiver acts on.
func (d *Decoder) endOfStream() {
	t := &d.turn
	if t.h.refused {
		d.consume(len(t.rest()), true)
	}
	if t.h.dir == session.ToClient && d.fence != nil && len(t.rest()) == 0 && t.h.left == 0 {
		d.answer() // the server has not lived to say that it owes nothing
	}
	t.pos = len(t.data)
}

// step takes one frame; false: the turn is over.
func (d *Decoder) step() bool {
	t := &d.turn
	h := t.h
	switch {
	case h.left > 0:
		return d.stepPayload()
	case h.closed || h.refused && h.dir == session.ToClient:
		d.consume(len(t.rest()), true)
		return false
	case h.growth != nil && h.growth.under:
		return d.stepGrowth()
	}
	f, ok := parseHeader(t.rest()[h.pos:])
	if !ok {
		return false
	}
	if h.refused {
		return d.stepRefused(f)
	}
	if h.dir == session.ToClient && f.control() {
		if seen, going := d.stepFence(f); seen {
			return going
		}
	}
	if !h.shown {
		if going := d.showFrame(f); !going {
			return t.v.End == session.Continue && !d.passing && h.refused
		}
	}
	if h.messages && (!f.control() || h.pos > 0) {
		return d.stepMessage(f)
	}
	grows := d.grows(f)
	if h.inflated && d.foreign(f) {
		return d.giveUp("message whose length rules ask for is coded by an extension that is not read here", t.rest())
	}
	h.next(f)
	if grows {
		h.growth.beginFrame(f)
		return true
	}
	d.consume(f.size, false)
	h.left = f.length
	return true
}

// next goes on behind a frame.
func (h *half) next(f header) {
	h.shown = false
	if f.control() {
		return
	}
	h.index, h.total = h.index+1, min(h.total+f.length, maxLength)
	if f.opcode != opContinuation {
		h.under = f.opcode
	}
	if f.fin {
		h.under, h.index, h.total = 0, 0, 0
	}
}

// stepPayload passes payload that nobody asks for. The last byte of what goes to
// the client is always looked at, so that a reply of our own finds its place.
func (d *Decoder) stepPayload() bool {
	t := &d.turn
	h := t.h
	if avail := int64(len(t.rest())); avail < h.left {
		d.consume(int(avail), false)
		if h.left -= avail; !t.eof && h.left > 1 {
			t.skip, h.left = h.left-1, 1
		}
		return false
	}
	d.consume(int(h.left), false)
	h.left = 0
	return true
}

// stepRefused deletes what follows a message that was refused, up to the Close
// with which the client answers ours; that goes on, if it is in form: no rule is
// asked about it any more.
func (d *Decoder) stepRefused(f header) bool {
	t := &d.turn
	size := int64(f.size) + min(f.length, int64(d.o.MaxMessage))
	if f.length > int64(d.o.MaxMessage) {
		t.h.closed = true // it ends behind what we would hold
		return true
	}
	if int64(len(t.rest())) < size {
		return false
	}
	isClose := f.opcode == opClose
	if isClose && (t.h.ownClose || t.h.fault(f, d.o.Deflate) != "" || f.length == 1) {
		t.v.Edit(t.pos, t.pos+int(size), makeFrame(header{fin: true, opcode: opClose, masked: true}, nil))
		d.consume(int(size), false)
	} else {
		d.consume(int(size), !isClose)
	}
	t.h.closed = isClose
	return true
}

// consume decides the next n bytes: released, or deleted.
func (d *Decoder) consume(n int, discard bool) {
	t := &d.turn
	if discard && n > 0 {
		t.v.Edit(t.pos, t.pos+n, nil)
	}
	t.pos += n
}

// giveUp ends the inspection as Options.Exceed says.
func (d *Decoder) giveUp(why string, before []byte) bool {
	kind := kinds[d.turn.h.dir].message
	d.turn.v.Evidence = append(d.turn.v.Evidence, session.Evidence{
		Mode: "correct", Action: "report", Element: kind, Before: bounded(before), Note: "cannot be inspected: " + why,
	})
	if d.o.Exceed != protocol.ExceedPass || d.halves[session.ToServer].refused || d.halves[session.ToServer].plain || d.halves[session.ToClient].plain {
		d.turn.v.End = session.Reset
		return false
	}
	d.passing = true
	d.turn.v.Release = session.Forever
	return false
}

func bounded(b []byte) []byte {
	return append([]byte(nil), b[:min(len(b), session.EvidenceLimit)]...)
}

// fault says what RFC 6455 does not allow about a frame.
func (h *half) fault(f header, deflate bool) string {
	data := !f.control()
	switch {
	case f.kind() == "reserved":
		return "opcode"
	case f.rsv&3 != 0, f.rsv&4 != 0 && (!deflate || f.opcode != opText && f.opcode != opBinary):
		return "rsv"
	case !data && (f.length > 125 || !f.fin):
		return "control"
	case data && (f.opcode == opContinuation) != (h.under != 0):
		return "sequence"
	case f.signed:
		return "sign"
	case f.masked != (h.dir == session.ToServer):
		return "mask"
	case f.short:
		return "length"
	}
	return ""
}
