package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// correct shows the message to the rules and plans their corrections.
func (d *Decoder) correct(size int, held bool) outcome {
	t := &d.turn
	h := t.h
	if h.want == 0 {
		return outcome{kind: forwarded}
	}
	b := t.rest()[:size:size]
	d.vars.begin(b[:h.head.size], held || h.framing == noBody)
	d.begin(h.view(b, held), held)
	d.ask(held)
	if held {
		d.readAgain(b)
	}
	return d.finish()
}

// ask shows the message to the rules, first to those that want to see all of it
// before they are asked.
func (d *Decoder) ask(held bool) {
	h := d.turn.h
	if first, all := d.wantsFirst(h.dir, h.want), h.want; first != 0 {
		h.want, d.surveying = first, true
		d.show(held)
		h.want, d.surveying = all, false
		if d.plan.ended() {
			return
		}
		survey := d.msg.Survey
		d.start(d.msg.Data)
		d.msg.Survey = survey
	}
	d.show(held)
}

// show shows all that rules want of the message.
func (d *Decoder) show(held bool) {
	d.unseen = false
	d.showHead()
	if held {
		d.showBody()
	}
	d.flush()
	if d.unseen && !d.surveying && d.turn.h.dir == session.ToServer && !d.plan.ended() && !d.spares() {
		d.plan.beyond()
	}
}

// begin starts to show a message, or a part of one.
func (d *Decoder) begin(data []byte, held bool) {
	d.msg.Dir = d.turn.h.dir
	d.plan = plan{d: d, m: &d.msg, held: held, edits: d.plan.edits[:0], told: d.plan.told[:0]}
	d.start(data)
}

// start starts to show data, of which nothing was shown.
func (d *Decoder) start(data []byte) {
	d.msg.Data = data
	d.msg.Continues, d.msg.Sent, d.msg.Survey = false, false, nil
	d.elements().clear()
}

// element adds an element. Those that are there are shown when they are many;
// nil: the message is not forwarded and no more need be shown.
func (d *Decoder) element(kind string, span protocol.Span, fields int, at place) *protocol.Element {
	s := d.elements()
	if len(s.list) == keepElements {
		d.flush()
	}
	if d.plan.ended() {
		return nil
	}
	return s.add(kind, span, fields, at)
}

// flush shows the elements that were added.
func (d *Decoder) flush() {
	s := d.elements()
	if d.plan.ended() {
		return
	}
	d.msg.Elements = s.list
	ask := d.rules.Match
	if d.surveying {
		ask = d.rules.(protocol.Surveyor).Survey
	}
	if cs := ask(&d.msg); len(cs) > 0 {
		d.plan.run(cs)
	}
	s.clear()
	d.msg.Continues = true
}

// finish carries out what was planned for the message.
func (d *Decoder) finish() outcome {
	o := d.plan.finish()
	d.elements().release()
	d.vars.end()
	d.msg.Data, d.msg.Elements, d.msg.Survey = nil, nil, nil
	if cap(d.plan.edits) > keepElements {
		d.plan.edits = nil
	}
	d.plan.told = nil
	return o
}

// showHead adds the elements of a head.
func (d *Decoder) showHead() {
	h := d.turn.h
	if h.want&wantLine != 0 {
		d.showLine()
	}
	if h.want&wantSegment != 0 && h.head.path.Start >= 0 {
		d.showSegments()
	}
	if h.want&wantParameter != 0 && h.head.query.Start >= 0 {
		d.showPairs(wantParameter, d.text(h.head.query), h.head.query.Start)
	}
	if h.want&wantHeader != 0 {
		d.showHeaders()
	}
	if h.want&wantCookie != 0 {
		d.showCookies()
	}
	if h.want&wantRange != 0 {
		d.showRanges()
	}
}

// text is a part of the message as a string.
func (d *Decoder) text(s protocol.Span) string { return string(cut(d.msg.Data, s)) }

func (d *Decoder) showLine() {
	p, b := &d.turn.h.head, d.msg.Data
	at := place{kind: wantLine}
	if d.turn.h.dir == session.ToServer {
		e := d.element("request.line", p.start, 7, at)
		setText(&e.Fields[0], "method", cut(b, p.method), p.method)
		setText(&e.Fields[1], "target", cut(b, p.target), p.target)
		setText(&e.Fields[2], "path", cut(b, p.path), p.path)
		setText(&e.Fields[3], "query", cut(b, p.query), p.query)
		setText(&e.Fields[4], "version", cut(b, p.version), p.version)
		setDecoded(&e.Fields[5], "decoded", cut(b, p.path))
		e.Fields[6].SetInt("size", p.start.End-p.start.Start)
		return
	}
	e := d.element("response.line", p.start, 4, at)
	f := &e.Fields[0]
	f.SetInt("status", p.status)
	f.Span = p.statusSpan
	setText(&e.Fields[1], "reason", cut(b, p.reason), p.reason)
	setText(&e.Fields[2], "version", cut(b, p.version), p.version)
	e.Fields[3].SetInt("size", p.start.End-p.start.Start)
}

func (d *Decoder) showHeaders() {
	h, b := d.turn.h, d.msg.Data
	for i := range h.head.fields {
		f := &h.head.fields[i]
		e := d.element(kinds[h.dir].header, f.line, 6, place{kind: wantHeader, index: int32(i)})
		if e == nil {
			return
		}
		setLower(&e.Fields[0], "name", cut(b, f.name), f.name)
		setText(&e.Fields[1], "value", f.text(b), f.value)
		setText(&e.Fields[2], "raw", cut(b, f.value), f.value)
		e.Fields[3].SetBool("folded", f.folded)
		e.Fields[4].SetInt("size", f.line.End-f.line.Start)
		e.Fields[5].SetInt("index", i)
	}
}

// text is the value of a field line, unfolded.
func (f *fieldLine) text(b []byte) []byte {
	if f.folded {
		return unfold(cut(b, f.value))
	}
	return cut(b, f.value)
}
