package patch

import (
	"cel.dev/cel-go/cel"

	"wirepatch/dataplane/protocol"
)

// placePrefix begins the names of placeVars.
const placePrefix = "element."

// placeVars say where an element stands in its message. They are there for every
// protocol.
var placeVars = map[string]*cel.Type{
	"element.index": cel.IntType,    // among those of its kind, from 0
	"element.count": cel.IntType,    // how many of its kind the message has (so far, when it comes in parts)
	"element.size":  cel.IntType,    // its octets
	"element.total": cel.IntType,    // octets of those of its kind up to and with this one
	"element.raw":   cel.StringType, // its octets as they came
	sameIndex:       cel.IntType,
	sameCount:       cel.IntType,
}

// place is where one element stands.
type place struct{ index, total int64 }

// places of a message's elements. They are worked out when the first expression
// asks, and kept up in any case where a message comes in parts.
type places struct {
	known  bool
	of     []place // by element
	counts map[string]protocol.Part
}

// find works the places of m out.
func (p *places) find(m *protocol.Message) {
	p.known = true
	p.of = p.of[:0]
	if m.Memory != nil {
		p.counts = m.Memory.Parts(int(m.Dir), !m.Continues)
	} else if p.counts == nil {
		p.counts = map[string]protocol.Part{}
	} else {
		clear(p.counts)
	}
	for i := range m.Elements {
		e := &m.Elements[i]
		c := p.counts[e.Kind]
		size := int64(max(0, e.Span.End-e.Span.Start))
		p.of = append(p.of, place{c.Count, c.Size + size})
		p.counts[e.Kind] = protocol.Part{Count: c.Count + 1, Size: c.Size + size}
	}
}

// forget drops what belongs to the message.
func (p *places) forget() {
	p.known = false
	if cap(p.of) > maxPlaces {
		p.of = nil
	}
	p.counts = nil
}

// maxPlaces bounds what is kept between messages.
const maxPlaces = 1024

// place resolves one of placeVars for the element at hand.
func (a *activation) place(name string) (any, bool) {
	if a.e == nil || a.places == nil || a.index >= len(a.m.Elements) {
		return nil, false
	}
	if name == sameIndex || name == sameCount {
		return a.survey.among(name, a.index)
	}
	if !a.places.known {
		a.places.find(a.m)
	}
	at, span := a.places.of[a.index], a.e.Span
	switch name {
	case "element.index":
		return at.index, true
	case "element.count":
		return a.places.counts[a.e.Kind].Count, true
	case "element.size":
		return int64(max(0, span.End-span.Start)), true
	case "element.total":
		return at.total, true
	}
	if span.Start < 0 || span.End > len(a.m.Data) || span.Start > span.End {
		return "", true
	}
	return string(a.m.Data[span.Start:span.End]), true
}
