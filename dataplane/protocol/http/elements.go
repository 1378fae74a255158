package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/itemlist"
)

// keepElements is how many elements are shown to the rules at a time, and kept
// for the next message: memory for elements does not grow with the message.
const keepElements = 128

// maxKeptValue bounds a value that is kept for the next message, in bytes.
const maxKeptValue = 1 << 10

// elements are the elements shown last in one direction. They are kept, so that
// messages that are alike, as those of one browser are, cost no allocation: a
// value is made anew only when it differs.
type elements struct {
	list   []protocol.Element
	places []place // of list's elements
}

// place is what a correction of an element must know beside it.
type place struct {
	kind  want
	items *itemlist.List // what the element is one of; nil: it stands alone
	index int32          // among them
	end   protocol.Span  // of XML: the name in an element's end tag
}

// add returns the next element of the list.
func (s *elements) add(kind string, span protocol.Span, fields int, at place) *protocol.Element {
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
	s.places = append(s.places, at)
	return e
}

func (s *elements) clear() { s.list, s.places = s.list[:0], s.places[:0] }

// release forgets what is too much to be kept between messages.
func (s *elements) release() {
	for i := range s.list {
		for j := range s.list[i].Fields {
			f := &s.list[i].Fields[j]
			if v, ok := f.Value.(string); ok && len(v) > maxKeptValue {
				f.Value = nil
			}
		}
	}
	clear(s.places)
	s.places = s.places[:0]
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
