package http

import (
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// outcome is what becomes of a message.
type outcome struct {
	kind  kindOfOutcome
	reply []byte // rejected: what the client gets
	close bool   // the session ends behind it
}

type kindOfOutcome uint8

const (
	forwarded kindOfOutcome = iota
	rejected
	dropped
	wasReset
)

// plan turns the corrections of one message into edits and evidence. Where two
// corrections want the same bytes, the first one has them, except that the
// removal of an element prevails over changes within it.
type plan struct {
	d     *Decoder
	m     *protocol.Message
	held  bool
	edits []session.Edit // of the message, by element
	at    int            // element under way
	first int            // its first edit
}

// run carries the corrections out. One that keeps the message from its receiver
// makes all changes within it void.
func (p *plan) run(cs []protocol.Correction) outcome {
	end := -1
	for i := range cs {
		if c := &cs[i]; !c.Shadow && c.Action >= protocol.Reject && p.valid(c) {
			end = i
			break
		}
	}
	o := outcome{kind: forwarded}
	for i := range cs {
		switch c := &cs[i]; {
		case !p.valid(c):
		case c.Action == protocol.Report:
			p.tell(c, nil, "")
		case c.Action >= protocol.Reject && (i == end || c.Shadow):
			if one := p.terminal(c); i == end {
				o = one
			}
		case c.Action < protocol.Reject && (end < 0 || c.Shadow):
			p.change(c, cs[i+1:])
		}
	}
	if o.kind == forwarded {
		p.apply()
	}
	return o
}

// valid says whether a correction is about an element of this message.
func (p *plan) valid(c *protocol.Correction) bool {
	return c.Element >= 0 && c.Element < len(p.m.Elements) && c.Action <= protocol.Reset &&
		(c.Action != protocol.Reject || c.Reply != nil)
}

func (p *plan) element(c *protocol.Correction) *protocol.Element { return &p.m.Elements[c.Element] }

// terminal carries out a correction that keeps the message from its receiver.
func (p *plan) terminal(c *protocol.Correction) outcome {
	switch c.Action {
	case protocol.Drop:
		p.tell(c, nil, "")
		return outcome{kind: dropped}
	case protocol.Reset:
		p.tell(c, nil, "")
		return outcome{kind: wasReset}
	}
	o := outcome{kind: rejected, close: c.Reply.Close || p.mustClose()}
	reply, note := makeReply(c.Reply, p.answersHEAD(), o.close)
	o.reply = reply
	p.tell(c, reply, note)
	return o
}

// mustClose says whether the connection cannot go on behind a reply of our own:
// the request asked for its end, or where it ends is not known, or its client
// waits for a 100 (Continue) and now decides by itself whether to send the body.
func (p *plan) mustClose() bool {
	h := p.d.turn.h
	if h.dir == session.ToClient {
		return h.framing == untilClose || h.framing == tunnel
	}
	b := p.m.Data[:h.head.size]
	return h.framing == untilClose || !h.head.persistent(b) ||
		h.framing != noBody && !p.held && h.head.expectsContinue(b)
}

func (p *plan) answersHEAD() bool {
	h := p.d.turn.h
	if h.dir == session.ToServer {
		return string(cut(p.m.Data, h.head.method)) == "HEAD"
	}
	return p.d.queue.front().head
}

// change plans a correction within the message.
func (p *plan) change(c *protocol.Correction, later []protocol.Correction) {
	if c.Element != p.at {
		p.at, p.first = c.Element, len(p.edits)
	}
	edits, note := p.editsFor(c)
	switch {
	case note != "":
		p.tell(c, nil, note)
		return
	case !c.Shadow && c.Action == protocol.Set && p.removed(c.Element, later):
		p.tell(c, nil, "not done: another correction removes the element")
		return
	case !c.Shadow && p.overlaps(edits):
		p.tell(c, nil, "not done: another correction changes the same bytes")
		return
	}
	p.tell(c, p.after(p.element(c).Span, edits), "")
	if !c.Shadow {
		p.edits = append(p.edits, edits...)
	}
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

// overlaps says whether edits touch others of the same element. Those of
// different elements cannot: a body's edit of Content-Length is the only one
// that reaches out, and no other correction may touch that field.
func (p *plan) overlaps(edits []session.Edit) bool {
	for _, a := range edits {
		for _, b := range p.edits[p.first:] {
			if a.Start < b.End && b.Start < a.End || a.Start == b.Start {
				return true
			}
		}
	}
	return false
}

// apply hands the planned edits to the turn.
func (p *plan) apply() {
	slices.SortFunc(p.edits, func(a, b session.Edit) int { return a.Start - b.Start })
	t := &p.d.turn
	done := 0
	for _, e := range p.edits {
		if e.Start < done {
			continue // rules that keep to no order
		}
		t.edit(t.pos+e.Start, t.pos+e.End, e.With)
		done = e.End
	}
}

// after is what stands in the place of span once the edits are made, bounded.
func (p *plan) after(span protocol.Span, edits []session.Edit) []byte {
	var out []byte
	pos := span.Start
	for _, e := range edits {
		if e.Start < span.Start || e.End > span.End {
			continue
		}
		out = append(append(out, p.m.Data[pos:e.Start]...), e.With...)
		pos = e.End
	}
	out = append(out, p.m.Data[pos:span.End]...)
	return out[:min(len(out), session.EvidenceLimit)]
}

var actionNames = [...]string{
	protocol.Report: "report", protocol.Remove: "remove", protocol.Set: "set",
	protocol.Reject: "reject", protocol.Drop: "drop", protocol.Reset: "reset",
}

// tell adds the evidence of a correction.
func (p *plan) tell(c *protocol.Correction, after []byte, note string) {
	e := p.element(c)
	ev := session.Evidence{
		Definition: c.Definition, Revision: c.Revision, Rule: c.Rule,
		Mode: "correct", Action: actionNames[c.Action], Element: e.Kind,
		Before: bounded(cut(p.m.Data, e.Span)), After: bounded(after), Note: note,
	}
	if c.Shadow {
		ev.Mode = "shadow"
	}
	if c.Action == protocol.Set && c.Name != "" {
		ev.Action = c.Name
	}
	t := &p.d.turn
	t.v.Evidence = append(t.v.Evidence, ev)
}
