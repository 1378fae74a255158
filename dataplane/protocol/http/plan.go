package http

import (
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/itemlist"
	"wirepatch/dataplane/session"
)

// outcome is what becomes of a message.
type outcome struct {
	kind    kindOfOutcome
	reply   []byte // rejected: what the client gets
	close   bool   // the session ends behind it
	interim []byte // what the client gets before
	said100 bool   // a 100 (Continue) is in it: the server's own is not wanted any more
	late    protocol.Late
	fault   fault // broken: what it is
	spoil   bool
	from    int // spoil: where the held body is still good up to; 0: its beginning
}

type kindOfOutcome uint8

const (
	forwarded kindOfOutcome = iota
	rejected
	dropped
	wasReset
	broken // what is out of form, and no rule has mended
)

// plan turns the corrections of one message into edits and evidence. Where two
// corrections want the same bytes, the first one has them, except that the
// removal of an element prevails over changes within it.
type plan struct {
	d     *Decoder
	m     *protocol.Message
	held  bool
	edits []edit // of the message, by their places
	told  []told
	o     outcome
	over  bool // the message is not forwarded
	anew  bool // the content is to be coded anew
	blind bool // a rule corrects what was shown again that does not know how its server reads it
}

// edit is a planned change of bytes; with list it takes an item out, and what
// else goes with it is known once all is planned.
type edit struct {
	session.Edit
	list *itemlist.List
	item int32
}

// told is evidence; void: it holds only if the message is forwarded.
type told struct {
	session.Evidence
	void bool
}

func (p *plan) ended() bool { return p.over }

// run carries out the corrections of the elements that were shown last. One that
// keeps the message from its receiver makes all changes within it void.
func (p *plan) run(cs []protocol.Correction) {
	for i := range cs {
		c := &cs[i]
		p.blind = p.blind || p.m.Told > 0 && !c.Aware && !c.Shadow && c.Action != protocol.Report
		switch {
		case !p.valid(c):
		case c.Action == protocol.Report:
			p.tell(c, nil, "")
		case c.Action == protocol.Interim:
			p.interim(c)
		case c.Action == protocol.Spoil:
			p.spoil(c)
		case terminal(c.Action) && c.Shadow:
			p.terminal(c)
		case terminal(c.Action):
			said := p.o
			p.o = p.terminal(c)
			p.o.interim, p.o.said100 = said.interim, said.said100
			p.over = true
			return
		default:
			if p.change(c, cs[i+1:]); p.over {
				return
			}
		}
	}
}

func terminal(a protocol.Action) bool {
	return a == protocol.Reject || a == protocol.Drop || a == protocol.Reset
}

// valid says whether a correction is about an element of this message.
func (p *plan) valid(c *protocol.Correction) bool {
	needsReply := c.Action == protocol.Reject || c.Action == protocol.Interim
	return c.Element >= 0 && c.Element < len(p.m.Elements) && c.Action <= protocol.Spoil &&
		(!needsReply || c.Reply != nil) && (c.Action != protocol.Insert || c.Insert != nil)
}

func (p *plan) element(c *protocol.Correction) *protocol.Element { return &p.m.Elements[c.Element] }

func (p *plan) place(c *protocol.Correction) *place { return &p.d.elements().places[c.Element] }

// terminal carries out a correction that keeps the message from its receiver.
func (p *plan) terminal(c *protocol.Correction) outcome {
	switch c.Action {
	case protocol.Drop:
		p.tell(c, nil, "")
		return outcome{kind: dropped, late: c.Late}
	case protocol.Reset:
		p.tell(c, nil, "")
		return outcome{kind: wasReset}
	}
	o := outcome{kind: rejected, close: c.Reply.Close || p.mustClose() || replyFraming(c.Reply, c.Reply.Status) == protocol.FramedByClose, late: c.Late}
	reply, note := makeReply(c.Reply, p.answersHEAD(), o.close)
	o.reply = reply
	p.tell(c, reply, note)
	return o
}

// interim sends a reply ahead of the final one.
func (p *plan) interim(c *protocol.Correction) {
	b, note := makeInterim(c.Reply)
	if note == "" && p.d.turn.h.dir == session.ToServer && p.d.turn.h.head.minor == 0 {
		note = "refused: an HTTP/1.0 client knows no interim replies"
	}
	if c.Reply.Status == 100 && (p.d.turn.h.said100 || p.o.said100) && note == "" {
		note = "not done: it has been said" // to have the client send a body that rules ask for
	}
	if note != "" {
		p.tell(c, nil, note)
		return
	}
	p.tell(c, b, "")
	if !c.Shadow {
		p.o.interim = append(p.o.interim, b...)
		p.o.said100 = p.o.said100 || c.Reply.Status == 100
	}
}

// mustClose says whether the connection cannot go on behind a reply of our own:
// the request asked for its end, or where it ends is not known, or its client
// waits for a 100 (Continue) and now decides by itself whether to send the body.
func (p *plan) mustClose() bool {
	h := p.d.turn.h
	if h.dir == session.ToClient {
		return h.framing == untilClose || h.framing == tunnel
	}
	b := p.d.vars.data
	return p.m.Sent || h.framing == untilClose || !h.head.persistent(b) ||
		h.framing != noBody && !p.held && !h.said100 && !p.o.said100 && h.head.expectsContinue(b)
}

func (p *plan) answersHEAD() bool {
	h := p.d.turn.h
	if h.dir == session.ToServer {
		return string(cut(p.d.vars.data, h.head.method)) == "HEAD"
	}
	return p.d.queue.front().head
}

// change plans a correction within the message.
func (p *plan) change(c *protocol.Correction, later []protocol.Correction) {
	if p.m.Sent && p.place(c).kind&wantParts != 0 {
		p.late(c)
		return
	}
	edits, note := p.editsFor(c)
	switch {
	case note != "":
		p.tell(c, nil, note)
		return
	case !c.Shadow && c.Action != protocol.Remove && p.removed(c.Element, later):
		p.tell(c, nil, "not done: another correction removes the element")
		return
	case !c.Shadow && p.overlaps(edits):
		p.tell(c, nil, "not done: another correction changes the same bytes")
		return
	}
	p.tell(c, p.after(p.element(c).Span, edits), "")
	if c.Shadow {
		return
	}
	for _, e := range edits {
		p.insert(e)
	}
	if c.Action == protocol.Remove && p.answersExpect(c) {
		p.o.interim = append(p.o.interim, continue100...)
		p.o.said100 = true
	}
}

// late tells of a change within a body that has begun to pass, and keeps what is left
// from its receiver: else a body of the right length would get round the rule.
func (p *plan) late(c *protocol.Correction) {
	p.tell(c, nil, "refused: the body is too long to be held, and has begun to pass")
	if !c.Shadow && p.d.o.Exceed == protocol.ExceedReset {
		p.told[len(p.told)-1].void = false
		p.over, p.o = true, outcome{kind: broken, fault: faultBodyLong}
	}
}

// answersExpect says whether a field is taken out that has the client wait for a
// 100 (Continue): then nobody but us can say it.
func (p *plan) answersExpect(c *protocol.Correction) bool {
	h := p.d.turn.h
	at := p.place(c)
	return at.kind == wantHeader && h.dir == session.ToServer && h.framing != noBody && !p.held && !h.said100 && !p.o.said100 &&
		h.head.fields[at.index].known == expect && h.head.expectsContinue(p.d.vars.data)
}

// removed says whether a later correction takes the whole element away.
// Corrections come in the order of their elements, so only the next few count:
// an attacker chooses how many elements there are.
func (p *plan) removed(element int, later []protocol.Correction) bool {
	for i := range later {
		c := &later[i]
		if c.Element != element {
			break
		}
		if c.Shadow || c.Action != protocol.Remove {
			continue
		}
		if _, note := p.editsFor(c); note == "" {
			return true
		}
	}
	return false
}

// find returns where an edit belongs: by its place, and there insertions first,
// in the order in which they were asked for.
func (p *plan) find(e *edit) int {
	i, _ := slices.BinarySearchFunc(p.edits, e, func(b edit, e *edit) int {
		if b.Start < e.Start || b.Start == e.Start && (b.Start == b.End || e.Start < e.End) {
			return -1
		}
		return 1
	})
	return i
}

func (p *plan) insert(e edit) { p.edits = slices.Insert(p.edits, p.find(&e), e) }

// overlaps says whether edits touch bytes that others have, or insert within
// them. The planned ones never overlap each other, so their neighbours tell.
func (p *plan) overlaps(edits []edit) bool {
	for k := range edits {
		a := &edits[k]
		i := p.find(a)
		if i > 0 && p.edits[i-1].End > a.Start {
			return true
		}
		if i < len(p.edits) && p.edits[i].Start < a.End {
			return true
		}
	}
	return false
}

// spoil has what is left of a chunked body made invalid.
func (p *plan) spoil(c *protocol.Correction) {
	if p.d.turn.h.framing != byChunks {
		p.tell(c, nil, "refused: only a chunked body can be made invalid")
		return
	}
	p.tell(c, []byte(spoiledChunk), "")
	if c.Shadow || p.o.spoil {
		return
	}
	p.o.spoil = true
	for _, l := range p.d.turn.h.hold.lines {
		if p.held && l.at == p.element(c).Span.Start {
			p.o.from = l.raw
		}
	}
}
