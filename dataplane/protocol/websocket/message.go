package websocket

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/jsonvalue"
	"wirepatch/dataplane/session"
)

// stepMessage goes over a frame of a message that is held, or a control frame
// within one.
func (d *Decoder) stepMessage(f header) bool {
	t := &d.turn
	h := t.h
	m := &h.message
	b := t.rest()
	if !f.control() && f.opcode != opContinuation && h.pos > 0 {
		// Some take it for a new message; then what was before is none.
		return d.letGo(b)
	}
	if d.foreign(f) {
		return d.giveUp("message that rules ask for is coded by an extension that is not read here", b)
	}
	if f.length > int64(d.o.MaxMessage)-int64(len(m.payload)) {
		return d.giveUp("message that rules ask for is over the limit", b)
	}
	end := h.pos + f.size + int(f.length)
	if len(b) < end {
		return false
	}
	if h.pos == 0 {
		m.first = f
	}
	m.spans = append(m.spans, span{h.pos, end, !f.control(), int(f.length)})
	if !f.control() {
		at := len(m.payload)
		m.payload = append(m.payload, b[h.pos+f.size:end]...)
		if f.masked {
			mask(m.payload[at:], f.key)
		}
	}
	h.next(f)
	h.pos = end
	if f.control() || !f.fin {
		return true
	}
	return d.decide(b)
}

// foreign says that a frame is coded by an extension that is not read here.
func (d *Decoder) foreign(f header) bool {
	return d.o.Foreign && !f.control() && (f.rsv&3 != 0 || f.rsv&4 != 0 && !d.o.Deflate)
}

// letGo releases what is held unseen.
func (d *Decoder) letGo(b []byte) bool {
	h := d.turn.h
	d.consume(h.pos, false)
	h.clear()
	h.under, h.index, h.total = 0, 0, 0
	return true
}

// clear forgets a held message.
func (h *half) clear() {
	payload := h.message.payload[:0]
	if cap(payload) > 4<<10 {
		payload = nil
	}
	h.message = message{payload: payload, spans: h.message.spans[:0]}
	h.pos = 0
}

// decide has the rules decide on a message that is whole.
func (d *Decoder) decide(b []byte) bool {
	t := &d.turn
	h := t.h
	m := &h.message
	value := m.payload
	compressed := d.o.Deflate && m.first.rsv&4 != 0
	if compressed && h.inflated {
		switch o := d.countHeld(); {
		case o.reset, o.over() && o.late == protocol.LateReset:
			t.v.End = session.Reset
			return false
		case o.refused:
			d.refuse(o)
			return t.v.End == session.Continue
		case o.spoiled:
			f := m.first
			f.fin = true
			d.replace(makeFrame(f, []byte{7})) // a block of a type that there is not
			d.consume(length(m.spans), false)
			h.clear()
			d.await(&o)
			return true
		}
	}
	if compressed {
		plain, ok, long := h.inflater.message(m.payload, d.o.Fresh[h.dir], d.o.MaxMessage)
		switch {
		case long:
			return d.giveUp("inflated message is over the limit", b)
		case !ok:
			return d.giveUp("message cannot be inflated", b)
		}
		value = plain
	}
	o := d.showMessage(value, compressed)
	switch {
	case o.reset:
		t.v.End = session.Reset
		return false
	case o.beyond:
		return d.giveUp("JSON that rules ask for is over the limit", b)
	case o.refused:
		d.refuse(o)
		return t.v.End == session.Continue
	}
	end := t.pos + length(m.spans)
	d.insert(t.pos, o.before)
	switch {
	case o.dropped:
		h.plain = h.plain || compressed && !d.o.Fresh[h.dir]
		d.replace(nil)
	case o.changed || compressed && h.plain:
		h.plain = h.plain || compressed && !d.o.Fresh[h.dir]
		if o.changed {
			value = []byte(o.value)
		}
		f := m.first
		f.fin, f.rsv = true, f.rsv&^4
		d.replace(makeFrame(f, value))
	}
	d.insert(end, o.after)
	d.consume(length(m.spans), false)
	h.clear()
	return true
}

// length is how long the frames are that are held.
func length(s []span) int { return s[len(s)-1].end }

// replace puts a frame in the place of the held message's; control frames
// between them stay.
func (d *Decoder) replace(frame []byte) {
	t := &d.turn
	for _, s := range t.h.message.spans {
		if s.data {
			t.v.Edit(t.pos+s.start, t.pos+s.end, frame)
			frame = nil
		}
	}
}

// insert puts messages of ours, of the held one's kind, at a place beside it.
func (d *Decoder) insert(at int, texts []string) {
	t := &d.turn
	f := t.h.message.first
	for _, text := range texts {
		t.v.Edit(at, at, makeFrame(header{fin: true, opcode: f.opcode, masked: f.masked, key: f.key}, []byte(text)))
	}
}

// outcome is what becomes of a frame or message.
type outcome struct {
	refused, dropped, reset, changed, close bool
	spoiled                                 bool // what is left of the message is made invalid
	late                                    protocol.Late
	beyond                                  bool // rules have not seen all of it
	value                                   string
	reply                                   []byte
	before, after                           []string
	edits                                   jsonvalue.Edits // within the message
}

// showMessage asks the rules about a message.
func (d *Decoder) showMessage(value []byte, compressed bool) outcome {
	h := d.turn.h
	whole := protocol.Span{Start: 0, End: len(value)}
	kind := "text"
	if h.message.first.opcode != opText {
		kind = h.message.first.kind()
	}
	frames := 0
	for _, s := range h.message.spans {
		if s.data {
			frames++
		}
	}
	list := []protocol.Element{{Kind: kinds[h.dir].message, Span: whole, Fields: []protocol.Field{
		{Name: "kind", Value: kind, Span: none},
		{Name: "value", Value: string(value), Span: whole},
		{Name: "size", Value: int64(len(value)), Span: none},
		{Name: "frames", Value: int64(frames), Span: none},
		{Name: "compressed", Value: compressed, Span: none},
	}}}
	var o outcome
	if (h.document || h.json) && kind == "text" {
		d.showJSON(value, list, &o)
	} else {
		d.ask(value, list, nil, true, &o)
	}
	return o
}

var none = protocol.Span{Start: -1, End: -1}

// showFrame asks the rules about a frame whose header is there; false: it does
// not go on.
func (d *Decoder) showFrame(f header) bool {
	t := &d.turn
	h := t.h
	h.shown = true
	if !h.frames {
		return true
	}
	total := f.length
	if !f.control() {
		total += h.total
	}
	e := protocol.Element{Kind: kinds[h.dir].frame, Span: protocol.Span{Start: 0, End: f.size}, Fields: []protocol.Field{
		{Name: "kind", Value: f.kind(), Span: none},
		{Name: "opcode", Value: int64(f.opcode), Span: none},
		{Name: "fin", Value: f.fin, Span: none},
		{Name: "masked", Value: f.masked, Span: none},
		{Name: "rsv", Value: int64(f.rsv), Span: none},
		{Name: "length", Value: f.length, Span: none},
		{Name: "total", Value: total, Span: none},
		{Name: "index", Value: int64(h.index), Span: none},
		{Name: "fault", Value: h.fault(f, d.o.Deflate), Span: none},
	}}
	var o outcome
	d.ask(t.rest()[h.pos:h.pos+f.size], []protocol.Element{e}, nil, false, &o)
	switch {
	case o.reset:
		t.v.End = session.Reset
		return false
	case o.refused:
		h.ownClose = f.opcode == opClose
		d.refuse(o)
		return false
	}
	return true
}

// ask shows elements to the rules. values are those of JSON among them, nil where
// there are none.
func (d *Decoder) ask(data []byte, list []protocol.Element, values *values, whole bool, o *outcome) {
	d.msg.Dir, d.msg.Data, d.msg.Elements = d.turn.h.dir, data, list
	h := d.turn.h
	d.msg.Sent = !whole && !h.messages && (h.index > 0 || h.growth != nil && !h.growth.open)
	ask := d.rules.Match
	if d.surveying {
		ask = d.rules.(protocol.Surveyor).Survey
	}
	cs := ask(&d.msg)
	for i := range cs {
		if c := &cs[i]; c.Element >= 0 && c.Element < len(list) && !o.over() {
			d.carryOut(c, &list[c.Element], values, whole, o)
		}
	}
	d.msg.Data, d.msg.Elements, d.msg.Continues = nil, nil, false
}

// over says that the message does not go on.
func (o *outcome) over() bool { return o.refused || o.reset || o.dropped || o.spoiled }
