package mqtt

import (
	"errors"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
)

// shapes say how the value of a property is written (version 5, section 2.2.2.2):
// so many bytes, a string with its length, a pair of strings, or a varint.
const (
	shapeText   = 's'
	shapePair   = 'p'
	shapeVarint = 'v'
)

var shapes = map[byte]byte{
	0x01: 1, 0x02: 4, 0x03: shapeText, 0x08: shapeText, 0x09: shapeText, 0x0b: shapeVarint, 0x11: 4, 0x12: shapeText,
	0x13: 2, 0x15: shapeText, 0x16: shapeText, 0x17: 1, 0x18: 4, 0x19: 1, 0x1a: shapeText, 0x1c: shapeText, 0x1f: shapeText,
	0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: shapePair, 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1,
}

// optionalProperties are those that may be missing when nothing follows.
func (p *packet) optionalProperties() {
	if p.fault == nil && p.at < len(p.b) {
		p.properties(false)
	}
}

// properties reads the properties that packets of version 5 have.
func (p *packet) properties(will bool) {
	if p.version != 5 || p.fault != nil {
		return
	}
	defer func() { p.unread = p.fault != nil }()
	size, n := p.varint()
	if p.fault != nil {
		return
	}
	end := p.at + int(size)
	if end > len(p.b) {
		p.fail(errors.New("properties reach beyond the packet"))
		return
	}
	p.lengths = append(p.lengths, dialogue.Length{
		Span: protocol.Span{Start: p.at - n, End: p.at}, Value: size,
		Covers: protocol.Span{Start: p.at, End: end}, Encode: varint,
	})
	whole := p.b
	p.b = p.b[:end] // a property that reaches beyond is none
	for p.fault == nil && p.at < end {
		p.property(will)
	}
	p.b = whole
}

func (p *packet) varint() (value int64, n int) {
	for i := range 4 {
		b := p.number(1)
		if p.fault != nil {
			return 0, 0
		}
		value |= b.value & 0x7f << (7 * i)
		if b.value < 0x80 {
			return value, i + 1
		}
	}
	p.fail(errors.New("a number of more than four bytes"))
	return 0, 0
}

func (p *packet) property(will bool) {
	from := p.at
	id := p.number(1)
	key, value, span := "", "", none
	number := int64(0)
	switch shape := shapes[byte(id.value)]; shape {
	case 0:
		p.fail(errors.New("an unknown property"))
		return
	case shapePair:
		key, _ = p.text()
		value, span = p.text()
	case shapeText:
		value, span = p.text()
	case shapeVarint:
		number, _ = p.varint()
	default:
		number = p.number(int(shape)).value
	}
	if p.fault == nil {
		p.add(kinds[p.dir].property, from, field("id", id.value, none), field("key", key, none), field("value", value, span),
			field("number", number, none), field("will", will, none))
	}
}
