package dialogue

import (
	"fmt"
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// outcome is what becomes of a message.
type outcome struct {
	kind    kindOfOutcome
	edits   []session.Edit // forwarded: of its shown bytes
	reply   []byte         // rejected: what the client gets
	interim []byte         // what the client gets beside
	close   bool           // the session ends behind the reply
}

type kindOfOutcome uint8

const (
	forwarded kindOfOutcome = iota
	rejected
	dropped
	wasReset
)

// plan turns the corrections of one message into edits and evidence. Where two
// corrections want the same bytes, the first one has them.
type plan struct {
	d     *Decoder
	s     *Step
	m     *protocol.Message
	edits []planned
	gone  map[string]int64 // elements more or less, by kind
	o     outcome
}

// planned is an edit with what it is for.
type planned struct {
	session.Edit
	set bool          // it gives one field another value
	of  protocol.Span // the element that it is about
}

// correct shows the message to the rules and plans their corrections.
func (d *Decoder) correct(s *Step) outcome {
	t := &d.turn
	if !d.wants(s.Elements) {
		return outcome{}
	}
	m := &d.msg
	m.Dir, m.Data, m.Elements = t.h.dir, t.rest()[:s.Size:s.Size], s.Elements
	m.Continues, m.Sent = s.Later, t.h.sent || s.Committed
	defer func() { m.Data, m.Elements = nil, nil }()
	corrections := d.rules.Match(m)
	if len(corrections) == 0 {
		return outcome{}
	}
	p := &plan{d: d, s: s, m: m, gone: map[string]int64{}}
	p.run(corrections)
	return p.o
}

// run carries the corrections out. One that keeps the message from its receiver
// makes all changes within it void.
func (p *plan) run(cs []protocol.Correction) {
	end := slices.IndexFunc(cs, func(c protocol.Correction) bool { return !c.Shadow && ends(c.Action) && p.valid(&c) })
	for i := range cs {
		c := &cs[i]
		switch {
		case !p.valid(c):
		case ends(c.Action):
			if i == end || c.Shadow {
				p.terminal(c)
			}
		case c.Action == protocol.Report:
			p.tell(c, nil, "")
		case c.Action == protocol.Interim:
			p.interim(c)
		case end < 0 || c.Shadow:
			p.change(c)
		}
	}
	if p.o.kind == forwarded {
		p.finish()
	}
}

// ends says whether an action decides about the message as a whole.
func ends(a protocol.Action) bool {
	return a == protocol.Reject || a == protocol.Drop || a == protocol.Reset || a == protocol.Spoil
}

// valid says whether a correction is about an element of this message.
func (p *plan) valid(c *protocol.Correction) bool {
	needsReply := c.Action == protocol.Reject || c.Action == protocol.Interim
	return c.Element >= 0 && c.Element < len(p.m.Elements) && (!needsReply || c.Reply != nil) &&
		(c.Action != protocol.Insert || c.Insert != nil)
}

func (p *plan) element(c *protocol.Correction) *protocol.Element { return &p.m.Elements[c.Element] }

// terminal carries out a correction that keeps the message from its receiver.
func (p *plan) terminal(c *protocol.Correction) {
	o := outcome{kind: dropped, interim: p.o.interim}
	var reply []byte
	note := ""
	switch c.Action {
	case protocol.Reset:
		o.kind = wasReset
	case protocol.Reject:
		reply, note = p.d.codec.Reply(c.Reply)
		o.kind, o.reply, o.close = rejected, reply, c.Reply.Close
	case protocol.Spoil:
		p.tell(c, nil, "not done: this protocol has no such message")
		return
	}
	if p.m.Sent && (c.Action == protocol.Reject || c.Action == protocol.Drop) {
		o, note = p.late(c.Late, o)
	}
	p.tell(c, reply, note)
	if !c.Shadow {
		p.o = o
	}
}

// late is what follows when part of the message has gone.
func (p *plan) late(l protocol.Late, o outcome) (outcome, string) {
	switch l {
	case protocol.LatePass:
		return outcome{}, "not done: part of the message had gone"
	case protocol.LateReset:
		return outcome{kind: wasReset}, "part of the message had gone: reset"
	}
	return outcome{kind: rejected, reply: o.reply, close: true}, "part of the message had gone: closed"
}

// interim has a reply sent while the message goes on.
func (p *plan) interim(c *protocol.Correction) {
	reply, note := p.d.codec.Reply(c.Reply)
	if p.m.Dir != session.ToServer {
		reply, note = nil, "not done: only a client gets replies"
	}
	p.tell(c, reply, note)
	if !c.Shadow {
		p.o.interim = append(p.o.interim, reply...)
	}
}

// change plans a correction within the message.
func (p *plan) change(c *protocol.Correction) {
	edits, note := p.editsFor(c)
	switch {
	case note != "":
		p.tell(c, nil, note)
		return
	case !c.Shadow && p.overlaps(edits):
		p.tell(c, nil, "not done: another correction changes the same bytes")
		return
	}
	p.tell(c, p.after(p.element(c).Span, edits), "")
	if c.Shadow {
		return
	}
	for _, one := range edits {
		one.of = p.element(c).Span
		p.edits = append(p.edits, one)
	}
	switch c.Action {
	case protocol.Remove:
		p.gone[p.element(c).Kind]--
	case protocol.Insert:
		p.gone[p.element(c).Kind]++
	}
}

// editsFor works out the edits of one correction; note says why there are none.
func (p *plan) editsFor(c *protocol.Correction) (edits []planned, note string) {
	e := p.element(c)
	switch c.Action {
	case protocol.Remove:
		return []planned{{Edit: session.Edit{Start: e.Span.Start, End: e.Span.End}}}, ""
	case protocol.Set:
		f := e.Field(c.Field)
		if f == nil || f.Span.Start < 0 {
			return nil, "not done: the field has no bytes of its own in this message"
		}
		b, err := p.d.codec.Encode(e, c.Field, c.Value)
		if err != nil {
			return nil, "not done: " + err.Error()
		}
		return []planned{{Edit: session.Edit{Start: f.Span.Start, End: f.Span.End, With: b}, set: true}}, ""
	case protocol.Insert:
		b, err := p.d.codec.Build(e, c.Insert.Fields)
		if err != nil {
			return nil, "not done: " + err.Error()
		}
		at := e.Span.End
		if c.Insert.Before {
			at = e.Span.Start
		}
		return []planned{{Edit: session.Edit{Start: at, End: at, With: b}}}, ""
	case protocol.Move:
		return p.move(c)
	}
	return nil, "not done: the decoder does not know this correction"
}

// move takes an element to the first or last place among its kind.
func (p *plan) move(c *protocol.Correction) ([]planned, string) {
	e := p.element(c)
	to := e
	for i := range p.m.Elements {
		if o := &p.m.Elements[i]; o.Kind == e.Kind {
			if to = o; c.First {
				break
			}
		}
	}
	if to == e || to.Span == e.Span {
		return nil, "not done: it is there already"
	}
	at := to.Span.End
	if c.First {
		at = to.Span.Start
	}
	if e.Span.Start < at && at < e.Span.End {
		return nil, "not done: that place is within the element itself"
	}
	text := slices.Clone(p.m.Data[e.Span.Start:e.Span.End])
	out := []planned{{Edit: session.Edit{Start: at, End: at, With: text}}, {Edit: session.Edit{Start: e.Span.Start, End: e.Span.End}}}
	slices.SortStableFunc(out, byStart)
	return out, ""
}

func byStart(a, b planned) int { return a.Start - b.Start }

// overlaps says whether edits touch others.
func (p *plan) overlaps(edits []planned) bool {
	for _, a := range edits {
		for _, b := range p.edits {
			if a.Start < b.End && b.Start < a.End || a.Start == b.Start && (a.End > a.Start) == (b.End > b.Start) {
				return true
			}
		}
	}
	return false
}

// finish puts the lengths right and hands the edits over.
func (p *plan) finish() {
	if len(p.edits) == 0 {
		return
	}
	for i := range p.s.Lengths {
		if why := p.length(&p.s.Lengths[i]); why != "" {
			p.d.turn.v.Evidence = append(p.d.turn.v.Evidence, session.Evidence{
				Mode: "correct", Action: "report", Element: p.m.Elements[0].Kind, Note: "not done, though told above: " + why,
			})
			return
		}
	}
	slices.SortStableFunc(p.edits, func(a, b planned) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End // an insertion goes before what it stands in front of
	})
	for _, e := range p.edits {
		p.o.edits = append(p.o.edits, e.Edit)
	}
}

// length puts one length right; the result says why that cannot be.
func (p *plan) length(l *Length) string {
	var delta int64
	for _, e := range p.edits {
		switch {
		case e.Start <= l.Span.Start && l.Span.End <= e.End && e.End > e.Start && !e.set:
			return "" // it is removed with its element
		case l.Field && (!e.set || e.Start != l.Covers.Start || e.End != l.Covers.End):
		case l.counts(&e):
			delta += int64(len(e.With) - (e.End - e.Start))
		}
	}
	if l.Kind != "" {
		delta = p.gone[l.Kind]
	}
	if delta == 0 {
		return ""
	}
	b, err := l.Encode(l.Value + delta)
	if err != nil {
		return fmt.Sprintf("length %d: %v", l.Value+delta, err)
	}
	for i := range p.edits {
		switch e := &p.edits[i]; {
		case e.Start >= l.Span.End || l.Span.Start >= e.End:
		case e.Start == l.Span.Start && e.End == l.Span.End:
			e.With = b // a rule sets it, too: what the message then has counts
			return ""
		default:
			return fmt.Sprintf("length %d: a rule sets the bytes that it stands in", l.Value+delta)
		}
	}
	p.edits = append(p.edits, planned{Edit: session.Edit{Start: l.Span.Start, End: l.Span.End, With: b}})
	return ""
}

// counts says whether an edit is within what a length covers. One that only adds
// bytes at its border is, when its element is.
func (l *Length) counts(e *planned) bool {
	within := func(start, end int) bool { return start >= l.Covers.Start && end <= l.Covers.End }
	switch {
	case l.All:
		return e.Start >= l.Covers.Start
	case !within(e.Start, e.End):
		return false
	}
	return e.End > e.Start || l.Field || e.Start > l.Covers.Start && e.End < l.Covers.End || within(e.of.Start, e.of.End)
}

// after is what stands in the place of span once the edits are made, bounded.
func (p *plan) after(span protocol.Span, edits []planned) []byte {
	var out []byte
	pos := span.Start
	for _, e := range edits {
		if e.Start < span.Start || e.End > span.End {
			continue
		}
		out = append(append(out, p.m.Data[pos:e.Start]...), e.With...)
		pos = e.End
	}
	return bounded(append(out, p.m.Data[pos:span.End]...))
}

var actionNames = [...]string{
	protocol.Report: "report", protocol.Remove: "remove", protocol.Set: "set", protocol.Reject: "reject", protocol.Drop: "drop",
	protocol.Reset: "reset", protocol.Insert: "insert", protocol.Move: "move", protocol.Interim: "reply", protocol.Spoil: "spoil",
}

// tell adds the evidence of a correction.
func (p *plan) tell(c *protocol.Correction, after []byte, note string) {
	e := p.element(c)
	ev := session.Evidence{
		Definition: c.Definition, Revision: c.Revision, Rule: c.Rule, Mode: "correct", Action: actionNames[c.Action],
		Element: e.Kind, Before: bounded(p.m.Data[e.Span.Start:e.Span.End]), After: bounded(after), Note: note,
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
