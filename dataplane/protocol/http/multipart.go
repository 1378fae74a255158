package http

import (
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
)

// showMultipart adds the parts of a multipart body, each followed by its fields.
func (d *Decoder) showMultipart(text, boundary string, base int) {
	h := d.turn.h
	if h.want&wantMultipart != 0 {
		m := formtext.Parts(text, boundary, maxParts, func(formtext.Part) bool { return true })
		d.showWhole(text, boundary, base, &m)
	}
	i := 0
	m := formtext.Parts(text, boundary, maxParts, func(p formtext.Part) bool {
		d.showPart(text, p, i, base)
		i++
		return !d.plan.ended()
	})
	d.unseen = d.unseen || m.More
}

// showWhole adds the element of the whole, of which text is there.
func (d *Decoder) showWhole(text, boundary string, base int, m *formtext.Multipart) {
	e := d.element(kinds[d.turn.h.dir].multipart, protocol.Span{Start: base, End: base + len(text)}, 5, place{kind: wantMultipart})
	if e == nil {
		return
	}
	e.Fields[0].SetString("boundary", boundary, none)
	e.Fields[1].SetInt("count", m.Parts)
	e.Fields[2].SetBool("complete", m.Complete)
	e.Fields[3].SetString("preamble", m.Preamble.Cut(text), at(base, m.Preamble))
	e.Fields[4].SetString("epilogue", m.Epilogue.Cut(text), at(base, m.Epilogue))
}

// partFields are the fields of a part that its elements are made of.
type partFields struct {
	field, media formtext.Field // Content-Disposition, Content-Type; the zero value: missing
	disposition  disposition
	count        int
}

// namedTwice says whether a body has a part that recipients name differently.
func namedTwice(text, boundary string) (twice bool) {
	formtext.Parts(text, boundary, maxParts, func(p formtext.Part) bool {
		twice = readPart(text, p.Headers).disposition.twice
		return !twice
	})
	return twice
}

// readPart reads the fields of a part, which stand in text at block.
func readPart(text string, block formtext.Span) (r partFields) {
	formtext.Fields(text, block, func(f formtext.Field) bool {
		switch name := strings.Trim(f.Name.Cut(text), " \t"); {
		case strings.EqualFold(name, "content-disposition") && r.field.Line.End > 0:
			r.disposition.twice = true
		case strings.EqualFold(name, "content-disposition"):
			r.field, r.disposition = f, readDisposition(f.Value.Cut(text))
		case strings.EqualFold(name, "content-type") && r.media.Line.End == 0:
			r.media = f
		}
		r.count++
		return true
	})
	return r
}

func (d *Decoder) showPart(text string, p formtext.Part, index, base int) {
	h := d.turn.h
	if h.want&wantPart != 0 {
		e := d.element(kinds[h.dir].part, at(base, p.All), 10, place{kind: wantPart})
		if e == nil {
			return
		}
		r := readPart(text, p.Headers)
		value := r.field.Value.Cut(text)
		name, nameSpan := r.disposition.name.text(value)
		file, fileSpan := r.disposition.filename.text(value)
		from := base + r.field.Value.Start
		e.Fields[0].SetString("key", name, at(from, nameSpan))
		e.Fields[1].SetString("filename", file, at(from, fileSpan))
		media := formtext.Span{Start: -1, End: -1}
		if r.media.Line.End > 0 {
			media = r.media.Value
		}
		e.Fields[2].SetString("type", media.Cut(text), at(base, media))
		e.Fields[3].SetString("headers", p.Headers.Cut(text), at(base, p.Headers))
		e.Fields[4].SetString("value", p.Content.Cut(text), at(base, p.Content))
		size := p.Content.End - p.Content.Start
		if !d.plan.held {
			size = -1 // not known yet
		}
		e.Fields[5].SetInt("size", size)
		e.Fields[6].SetInt("index", index)
		e.Fields[7].SetInt("count", r.count)
		e.Fields[8].SetBool("complete", p.Whole)
		e.Fields[9].SetBool("malformed", r.disposition.malformed)
	}
	if h.want&wantPartHeader == 0 {
		return
	}
	i := 0
	formtext.Fields(text, p.Headers, func(f formtext.Field) bool {
		e := d.element(kinds[h.dir].partHeader, at(base, f.Line), 6, place{kind: wantPartHeader})
		if e == nil {
			return false
		}
		setLower(&e.Fields[0], "name", []byte(f.Name.Cut(text)), at(base, f.Name))
		e.Fields[1].SetString("value", string(unfold([]byte(f.Value.Cut(text)))), at(base, f.Value))
		e.Fields[2].SetString("raw", f.Line.Cut(text), at(base, f.Line))
		e.Fields[3].SetBool("folded", f.Folded)
		e.Fields[4].SetInt("index", i)
		e.Fields[5].SetInt("part", index)
		i++
		return true
	})
}
