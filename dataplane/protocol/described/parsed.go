package described

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// parsed is one binary message while it is read. What has been read before a
// fault is published all the same.
type parsed struct {
	c       *binary
	dir     session.Direction
	b       []byte
	at      int
	fault   error
	numbers map[string]number // that others refer to; those of a group hide outer ones
	values  asked
	top     []protocol.Field
	groups  []protocol.Element
	lengths []dialogue.Length
}

// fields reads fields in their order into out.
func (p *parsed) fields(fields []Field, out *[]protocol.Field) {
	for i := range fields {
		f := &fields[i]
		there := f.When == "" || slices.Contains(f.Among, p.numbers[f.When].value) && p.fault == nil
		switch {
		case f.Group != nil && there:
			p.group(f)
		case f.Group != nil:
		case f.Number > 0:
			n := number{span: none}
			if there {
				n = p.number(f)
			}
			p.numbers[f.Name] = n
			*out = append(*out, protocol.Field{Name: f.Name, Value: n.value, Span: n.span})
		default:
			span := none
			if there {
				span = p.text(f)
			}
			value := ""
			if span != none {
				value = string(p.b[span.Start:span.End])
			}
			*out = append(*out, protocol.Field{Name: f.Name, Value: value, Span: span})
		}
	}
}

func (p *parsed) short(f *Field) {
	if p.fault == nil {
		p.fault = fmt.Errorf("%s reaches beyond the message", f.Name)
	}
}

func (p *parsed) number(f *Field) number {
	if p.fault != nil || len(p.b)-p.at < f.Number {
		p.short(f)
		return number{span: none}
	}
	span := protocol.Span{Start: p.at, End: p.at + f.Number}
	n, ok := f.read(p.b[span.Start:span.End])
	if p.at = span.End; !ok {
		n = 1 << 62 // more than anything that it could count
	}
	return number{n, span}
}

func (p *parsed) text(f *Field) protocol.Span {
	if p.fault != nil {
		return none
	}
	rest, size := len(p.b)-p.at, int64(f.Size)
	skip := 0
	switch {
	case f.Rest:
		size = int64(rest)
	case f.Until != nil:
		i := bytes.IndexByte(p.b[p.at:], *f.Until)
		if size, skip = int64(i), 1; i < 0 {
			p.short(f)
			return none
		}
	case f.SizeOf != "":
		size = p.numbers[f.SizeOf].value + int64(f.Plus)
	}
	if size < 0 || size > int64(rest) {
		p.short(f)
		return none
	}
	span := protocol.Span{Start: p.at, End: p.at + int(size)}
	p.at = span.End + skip
	if of := p.numbers[f.SizeOf]; f.SizeOf != "" && of.span != none {
		p.lengths = append(p.lengths, dialogue.Length{Span: of.span, Value: of.value, Covers: span, Field: true, Encode: p.writer(f.SizeOf, of)})
	}
	return span
}

// writer writes a number the way it stands there.
func (p *parsed) writer(name string, n number) func(int64) ([]byte, error) {
	f := Field{Name: name, Number: n.span.End - n.span.Start, Little: p.isLittle(p.c.layout(p.dir).Fields, name)}
	return f.write
}

func (p *parsed) isLittle(fields []Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name && fields[i].Number > 0 {
			return fields[i].Little
		}
		if p.isLittle(fields[i].Group, name) {
			return true
		}
	}
	return false
}

// group reads a group as often as it is there.
func (p *parsed) group(f *Field) {
	kind := sides[p.dir] + "." + f.Name
	times := int64(1) << 40
	if f.Count != "" {
		times = p.numbers[f.Count].value
	}
	outer := p.numbers
	for i := int64(0); i < times && p.fault == nil && (f.Count != "" || p.at < len(p.b)); i++ {
		if len(p.groups) >= maxGroups {
			p.fault = errors.New("more groups than the limit")
			return
		}
		p.numbers = map[string]number{}
		for k, v := range outer {
			p.numbers[k] = v
		}
		from := p.at
		var fields []protocol.Field
		p.fields(f.Group, &fields)
		if p.at == from && p.fault == nil {
			p.fault = fmt.Errorf("%s is empty", f.Name)
		}
		if p.fault == nil {
			p.groups = append(p.groups, protocol.Element{Kind: kind, Span: protocol.Span{Start: from, End: p.at}, Fields: fields})
		}
	}
	p.numbers = outer
	if n := p.numbers[f.Count]; f.Count != "" && n.span != none {
		p.lengths = append(p.lengths, dialogue.Length{Span: n.span, Value: n.value, Kind: kind, Encode: p.writer(f.Count, n)})
	}
}

// allLengths adds the length of the message to those found.
func (p *parsed) allLengths(l *Layout) []dialogue.Length {
	n, ok := p.numbers[l.Length]
	if l.Length == "" || !ok || n.span == none {
		return p.lengths
	}
	return append(p.lengths, dialogue.Length{
		Span: n.span, Value: n.value, Covers: protocol.Span{Start: max(0, min(l.Plus, len(p.b))), End: len(p.b)}, All: true, Encode: p.writer(l.Length, n),
	})
}

// elements returns the message, then its groups.
func (p *parsed) elements(total int64) []protocol.Element {
	why := ""
	if p.fault != nil {
		why = p.fault.Error()
	}
	for _, f := range p.top {
		p.values[f.Name] = f.Value
	}
	var out []protocol.Element
	if k := sides[p.dir] + ".message"; p.c.wants(k) {
		fields := append(slices.Clip(p.top), protocol.Field{Name: "malformed", Value: p.fault != nil, Span: none},
			protocol.Field{Name: "fault", Value: why, Span: none}, protocol.Field{Name: "size", Value: total, Span: none},
			protocol.Field{Name: "complete", Value: total == int64(len(p.b)), Span: none})
		out = append(out, protocol.Element{Kind: k, Span: protocol.Span{Start: 0, End: len(p.b)}, Fields: fields})
	}
	for _, g := range p.groups {
		if p.c.wants(g.Kind) {
			out = append(out, g)
		}
	}
	return out
}
