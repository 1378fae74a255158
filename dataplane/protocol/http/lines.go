package http

import (
	"bytes"
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// late is what must be remembered of a message whose head is gone and whose
// framing rules want to see as it passes.
type late struct {
	head      []byte
	continues bool // some of it was shown
}

// keep remembers a head, if rules will want to see what follows.
func (l *late) keep(head []byte, wanted bool) {
	l.head, l.continues = l.head[:0], true
	if wanted {
		l.head = append(l.head, head...)
	}
}

// wantsLine says whether rules are to see a line of framing of a body that
// passes. Of what is no whole line they see what is too long or out of form.
func (h *half) wantsLine(was chunkState, n int, done bool, f fault) bool {
	w := wantChunk
	if was == chunkTrailers {
		w = wantTrailer
	}
	return h.want&w != 0 && !h.discard && was != chunkEnd && !done && (n > 0 || f != faultNone)
}

// showLines adds the lines of framing of a held body.
func (d *Decoder) showLines() {
	h := d.turn.h
	chunks := chunkScan{}
	for i := range h.hold.lines {
		was := chunkSize
		if h.hold.lines[i].trailer {
			was = chunkTrailers
		}
		d.showLineOf(&chunks, was, &h.hold.lines[i])
		if d.plan.ended() {
			return
		}
	}
}

// showLineOf adds the element of one line of framing.
func (d *Decoder) showLineOf(c *chunkScan, was chunkState, l *line) {
	h := d.turn.h
	b := d.msg.Data
	span := protocol.Span{Start: l.at, End: l.at + l.size}
	end := span.End
	lf := false
	if end > span.Start && b[end-1] == '\n' {
		end--
		if lf = end == span.Start || b[end-1] != '\r'; !lf {
			end--
		}
	}
	text := protocol.Span{Start: span.Start, End: end}
	if was == chunkTrailers {
		if h.want&wantTrailer != 0 {
			d.showTrailer(c, span, text)
		}
		return
	}
	extension := protocol.Span{Start: end, End: end}
	if i := bytes.IndexByte(b[text.Start:end], ';'); i >= 0 {
		extension.Start = text.Start + i
	}
	c.extended += extension.End - extension.Start
	if h.want&wantChunk != 0 {
		if e := d.element(kinds[h.dir].chunk, span, 8, place{kind: wantChunk}); e != nil {
			setText(&e.Fields[0], "line", cut(b, text), text)
			setText(&e.Fields[1], "extension", cut(b, extension), extension)
			e.Fields[2].SetInt("extension_size", extension.End-extension.Start)
			e.Fields[3].SetInt("extension_total", c.extended)
			e.Fields[4].SetInt("size", int(l.data))
			e.Fields[5].SetInt("index", c.count)
			e.Fields[6].SetBool("lf", lf)
			e.Fields[7].SetString("fault", faultCodes[l.fault], none)
		}
	}
	c.count++
}

func (d *Decoder) showTrailer(c *chunkScan, span, text protocol.Span) {
	b := d.msg.Data
	e := d.element(kinds[d.turn.h.dir].trailer, span, 4, place{kind: wantTrailer})
	if e == nil {
		return
	}
	name, value := protocol.Span{Start: text.Start, End: text.Start}, text
	if i := bytes.IndexByte(b[text.Start:text.End], ':'); i >= 0 {
		name.End, value.Start = text.Start+i, text.Start+i+1
	}
	value.Start, value.End = trim(b, value.Start, value.End)
	setLower(&e.Fields[0], "name", cut(b, name), name)
	v := cut(b, value)
	folded := bytes.IndexByte(v, '\n') >= 0
	if folded {
		v = unfold(v)
	}
	setText(&e.Fields[1], "value", v, value)
	e.Fields[2].SetInt("size", span.End-span.Start)
	e.Fields[3].SetBool("folded", folded)
}

// lateLine shows one line of framing of a body that passes, and does what the
// rules say.
func (d *Decoder) lateLine(was chunkState, n int, f fault) bool {
	t := &d.turn
	h, before := t.h, markEdits(t.v.Edits)
	size := n
	if size == 0 || f == faultChunkLong {
		size = min(len(t.rest()), h.chunks.lineLimit())
	}
	d.vars.begin(h.late.head, false)
	d.begin(t.rest()[:size:size], false)
	d.msg.Continues, d.msg.Sent = h.late.continues, true
	d.showLineOf(&h.chunks, was, &line{size: size, data: h.chunks.left, fault: f})
	d.flush()
	changed := len(d.plan.edits) > 0
	o := d.finish()
	h.late.continues = true
	switch {
	case o.kind == wasReset:
		t.v.End = session.Reset
		return false
	case o.kind != forwarded && o.late != protocol.LatePass:
		return d.lateEnd(o, n)
	case o.spoil:
		return d.spoilRest(n)
	case f != faultNone && (n == 0 || !changed || f != faultChunkLF):
		t.v.Edits = before.of(t.v.Edits)
		return d.giveUp(f, t.rest()[:min(len(t.rest()), 1)])
	}
	d.consume(n, false)
	return true
}

// edited is how far a verdict's edits went, whose last may have grown since.
type edited struct {
	n    int
	last session.Edit
}

func markEdits(es []session.Edit) edited {
	if len(es) == 0 {
		return edited{}
	}
	return edited{len(es), es[len(es)-1]}
}

// of takes away what came later: of what is inserted at one place, a part may stand
// in front of the message at hand, as a reply that was owed.
func (m edited) of(es []session.Edit) []session.Edit {
	if m.n > 0 {
		es[m.n-1] = m.last
	}
	return es[:m.n]
}

// dropEdits takes away edits that begin at or behind pos.
func dropEdits(es []session.Edit, pos int) []session.Edit {
	for len(es) > 0 && es[len(es)-1].Start >= pos {
		es = es[:len(es)-1]
	}
	return es
}

// unmended says whether a line of a held body that is out of form would be
// forwarded as it is.
func (h *half) unmended(edits []session.Edit) bool {
	content := h.head.size + len(h.hold.value)
	rewritten := len(edits) > 0 && slices.ContainsFunc(edits, func(e session.Edit) bool { return e.Start >= h.head.size && e.End <= content })
	for i := range h.hold.lines {
		l := &h.hold.lines[i]
		mended := func(e session.Edit) bool { return e.Start < l.at+l.size && e.End > l.at }
		if l.fault != faultNone && !(rewritten && l.raw < h.hold.last) && !slices.ContainsFunc(edits, mended) {
			return true
		}
	}
	return false
}

// lateEnd ends a message that is refused when its head is gone.
func (d *Decoder) lateEnd(o outcome, n int) bool {
	t := &d.turn
	h := t.h
	switch o.late {
	case protocol.LateSpoil:
		return d.spoilRest(n)
	case protocol.LateReset:
		t.v.End = session.Reset
		return false
	}
	e := d.queue.find(h.serial)
	if h.dir == session.ToClient || e == nil || e.reply != nil || e.answered || d.answering(e) {
		t.v.End = session.Reset // the client has part of another answer, or all of one
		return false
	}
	d.queue.answer(e, o.reply)
	h.mode = inSink
	d.flushReplies()
	return t.v.End == session.Continue
}

// answering says whether the server's answer to an exchange has begun.
func (d *Decoder) answering(e *exchange) bool {
	back := &d.halves[session.ToClient]
	return e == d.queue.front() && (back.mode != atHead || back.scan.from > 0)
}

// spoilRest makes the body invalid where it stands, so that the server fails it
// in its own way, and deletes the rest.
func (d *Decoder) spoilRest(n int) bool {
	t := &d.turn
	t.v.Edit(t.pos, t.pos+n, []byte(spoiledChunk))
	t.pos += n
	t.h.mode = inSink
	return true
}

// spoiledChunk is no chunk to anybody.
const spoiledChunk = "!\r\n"
