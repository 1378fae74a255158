package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// finish gives the evidence and, when the message is forwarded, the edits to the
// turn.
func (p *plan) finish() outcome {
	t := &p.d.turn
	p.stayHTTP1()
	edits := p.settle()
	if p.held && !p.over && !p.o.spoil && t.h.unmended(edits) {
		return outcome{kind: broken, fault: faultChunkLF}
	}
	if p.anew && !p.over && !p.d.codeAnew(edits) {
		return outcome{kind: broken, fault: faultReadings}
	}
	for i := range p.told {
		if e := &p.told[i]; !e.void || !p.over {
			t.v.Evidence = append(t.v.Evidence, e.Evidence)
		}
	}
	if !p.over && (len(edits) > 0 || p.anew) {
		p.apply(edits)
	}
	return p.o
}

// beyond keeps a request from the server of which rules have not seen all that they
// ask for.
func (p *plan) beyond() {
	p.told = append(p.told, told{session.Evidence{
		Mode: "correct", Action: "report", Element: kinds[p.d.turn.h.dir].body, Note: "cannot be inspected: " + faultText[faultBodyLong],
	}, true})
	p.over, p.o = true, outcome{kind: broken, fault: faultBodyLong}
}

// settle makes plain edits of the planned ones: sorted, not overlapping.
func (p *plan) settle() []session.Edit {
	if len(p.edits) == 0 {
		return nil
	}
	for i := range p.edits {
		e := &p.edits[i]
		if e.list != nil {
			e.Edit = e.list.Removal(e.item)
			e.list.Take(e.item)
		}
	}
	out := make([]session.Edit, 0, len(p.edits))
	done := 0
	for _, e := range p.edits {
		if e.Start < done { // an item took the separator, or what is around went
			if e.Start, e.End = done, max(done, e.End); e.Start == e.End {
				continue
			}
		}
		out = append(out, e.Edit)
		done = e.End
	}
	return out
}

// apply hands the planned edits to the turn: those of the head as they are,
// those of the content with the framing put right, those of the chunked framing
// where it stands.
func (p *plan) apply(edits []session.Edit) {
	t := &p.d.turn
	h := t.h
	if p.m.Sent {
		for _, e := range edits {
			t.v.Edit(t.pos+e.Start, t.pos+e.End, e.With)
		}
		return
	}
	head, content, lines := h.divide(edits)
	if len(content) > 0 || p.anew {
		var body []session.Edit
		head, body = h.rewrite(p.m.Data, head, content)
		lines = append(body, h.behind(lines)...)
	}
	for _, e := range append(head, lines...) {
		t.v.Edit(t.pos+e.Start, t.pos+e.End, e.With)
	}
}

// after is what stands in the place of span once the edits are made, bounded.
func (p *plan) after(span protocol.Span, edits []edit) []byte {
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
	protocol.Insert: "insert", protocol.Move: "move", protocol.Interim: "interim", protocol.Spoil: "spoil",
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
	void := !c.Shadow && c.Action != protocol.Report && !terminal(c.Action) && c.Action != protocol.Interim
	p.told = append(p.told, told{ev, void})
}
