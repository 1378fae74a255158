package http

import (
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/percent"
)

// setDecoded makes the percent-decoded b the value of a derived field.
func setDecoded(f *protocol.Field, name string, b []byte) {
	f.Name, f.Span = name, none
	for _, c := range b {
		if c == '%' {
			f.SetString(name, percent.Decode(string(b), false), none)
			return
		}
	}
	f.Value = sameText(f.Value, b)
}

// showSegments adds the segments of the path: what is between its slashes.
func (d *Decoder) showSegments() {
	h := d.turn.h
	text, base := d.text(h.head.path), h.head.path.Start
	list := &d.segments
	list.Begin("/")
	if !strings.HasPrefix(text, "/") {
		return
	}
	for start := 1; start <= len(text); {
		end := len(text)
		if i := strings.IndexByte(text[start:], '/'); i >= 0 {
			end = start + i
		}
		list.Add(protocol.Span{Start: base + start, End: base + end})
		start = end + 1
	}
	for i := range list.Items {
		s := list.Items[i].Span
		e := d.element(kinds[h.dir].segment, s, 3, place{kind: wantSegment, items: list, index: int32(i)})
		if e == nil {
			return
		}
		raw := text[s.Start-base : s.End-base]
		e.Fields[0].SetString("value", percent.Decode(raw, false), s)
		e.Fields[1].SetString("raw", raw, s)
		e.Fields[2].SetInt("index", i)
	}
}

// showPairs adds the parameters of a query, or of a form's body, which text is;
// base is where it stands in the message.
func (d *Decoder) showPairs(kind want, text string, base int) {
	h := d.turn.h
	list, name := &d.parameters, kinds[h.dir].parameter
	if kind == wantForm {
		list, name = &d.form, kinds[h.dir].form
	}
	list.Begin("&")
	formtext.Pairs(text, func(p formtext.Pair) bool {
		list.Add(at(base, p.All))
		return true
	})
	i := int32(0)
	formtext.Pairs(text, func(p formtext.Pair) bool {
		if kind == wantForm && h.hold.noise && !isText(p.Key.Cut(text)) {
			i++
			return true
		}
		e := d.element(name, list.Items[i].Span, 4, place{kind: kind, items: list, index: i})
		if e == nil {
			return false
		}
		e.Fields[0].SetString("key", percent.Decode(p.Key.Cut(text), true), at(base, p.Key))
		e.Fields[1].SetString("value", percent.Decode(p.Value.Cut(text), true), at(base, p.Value))
		e.Fields[2].SetString("raw", p.All.Cut(text), at(base, p.All))
		e.Fields[3].SetInt("index", int(i))
		i++
		return true
	})
}

// at moves a span of a text that stands at base to its place in the message.
func at(base int, s formtext.Span) protocol.Span {
	if s.Start < 0 {
		return none
	}
	return protocol.Span{Start: base + s.Start, End: base + s.End}
}
