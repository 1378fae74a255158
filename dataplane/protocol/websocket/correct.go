package websocket

import (
	"unicode/utf8"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// carryOut does what one correction asks for, or says in its evidence why not.
func (d *Decoder) carryOut(c *protocol.Correction, e *protocol.Element, v *values, whole bool, o *outcome) {
	was := *o
	after, note := d.plan(c, e, v, whole, o)
	if c.Shadow || note != "" {
		*o = was
	}
	if g := d.turn.h.growth; g != nil && e.Kind == kinds[d.turn.h.dir].inflated && g.toldOf(c) {
		return
	}
	d.tell(c, e, after, note)
}

const refusedFrame = "refused: only a whole message can be changed or dropped"

// plan works a correction out.
func (d *Decoder) plan(c *protocol.Correction, e *protocol.Element, v *values, whole bool, o *outcome) (after []byte, note string) {
	switch c.Action {
	case protocol.Report:
		return nil, ""
	case protocol.Reset:
		o.reset = true
		return nil, ""
	case protocol.Reject:
		if e.Kind == kinds[d.turn.h.dir].inflated && d.msg.Sent && c.Late == protocol.LatePass {
			return nil, "not done: part of the message has gone to its receiver"
		}
		o.late = c.Late
		return d.planReject(c, o)
	case protocol.Spoil:
		if e.Kind != kinds[d.turn.h.dir].inflated {
			return nil, "refused: not to be had of this element"
		}
		o.spoiled = true
		return nil, ""
	}
	if !whole {
		return nil, refusedFrame
	}
	switch k := &kinds[d.turn.h.dir]; {
	case c.Action == protocol.Drop:
		o.dropped = true
		return nil, ""
	case e.Kind == k.json:
		return d.planValue(c, e, v, o)
	case e.Kind == k.document:
		return nil, "refused: the element cannot be changed"
	}
	switch c.Action {
	case protocol.Remove:
		o.dropped = true
	case protocol.Set:
		switch {
		case c.Field != "value":
			return nil, "refused: the field cannot be set"
		case e.Fields[0].Value == "text" && !utf8.ValidString(c.Value):
			return nil, "refused: a text message is UTF-8"
		case o.changed:
			return nil, "not done: another correction changes the same bytes"
		}
		o.changed, o.value = true, c.Value
		return []byte(c.Value), ""
	case protocol.Insert:
		return planInsert(c, o)
	default:
		return nil, "refused: not to be had of this protocol"
	}
	return nil, ""
}

func planInsert(c *protocol.Correction, o *outcome) (after []byte, note string) {
	if c.Insert == nil {
		return nil, "refused: nothing to insert"
	}
	for _, f := range c.Insert.Fields {
		if f[0] != "value" {
			continue
		}
		if c.Insert.Before {
			o.before = append(o.before[:len(o.before):len(o.before)], f[1])
		} else {
			o.after = append(o.after[:len(o.after):len(o.after)], f[1])
		}
		return []byte(f[1]), ""
	}
	return nil, "refused: a message needs a value"
}

// planReject answers with a Close frame: the reply's status is its code, the
// reason stands behind it; or, where it has none, with the reply's raw bytes, which
// may be none.
func (d *Decoder) planReject(c *protocol.Correction, o *outcome) (after []byte, note string) {
	switch {
	case c.Reply == nil:
		return nil, "refused: no reply"
	case c.Reply.Status == 0:
		o.reply = []byte(c.Reply.Raw)
	case c.Reply.Status < 1000 || c.Reply.Status > 4999:
		return nil, "refused: not the code of a Close frame"
	default:
		o.reply = closeFrame(c.Reply.Status, c.Reply.Reason)
	}
	o.refused, o.close = true, c.Reply.Close
	return o.reply, ""
}

var actionNames = [...]string{
	protocol.Report: "report", protocol.Remove: "remove", protocol.Set: "set",
	protocol.Reject: "reject", protocol.Drop: "drop", protocol.Reset: "reset",
	protocol.Insert: "insert", protocol.Move: "move", protocol.Interim: "interim", protocol.Spoil: "spoil",
}

// tell adds the evidence of a correction.
func (d *Decoder) tell(c *protocol.Correction, e *protocol.Element, after []byte, note string) {
	before := d.msg.Data
	if e.Kind == kinds[d.turn.h.dir].json {
		before = before[e.Span.Start:e.Span.End]
	}
	ev := session.Evidence{
		Definition: c.Definition, Revision: c.Revision, Rule: c.Rule,
		Mode: "correct", Action: actionNames[c.Action], Element: e.Kind,
		Before: bounded(before), After: bounded(after), Note: note,
	}
	if c.Shadow {
		ev.Mode = "shadow"
	}
	if c.Action == protocol.Set && c.Name != "" {
		ev.Action = c.Name
	}
	d.turn.v.Evidence = append(d.turn.v.Evidence, ev)
}
