package http

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/itemlist"
	"wirepatch/dataplane/session"
)

// reading is what a body says to one who reads it in one way. A request that
// names a content coding has several: most servers take no notice of the field and
// read the content as it came, others undo the coding, and nearly any text is,
// to a decoder, the beginning of something compressed. So the rules see a request
// first with its codings undone, and then once more with each that it had before.
type reading struct {
	value  string   // the content
	want   want     // what rules may find in it
	undone []coding // codings that were undone, the first of them last
	direct bool     // the content is in the message as rules see it
	// sound: it is what a coding made, and nothing else. Nobody who means it so
	// means it as it came.
	sound bool
	noise bool // we have coded it: names that are no text are nobody's
}

// read fixes the readings of a held message that is whole; false: its content,
// decoded, is over the limit.
func (h *half) read(head, content []byte, limit int) bool {
	s := &h.hold
	named := h.head.codings(head)
	if len(named) > maxCodings {
		return false
	}
	var undone []coding
	for _, c := range slices.Backward(named) {
		plain := c.undo(content, limit)
		switch {
		case plain.long:
			return false
		case !plain.ok:
			continue
		case h.dir == session.ToServer:
			r := h.asItCame(head, content, undone)
			r.sound = plain.sound
			s.others = append(s.others, r)
		}
		content, undone = plain.content, append(undone[:len(undone):len(undone)], plain.was)
	}
	s.reading = reading{value: string(content), undone: undone, direct: h.framing != byChunks && len(undone) == 0}
	first, _ := firstByte(content)
	s.want = h.fitting(head, first)
	return true
}

// asItCame is the reading of content of which a coding could be undone. What is
// really compressed is no JSON, no XML and no parts to anybody, and rules about
// such that are out of form are not asked about it.
func (h *half) asItCame(head, content []byte, undone []coding) reading {
	first, _ := firstByte(content)
	w := h.fitting(head, first)
	if first == 0 || strings.IndexByte("{[<", first) < 0 {
		w &^= wantText
	}
	if _, whole := h.head.contentType(head); w&wantParts != 0 && !bytes.Contains(content, []byte("--"+formtext.Boundary(whole))) {
		w &^= wantParts
	}
	return reading{value: string(content), want: w, undone: undone, direct: h.framing != byChunks && len(undone) == 0}
}

// code is content as it goes on: in the codings that were undone.
func (r *reading) code(content []byte, way int) []byte {
	for _, c := range slices.Backward(r.undone) {
		content = c.apply(content, way)
	}
	return content
}

// coding names the codings that were undone, as a Content-Encoding does.
func (r *reading) coding() string {
	var names []string
	for _, c := range slices.Backward(r.undone) {
		names = append(names, codingNames[c])
	}
	return strings.Join(names, ", ")
}

// readAgain asks the rules about the other readings of a request. What is soundly
// coded says by chance, or because somebody made it so, what rules would correct:
// coded anew, it says to servers that undo the coding what it did, and to others
// nothing. Anything else, and what rules know to be read as it came, goes on in the
// reading that is corrected; where several would be, to different ends, there is
// nothing that could be forwarded.
func (d *Decoder) readAgain(b []byte) {
	p, size := &d.plan, d.turn.h.head.size
	goesOn := d.turn.h.hold.reading
	for _, r := range d.turn.h.hold.others {
		if p.over || p.o.spoil {
			return
		}
		before := *p
		before.edits = slices.Clone(p.edits)
		apart := p.changes(size)
		corrected := d.asksFor(b, r, apart)
		switch {
		case corrected && !apart && !(r.sound && p.blind):
			goesOn = r // the plan is of this reading
		case !corrected && !apart:
			d.readAs(b, goesOn)
		default:
			other := *p
			*p = before
			d.readAs(b, goesOn)
			p.join(&other, corrected, r.sound, size, len(r.value), len(goesOn.value))
		}
	}
}

// join takes over what a plan for another reading came to, which was not made for this one.
func (p *plan) join(o *plan, corrected, sound bool, head, size, ownSize int) {
	switch {
	case !corrected:
		p.told = append(p.told, o.told...)
	case sound:
		p.told, p.anew = append(p.told, o.codedAnew()), true
	case o.over || o.o.spoil:
		p.told, p.over, p.o = append(p.told, o.told...), o.over, o.o
	case !o.allSame(p, head, size, ownSize):
		p.over, p.o = true, outcome{kind: broken, fault: faultReadings}
	}
}

// asksFor asks the rules about one reading, and says whether they correct anything in
// it that they did not before. apart: in a plan that begins with nothing, and without
// touching what the one before refers to.
func (d *Decoder) asksFor(b []byte, r reading, apart bool) bool {
	p := &d.plan
	if apart {
		p.edits, p.told = nil, nil
		form := d.form // the other items of elements are shown just so again
		d.form = itemlist.List{}
		defer func() { d.form = form }()
	}
	before := len(p.edits)
	d.readAs(b, r)
	d.msg.Told = d.turn.h.head.size
	d.ask(true)
	d.msg.Told = 0
	return p.over || p.o.spoil || len(p.edits) > before
}

// codedAnew is the evidence of what a plan would have corrected in a reading that
// nobody means.
func (p *plan) codedAnew() told {
	e := p.told[len(p.told)-1].Evidence
	e.After, e.Note = nil, "coded anew: so it says nothing of the kind to servers that do not undo the content coding"
	return told{e, true}
}

// codeAnew codes the content as it is once edits are made, in such a way that rules
// find nothing in it as it is then; false: there is none. Of a form they see what has
// a name of text: in so much noise some other name would often be one of theirs.
func (d *Decoder) codeAnew(edits []session.Edit) bool {
	h, b, p := d.turn.h, d.turn.rest(), d.plan
	goesOn := h.hold.reading
	_, content, _ := h.divide(edits)
	plain := splice([]byte(goesOn.value), h.head.size, content)
	done := false
	for way := 0; way < ways && !done; way++ {
		coded := goesOn.code(plain, way)
		r := h.asItCame(b[:h.head.size], coded, nil)
		r.direct, r.noise = false, true // nor is it in the message
		if done = !d.asksFor(b, r, true); done {
			h.hold.anew = coded
		}
		d.plan = p
	}
	d.readAs(b, goesOn)
	return done
}

// readAs has the rules see the message, with its body, in a reading.
func (d *Decoder) readAs(b []byte, r reading) {
	h := d.turn.h
	h.hold.reading = r
	d.vars.known[varRequestBody], d.vars.known[varRequestCoding] = false, false
	d.start(h.view(b, true))
}

// isText says whether octets are what people write.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// changes says whether anything behind the head is to be changed.
func (p *plan) changes(head int) bool { return len(p.edits) > 0 && p.edits[len(p.edits)-1].End > head }

// allSame says whether two plans give the content, all of it, the same other text.
func (p *plan) allSame(o *plan, head, size, otherSize int) bool {
	if len(p.edits) != 1 {
		return false
	}
	a, b := p.edits[0], o.edits[len(o.edits)-1]
	return a.Start == head && a.End == head+size && b.Start == head && b.End == head+otherSize && bytes.Equal(a.With, b.With)
}
