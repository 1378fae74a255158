package websocket

import (
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// growth is a compressed message whose length the rules are told as it comes. Its
// octets go on as they come, too, but for those from which on the message could not
// be made invalid any more.
type growth struct {
	kind    string
	base    counter  // at the first octet of payload that is held
	now     counter  // behind the last one that was shown
	seen    int      // octets between them
	sent    int64    // octets of the message so far
	earlier int64    // inflated octets of frames before this one
	frame   header   // under way
	under   bool     // there is one
	open    bool     // its header is held, too
	left    int64    // octets of it from base on
	phase   int      // of the masking key at base
	doomed  *outcome // the rest of the frame is to be made invalid
	bad     []byte   // with this, from base on
	fits    bool     // and that fits into the frame
	told    []rule   // what was reported of the message
}

// grows says whether the message of a frame is to be counted.
func (d *Decoder) grows(f header) bool {
	h := d.turn.h
	switch {
	case !h.inflated || f.control():
		return false
	case f.opcode == opContinuation:
		return h.growth != nil
	}
	h.growth = nil
	if d.o.Deflate && f.rsv == 4 && f.kind() != "reserved" {
		h.growth = &growth{kind: f.kind()}
	}
	return h.growth != nil
}

// beginFrame begins the frame whose header comes first of what is held.
func (g *growth) beginFrame(f header) {
	g.earlier, g.frame, g.under, g.open = g.now.total, f, true, true
	g.left, g.phase, g.seen = f.length, 0, 0
	g.base = g.now
	g.base.forget()
	g.now.forget()
}

// rule is one of a definition's.
type rule struct {
	definition string
	index      int
}

// toldOf says whether a correction was reported of the message before: it would be
// with every segment from the first on for which it holds.
func (g *growth) toldOf(c *protocol.Correction) bool {
	r := rule{c.Definition, c.Rule}
	if slices.Contains(g.told, r) {
		return true
	}
	g.told = append(g.told, r)
	return false
}

// read counts the payload that is new; changed: it inflates to more than before.
func (g *growth) read(payload []byte) (changed bool) {
	before := g.now.total
	var plain [1024]byte
	for g.seen < len(payload) {
		n := copy(plain[:], payload[g.seen:])
		g.mask(plain[:n], g.seen)
		g.now.feed(plain[:n])
		g.seen, g.sent = g.seen+n, g.sent+int64(n)
	}
	return g.now.total != before
}

// mask applies the frame's masking key to b, which begins at octets behind base.
func (g *growth) mask(b []byte, at int) {
	if !g.frame.masked {
		return
	}
	for i := range b {
		b[i] ^= g.frame.key[(g.phase+at+i)&3]
	}
}

// stepGrowth goes over the payload of a frame of such a message.
func (d *Decoder) stepGrowth() bool {
	t := &d.turn
	h := t.h
	g := h.growth
	head := 0
	if g.open {
		head = g.frame.size
	}
	payload := t.rest()[head:]
	whole := int64(len(payload)) >= g.left
	if whole {
		payload = payload[:g.left]
	}
	if g.doomed != nil {
		return d.spoilGrowth(payload, whole)
	}
	if changed := g.read(payload); changed || whole && !g.base.broken { // what is invalid already, the server refuses
		o := d.showGrowth(whole)
		switch {
		case o.reset, o.over() && o.late == protocol.LateReset:
			t.v.End = session.Reset
			return false
		case o.refused && g.open:
			h.growth = nil
			d.refuse(o)
			return t.v.End == session.Continue
		case o.over():
			g.doomed = &o
			g.bad, g.fits = g.base.spoil(g.left)
			return d.spoilGrowth(payload, whole)
		}
	}
	if whole {
		return d.endGrowth(head + len(payload))
	}
	if len(payload) == 0 {
		return false
	}
	if cost, ok := g.now.cost(); g.now.broken || ok && cost <= g.left-int64(len(payload)) {
		g.release(len(payload))
		d.consume(head+len(payload), false)
		return false
	}
	if cost, ok := g.now.safeCost(); ok && cost <= g.left-g.now.safe.octet && (!g.open || g.now.safe.octet >= worthwhile) {
		n := int(g.now.safe.octet)
		now, seen := g.now, g.seen
		g.now = g.now.back()
		g.release(n)
		g.now, g.seen = now, seen-n
		g.now.fed, g.now.has = now.fed-int64(n), false
		d.consume(head+n, false)
		payload = payload[n:]
	}
	if len(payload) > d.o.MaxMessage {
		return d.giveUp("more than the limit of a compressed message would have to be held", payload)
	}
	return false
}

// worthwhile is how many octets must go on in front of others that are held. Fewer
// are held, too, so that the frame can still be refused whole.
const worthwhile = 512

// release moves the base behind the first n octets of payload, where now stands.
func (g *growth) release(n int) {
	g.now.forget()
	g.base, g.open = g.now, false
	g.left, g.phase, g.seen = g.left-int64(n), g.phase+n, 0
}

// endGrowth goes on behind a frame that was decided, of which n octets are held.
func (d *Decoder) endGrowth(n int) bool {
	h := d.turn.h
	g := h.growth
	if g.now.endless || g.frame.fin && !g.now.broken && !g.now.rest() {
		return d.giveUp("message cannot be inflated", d.turn.rest()[:n])
	}
	g.under = false
	if g.frame.fin {
		h.growth = nil
	}
	d.consume(n, false)
	return true
}

// showGrowth tells the rules how long the message is by now.
func (d *Decoder) showGrowth(whole bool) outcome {
	g := d.turn.h.growth
	var o outcome
	d.ask(nil, []protocol.Element{g.element(d.turn.h.dir, whole)}, nil, false, &o)
	return o
}

func (g *growth) element(dir session.Direction, whole bool) protocol.Element {
	return protocol.Element{Kind: kinds[dir].inflated, Span: protocol.Span{}, Fields: []protocol.Field{
		{Name: "kind", Value: g.kind, Span: none},
		{Name: "size", Value: g.sent, Span: none},
		{Name: "frame", Value: g.now.total - g.earlier, Span: none},
		{Name: "total", Value: g.now.total, Span: none},
		{Name: "whole", Value: whole, Span: none},
		{Name: "fin", Value: g.frame.fin, Span: none},
	}}
}

// spoilGrowth writes what no inflater reads in the place of the payload, as far as
// it takes, and lets the rest of the frame pass.
func (d *Decoder) spoilGrowth(payload []byte, whole bool) bool {
	t := &d.turn
	h := t.h
	g := h.growth
	switch {
	case g.fits && len(g.bad) > len(payload), !g.fits && g.open && !whole:
		if len(payload) <= d.o.MaxMessage {
			return false // there will be more
		}
		t.v.End = session.Reset
		return false
	case g.fits:
		if g.open {
			d.consume(g.frame.size, false)
		}
		g.mask(g.bad, 0)
		t.v.Edit(t.pos, t.pos+len(g.bad), g.bad)
		t.pos += len(g.bad)
		h.left = g.left - int64(len(g.bad))
	default:
		// The frame has not gone on, so that another, longer one can stand in its place.
		bad, ok := g.base.spoil(maxSpoil)
		if !ok || !g.open {
			t.v.End = session.Reset
			return false
		}
		end := t.pos + g.frame.size + len(payload)
		t.v.Edit(t.pos, end, makeFrame(g.frame, bad))
		t.pos = end
	}
	d.await(g.doomed)
	h.growth = nil
	return true
}

// maxSpoil is enough to come to the end of a stored block or of a block's codes, in
// octets.
const maxSpoil = 66 << 10

// countHeld tells the rules how long a message becomes that is held whole.
func (d *Decoder) countHeld() (o outcome) {
	h := d.turn.h
	m := &h.message
	g := &growth{kind: m.first.kind(), frame: m.first}
	h.growth = g
	payload := m.payload
	for i, s := range m.spans {
		if !s.data {
			continue
		}
		g.earlier = g.now.total
		g.sent += int64(s.size)
		g.now.feed(payload[:s.size])
		payload = payload[s.size:]
		g.frame.fin = i == len(m.spans)-1
		if o = d.showGrowth(true); o.over() || o.reset {
			break
		}
	}
	h.growth = nil
	return o
}
