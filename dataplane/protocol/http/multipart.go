package http

import (
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/percent"
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
	disposition, media       formtext.Field
	hasDisposition, hasMedia bool
	dispositions             int // fields of that name
	count                    int
}

// oneName says whether recipients agree on a part's name and file name: where a
// field or parameter is there twice some take the first, PHP the last.
func (r *partFields) oneName(text string) bool {
	if !r.hasDisposition {
		return true
	}
	disposition := r.disposition.Value.Cut(text)
	return r.dispositions == 1 && len(formtext.Values(disposition, "name")) <= 1 && len(formtext.Values(disposition, "filename")) <= 1
}

// namedTwice says whether a body has a part that recipients name differently.
func namedTwice(text, boundary string) (twice bool) {
	formtext.Parts(text, boundary, maxParts, func(p formtext.Part) bool {
		r := readPart(text, p)
		twice = !r.oneName(text)
		return !twice
	})
	return twice
}

func readPart(text string, p formtext.Part) (r partFields) {
	formtext.Fields(text, p.Headers, func(f formtext.Field) bool {
		switch name := strings.Trim(f.Name.Cut(text), " \t"); {
		case strings.EqualFold(name, "content-disposition"):
			r.dispositions++
			if !r.hasDisposition {
				r.disposition, r.hasDisposition = f, true
			}
		case !r.hasMedia && strings.EqualFold(name, "content-type"):
			r.media, r.hasMedia = f, true
		}
		r.count++
		return true
	})
	return r
}

func (d *Decoder) showPart(text string, p formtext.Part, index, base int) {
	h := d.turn.h
	if h.want&wantPart != 0 {
		e := d.element(kinds[h.dir].part, at(base, p.All), 9, place{kind: wantPart})
		if e == nil {
			return
		}
		r := readPart(text, p)
		disposition := r.disposition.Value.Cut(text)
		name, nameSpan := dispositionParam(disposition, "name")
		file, fileSpan := dispositionParam(disposition, "filename")
		if wide, s := dispositionParam(disposition, "filename*"); s.Start >= 0 {
			file, fileSpan = wideValue(wide), formtext.Span{Start: -1, End: -1}
		}
		from := base + r.disposition.Value.Start
		e.Fields[0].SetString("key", name, at(from, nameSpan))
		e.Fields[1].SetString("filename", file, at(from, fileSpan))
		media := formtext.Span{Start: -1, End: -1}
		if r.hasMedia {
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

// dispositionParam reads a parameter as browsers write it: quotes are escaped
// with a backslash or percent-encoded.
func dispositionParam(value, name string) (string, formtext.Span) {
	s, ok := formtext.Param(value, name)
	if !ok {
		return "", formtext.Span{Start: -1, End: -1}
	}
	return formtext.Unquote(s.Cut(value)), s
}

// wideValue reads the form of RFC 8187: charset, language, percent-encoded text.
func wideValue(v string) string {
	if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
		return percent.Decode(parts[2], false)
	}
	return v
}
