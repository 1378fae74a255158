// Package whole is what the decoders of protocols with small messages share: a
// message is there as a whole, the rules have answered, and their corrections
// become edits of its bytes, a reply or an end, with evidence. What the bytes
// of a protocol need, its decoder does (Codec). It holds no state.
package whole

import (
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Codec writes what a protocol's messages need. Notes say why something cannot
// be done; then it is told and nothing changes.
type Codec interface {
	// Set returns the edits that give a field of an element another value.
	Set(m *protocol.Message, e *protocol.Element, field, value string) ([]session.Edit, string)
	// Remove returns the edits that take an element out of the message.
	Remove(m *protocol.Message, e *protocol.Element) ([]session.Edit, string)
	// Finish makes the message valid again after edits, sorted, and after the
	// removal of elements (indexes, sorted). It returns the edits to make.
	Finish(m *protocol.Message, edits []session.Edit, removed []int) ([]session.Edit, string)
}

// Kind is what becomes of a message.
type Kind uint8

// The kinds.
const (
	Forward Kind = iota
	Reject       // dropped, and Reply goes to its sender, or in its place
	Drop
	Reset
)

// Outcome is what the rules want of one message.
type Outcome struct {
	Kind     Kind
	Edits    []session.Edit // of Message.Data
	Reply    []byte         // for Reject
	Close    bool           // for Reject: the session ends behind it
	Evidence []session.Evidence
}

// plan is the corrections of one message under way.
type plan struct {
	m       *protocol.Message
	codec   Codec
	out     Outcome
	removed []int
}

// Decide asks the rules about m and works out what becomes of it. Where two
// corrections want the same bytes, the first one has them. One that keeps the
// message from its receiver makes all changes within it void.
func Decide(rules protocol.Rules, m *protocol.Message, codec Codec) Outcome {
	if len(m.Elements) == 0 {
		return Outcome{}
	}
	cs := rules.Match(m)
	if len(cs) == 0 {
		return Outcome{}
	}
	p := &plan{m: m, codec: codec}
	end := slices.IndexFunc(cs, func(c protocol.Correction) bool { return !c.Shadow && ends(&c) && p.valid(&c) })
	for i := range cs {
		c := &cs[i]
		switch {
		case !p.valid(c):
		case c.Action == protocol.Report:
			p.tell(c, nil, "")
		case ends(c):
			if i == end || c.Shadow {
				p.terminal(c)
			}
		case end < 0 || c.Shadow:
			p.change(c)
		}
	}
	p.finish()
	return p.out
}

// ends says whether a correction keeps the message from its receiver.
func ends(c *protocol.Correction) bool {
	return c.Action == protocol.Reject || c.Action == protocol.Drop || c.Action == protocol.Reset
}

func (p *plan) valid(c *protocol.Correction) bool {
	return c.Element >= 0 && c.Element < len(p.m.Elements) && (c.Action != protocol.Reject || c.Reply != nil)
}

func (p *plan) terminal(c *protocol.Correction) {
	o := Outcome{Kind: Drop}
	switch c.Action {
	case protocol.Reject:
		o = Outcome{Kind: Reject, Reply: []byte(c.Reply.Raw), Close: c.Reply.Close}
		if c.Reply.Raw == "" {
			p.tell(c, nil, "no reply: this protocol's replies are raw")
			o.Kind = Drop
			break
		}
		p.tell(c, o.Reply, "")
	case protocol.Reset:
		o.Kind = Reset
		p.tell(c, nil, "")
	default:
		p.tell(c, nil, "")
	}
	if !c.Shadow {
		p.out.Kind, p.out.Reply, p.out.Close = o.Kind, o.Reply, o.Close
	}
}

// change plans a correction within the message.
func (p *plan) change(c *protocol.Correction) {
	e := &p.m.Elements[c.Element]
	var edits []session.Edit
	note := "not done: a message of this protocol cannot be changed in this way"
	switch c.Action {
	case protocol.Set:
		edits, note = p.codec.Set(p.m, e, c.Field, c.Value)
	case protocol.Remove:
		edits, note = p.codec.Remove(p.m, e)
	}
	switch {
	case note != "":
		p.tell(c, nil, note)
		return
	case p.overlaps(edits):
		p.tell(c, nil, "not done: another correction changes the same bytes")
		return
	}
	p.tell(c, After(p.m.Data, e.Span, edits), "")
	if c.Shadow {
		return
	}
	p.out.Edits = append(p.out.Edits, edits...)
	if c.Action == protocol.Remove {
		p.removed = append(p.removed, c.Element)
	}
}

func (p *plan) overlaps(edits []session.Edit) bool {
	for _, a := range edits {
		for _, b := range p.out.Edits {
			if a.Start < b.End && b.Start < a.End || a.Start == b.Start {
				return true
			}
		}
	}
	return false
}

// finish makes the changed message valid. One that cannot be is dropped: it must
// not go on as it came.
func (p *plan) finish() {
	if p.out.Kind != Forward || len(p.out.Edits) == 0 {
		p.out.Edits = nil
		return
	}
	slices.SortFunc(p.out.Edits, func(a, b session.Edit) int { return a.Start - b.Start })
	edits, note := p.codec.Finish(p.m, p.out.Edits, p.removed)
	if note != "" {
		p.out.Kind, p.out.Edits = Drop, nil
		for i := range p.out.Evidence {
			if p.out.Evidence[i].Note == "" {
				p.out.Evidence[i].Note = "dropped: " + note
			}
		}
		return
	}
	p.out.Edits = edits
}

// After is what stands in the place of span once the edits within it are made,
// bounded as evidence is.
func After(data []byte, span protocol.Span, edits []session.Edit) []byte {
	var out []byte
	at := span.Start
	for _, e := range edits {
		if e.Start < at || e.End > span.End {
			continue
		}
		out = append(append(out, data[at:e.Start]...), e.With...)
		at = e.End
	}
	out = append(out, data[at:span.End]...)
	return out[:min(len(out), session.EvidenceLimit)]
}

// Apply returns data with edits made, which are sorted.
func Apply(data []byte, edits []session.Edit) []byte {
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, data[at:e.Start]...), e.With...)
		at = e.End
	}
	return append(out, data[at:]...)
}

var actionNames = [...]string{
	protocol.Report: "report", protocol.Remove: "remove", protocol.Set: "set", protocol.Reject: "reject",
	protocol.Drop: "drop", protocol.Reset: "reset", protocol.Insert: "insert", protocol.Move: "move",
	protocol.Interim: "reply", protocol.Spoil: "spoil",
}

// tell adds the evidence of a correction.
func (p *plan) tell(c *protocol.Correction, after []byte, note string) {
	e := &p.m.Elements[c.Element]
	before := p.m.Data[e.Span.Start:e.Span.End]
	ev := session.Evidence{
		Definition: c.Definition, Revision: c.Revision, Rule: c.Rule, Mode: "correct", Action: actionNames[c.Action], Element: e.Kind,
		Before: slices.Clone(before[:min(len(before), session.EvidenceLimit)]),
		After:  slices.Clone(after[:min(len(after), session.EvidenceLimit)]), Note: note,
	}
	if c.Shadow {
		ev.Mode = "shadow"
	}
	if c.Action == protocol.Set && c.Name != "" {
		ev.Action = c.Name
	}
	p.out.Evidence = append(p.out.Evidence, ev)
}
