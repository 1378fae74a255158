package described

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// binary is the Codec of one session, or flow, of a protocol of binary messages.
type binary struct {
	d     *Description
	wants func(kind string) bool
}

// sides are the beginnings of the elements' names, by direction.
var sides = [2]string{session.ToServer: "client", session.ToClient: "server"}

func (c *binary) layout(dir session.Direction) *Layout {
	if dir == session.ToClient {
		return &c.d.Binary.Server
	}
	return &c.d.Binary.Client
}

// asked is what is kept of a message of the client for the rules on its answer.
type asked map[string]any

// kept is what may be kept of it until the answer comes.
func (a asked) kept() asked {
	out := make(asked, len(a))
	for k, v := range a {
		if s, ok := v.(string); ok {
			v = dialogue.Kept(s)
		}
		out[k] = v
	}
	return out
}

// Next implements dialogue.Codec.
func (c *binary) Next(dir session.Direction, data []byte, _ bool, oldest any) dialogue.Step {
	l := c.layout(dir)
	total := int64(len(data))
	if l.Length != "" {
		var ok bool
		if total, ok = l.total(data); !ok {
			return dialogue.Step{}
		}
	}
	shown := total
	if total > int64(c.d.Max) {
		if last := l.Fields[len(l.Fields)-1]; !last.Rest || last.Group != nil {
			return dialogue.Step{Verb: dialogue.Fault, Why: "a message is longer than the limit"}
		}
		shown = int64(c.d.Max)
	}
	switch {
	case total <= 0 || total < int64(l.header()):
		return dialogue.Step{Verb: dialogue.Fault, Why: "a message is shorter than what every one has"}
	case int64(len(data)) < shown:
		return dialogue.Step{}
	}
	p := &parsed{c: c, dir: dir, b: data[:shown], numbers: map[string]number{}, values: asked{}}
	p.fields(l.Fields, &p.top)
	if p.fault == nil && p.at < len(p.b) {
		p.fault = errors.New("octets behind the last field")
	}
	s := dialogue.Step{Verb: dialogue.Message, Size: int(shown), Rest: total - shown, Silent: !c.d.Binary.Ordered, Ends: c.d.Binary.Ordered}
	s.Elements, s.Lengths = p.elements(total), p.allLengths(l)
	values := p.values
	if dir == session.ToServer {
		s.Tag = values.kept()
	} else {
		values, _ = oldest.(asked)
	}
	s.Lookup = func(name string) (any, bool) {
		const prefix = "request."
		if len(name) < len(prefix) || name[:len(prefix)] != prefix || values == nil {
			return nil, false
		}
		v, ok := values[name[len(prefix):]]
		return v, ok
	}
	return s
}

// header is how many octets stand in front of the end of the length.
func (l *Layout) header() int {
	n := 0
	for _, f := range l.Fields {
		n += f.Number + f.Size
		if f.Name == l.Length {
			return n
		}
	}
	return 0
}

// total reads how long the message is; false: its length has not come.
func (l *Layout) total(data []byte) (int64, bool) {
	at := 0
	for _, f := range l.Fields { // all in front of it have a fixed size
		if f.Name == l.Length {
			if len(data) < at+f.Number {
				return 0, false
			}
			n, ok := f.read(data[at : at+f.Number])
			if !ok {
				return -1, true
			}
			return n + int64(l.Plus), true
		}
		at += f.Number + f.Size
	}
	return -1, true
}

// read reads a number; false when it is too large for us.
func (f *Field) read(b []byte) (int64, bool) {
	var n uint64
	for i := range b {
		c := b[i]
		if f.Little {
			c = b[len(b)-1-i]
		}
		n = n<<8 | uint64(c)
	}
	return int64(n), n < 1<<62
}

// write writes a number.
func (f *Field) write(n int64) ([]byte, error) {
	if n < 0 || f.Number < 8 && n>>(8*f.Number) != 0 {
		return nil, fmt.Errorf("%d does not fit the %d octets of %s", n, f.Number, f.Name)
	}
	b := make([]byte, f.Number)
	for i := range b {
		at := len(b) - 1 - i
		if f.Little {
			at = i
		}
		b[at], n = byte(n), n>>8
	}
	return b, nil
}

// Decided implements dialogue.Codec.
func (c *binary) Decided(session.Direction, *dialogue.Step, bool) {}

// Encode implements dialogue.Codec.
func (c *binary) Encode(e *protocol.Element, field, value string) ([]byte, error) {
	f := c.find(e.Kind, field)
	if f == nil {
		return nil, fmt.Errorf("%s of %s cannot be written", field, e.Kind)
	}
	if f.Number == 0 {
		return f.text(value)
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no number", field, value)
	}
	if was, ok := e.Field(field).Value.(int64); ok {
		for _, other := range c.beside(e.Kind) {
			if other.When == field && slices.Contains(other.Among, was) != slices.Contains(other.Among, n) {
				return nil, fmt.Errorf("%s: with %d the message would have other fields (%s)", field, n, other.Name)
			}
		}
	}
	return f.write(n)
}

// text writes a text.
func (f *Field) text(value string) ([]byte, error) {
	switch {
	case f.Size > 0 && len(value) != f.Size:
		return nil, fmt.Errorf("%s has %d octets, not %d", f.Name, f.Size, len(value))
	case f.Until != nil && bytes.IndexByte([]byte(value), *f.Until) >= 0:
		return nil, fmt.Errorf("%s cannot hold the octet that ends it", f.Name)
	}
	return []byte(value), nil
}

// find returns the description of a field of an element.
func (c *binary) find(kind, name string) *Field {
	fields := c.beside(kind)
	for i := range fields {
		if fields[i].Name == name && fields[i].Group == nil {
			return &fields[i]
		}
	}
	return nil
}

// beside returns the fields that an element is made of, groups among them.
func (c *binary) beside(kind string) []Field {
	for dir, side := range sides {
		fields := c.layout(session.Direction(dir)).Fields
		if kind == side+".message" {
			return fields
		}
		for i := range fields {
			if g := &fields[i]; kind == side+"."+g.Name && g.Group != nil {
				return g.Group
			}
		}
	}
	return nil
}

// Build implements dialogue.Codec: the fields of a group, in their order.
func (c *binary) Build(like *protocol.Element, fields [][2]string) ([]byte, error) {
	given := map[string]string{}
	for _, f := range fields {
		given[f[0]] = f[1]
	}
	var out []byte
	for i := range like.Fields {
		f := c.find(like.Kind, like.Fields[i].Name)
		if f == nil {
			return nil, errInsert(like.Kind)
		}
		if f.When != "" {
			return nil, fmt.Errorf("no %s can be inserted, for whether it has %s depends on %s", like.Kind, f.Name, f.When)
		}
		var b []byte
		var err error
		if of := c.sized(like, f.Name); of != nil { // the size of a text
			b, err = f.write(int64(len(given[of.Name]) - of.Plus))
		} else if f.Number > 0 {
			n, bad := strconv.ParseInt("0"+given[f.Name], 10, 64)
			if bad != nil {
				return nil, fmt.Errorf("%s: %q is no number", f.Name, given[f.Name])
			}
			b, err = f.write(n)
		} else if b, err = f.text(given[f.Name]); err == nil && f.Until != nil {
			b = append(b, *f.Until)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// sized returns the text of the element whose size a number says.
func (c *binary) sized(e *protocol.Element, number string) *Field {
	for i := range e.Fields {
		if f := c.find(e.Kind, e.Fields[i].Name); f != nil && f.SizeOf == number {
			return f
		}
	}
	return nil
}

// Reply implements dialogue.Codec.
func (c *binary) Reply(r *protocol.Reply) ([]byte, string) { return noReply(r) }
