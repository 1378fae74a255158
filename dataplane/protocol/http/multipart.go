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
		d.showAround(text, boundary, base)
	}
	i := 0
	formtext.Parts(text, boundary, maxParts, func(p formtext.Part) bool {
		d.showPart(text, p, i, base)
		i++
		return !d.plan.ended()
	})
}

// showAround adds the element of the whole.
func (d *Decoder) showAround(text, boundary string, base int) {
	m := formtext.Parts(text, boundary, maxParts, func(formtext.Part) bool { return true })
	e := d.element(kinds[d.turn.h.dir].multipart, protocol.Span{Start: base, End: base + len(text)}, 5, place{kind: wantMultipart})
	if e == nil {
		return
	}
	setString(&e.Fields[0], "boundary", boundary, none)
	setInt(&e.Fields[1], "count", m.Parts)
	setBool(&e.Fields[2], "complete", m.Complete)
	setString(&e.Fields[3], "preamble", m.Preamble.Cut(text), at(base, m.Preamble))
	setString(&e.Fields[4], "epilogue", m.Epilogue.Cut(text), at(base, m.Epilogue))
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
		setString(&e.Fields[0], "key", name, at(from, nameSpan))
		setString(&e.Fields[1], "filename", file, at(from, fileSpan))
		media := formtext.Span{Start: -1, End: -1}
		if r.hasMedia {
			media = r.media.Value
		}
		setString(&e.Fields[2], "type", media.Cut(text), at(base, media))
		setString(&e.Fields[3], "headers", p.Headers.Cut(text), at(base, p.Headers))
		setString(&e.Fields[4], "value", p.Content.Cut(text), at(base, p.Content))
		size := p.Content.End - p.Content.Start
		if !d.plan.held {
			size = -1 // not known yet
		}
		setInt(&e.Fields[5], "size", size)
		setInt(&e.Fields[6], "index", index)
		setInt(&e.Fields[7], "count", r.count)
		setBool(&e.Fields[8], "complete", p.Whole)
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
		setString(&e.Fields[1], "value", string(unfold([]byte(f.Value.Cut(text)))), at(base, f.Value))
		setString(&e.Fields[2], "raw", f.Line.Cut(text), at(base, f.Line))
		setBool(&e.Fields[3], "folded", f.Folded)
		setInt(&e.Fields[4], "index", i)
		setInt(&e.Fields[5], "part", index)
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
