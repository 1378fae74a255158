package http

import (
	"wirepatch/dataplane/protocol"
)

// elements are the elements of one direction's last message. They are kept, so
// that a session whose messages are alike, as those of one browser are, costs
// no allocation: a value is made anew only when it differs.
type elements struct{ list []protocol.Element }

// keepElements bounds how many elements are kept for the next message.
const keepElements = 128

// maxKeptValue bounds a value that is kept for the next message, in bytes.
const maxKeptValue = 1 << 10

// add returns the next element of the list.
func (s *elements) add(kind string, span protocol.Span, fields int) *protocol.Element {
	if len(s.list) < cap(s.list) {
		s.list = s.list[:len(s.list)+1]
	} else {
		s.list = append(s.list, protocol.Element{})
	}
	e := &s.list[len(s.list)-1]
	if e.Kind != kind || len(e.Fields) != fields {
		e.Kind, e.Fields = kind, make([]protocol.Field, fields)
	}
	e.Span = span
	return e
}

// release forgets what is too much to be kept between messages.
func (s *elements) release() {
	if len(s.list) > keepElements {
		s.list = nil
		return
	}
	for i := range s.list {
		for j := range s.list[i].Fields {
			f := &s.list[i].Fields[j]
			if v, ok := f.Value.(string); ok && len(v) > maxKeptValue {
				f.Value = nil
			}
		}
	}
}

// setText makes b the value of a field.
func setText(f *protocol.Field, name string, b []byte, span protocol.Span) {
	f.Name, f.Span = name, span
	f.Value = sameText(f.Value, b)
}

// sameText returns b as a string, the old one when it is equal.
func sameText(old any, b []byte) any {
	if s, ok := old.(string); ok && s == string(b) {
		return old
	}
	return string(b)
}

// setLower is setText with the value in lower case.
func setLower(f *protocol.Field, name string, b []byte, span protocol.Span) {
	f.Name, f.Span = name, span
	if s, ok := f.Value.(string); ok && equalFold(b, s) {
		return
	}
	f.Value = toLower(b)
}

func toLower(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = lower(c)
	}
	return string(out)
}

// elements publishes the message under way; d.msg.Data is set.
func (d *Decoder) elements(held bool) []protocol.Element {
	h := d.turn.h
	k := &kinds[h.dir]
	s := &h.elems
	s.list = s.list[:0]
	b := d.msg.Data
	if d.rules.Wants(k.line) {
		h.addLine(k.line, b)
	}
	if d.rules.Wants(k.header) {
		for i := range h.head.fields {
			f := &h.head.fields[i]
			e := s.add(k.header, f.line, 2)
			setLower(&e.Fields[0], "name", cut(b, f.name), f.name)
			setText(&e.Fields[1], "value", f.text(b), f.value)
		}
	}
	if held && d.rules.Wants(k.body) {
		e := s.add(k.body, h.hold.raw, 1)
		e.Fields[0] = protocol.Field{Name: "value", Value: h.hold.value, Span: h.hold.data}
	}
	return s.list
}

// text is the value of a field line, unfolded.
func (f *fieldLine) text(b []byte) []byte {
	if f.folded {
		return unfold(cut(b, f.value))
	}
	return cut(b, f.value)
}

func (h *half) addLine(kind string, b []byte) {
	p := &h.head
	if kind == "request.line" {
		e := h.elems.add(kind, p.start, 5)
		setText(&e.Fields[0], "method", cut(b, p.method), p.method)
		setText(&e.Fields[1], "target", cut(b, p.target), p.target)
		setText(&e.Fields[2], "path", cut(b, p.path), p.path)
		setText(&e.Fields[3], "query", cut(b, p.query), p.query)
		setText(&e.Fields[4], "version", cut(b, p.version), p.version)
		return
	}
	e := h.elems.add(kind, p.start, 3)
	f := &e.Fields[0]
	f.Name, f.Span = "status", p.statusSpan
	if n, ok := f.Value.(int64); !ok || n != int64(p.status) {
		f.Value = int64(p.status)
	}
	setText(&e.Fields[1], "reason", cut(b, p.reason), p.reason)
	setText(&e.Fields[2], "version", cut(b, p.version), p.version)
}
