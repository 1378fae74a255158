// Package mqtt decodes MQTT 3.1, 3.1.1 and 5 (OASIS standards): every packet of
// both sides, with the fields of CONNECT, PUBLISH, SUBSCRIBE and UNSUBSCRIBE and
// the properties of version 5. It is a Codec of package dialogue. Payloads that
// are too long to be held pass behind the fields that rules have seen.
package mqtt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// New makes the decoder of one session. One that we meet in its middle is not
// read: where packets begin is not known, nor which version they are.
func New(rules protocol.Rules, conn protocol.Conn, o dialogue.Options) *dialogue.Decoder {
	if o.MaxMessage <= 0 {
		o.MaxMessage = 64 << 10
	}
	c := &codec{wants: rules.Wants, hold: func(string) int { return 0 }, midStream: o.MidStream, max: o.MaxMessage, version: 4}
	if h, ok := rules.(protocol.Holder); ok {
		c.hold = h.Hold
	}
	return dialogue.New("mqtt", c, rules, conn, o)
}

// front is how much of a PUBLISH is held where no rule asks for more: within a
// sender's first window, so that it need not be told to go on.
const front = 8 << 10

// codec is the dialogue.Codec.
type codec struct {
	wants     func(kind string) bool
	hold      func(kind string) int
	midStream bool
	max       int
	version   byte // of the session, as CONNECT says it: 3, 4, 5
	client    string
}

// types are the packets by number (version 5, section 2.1.2).
var types = [16]string{
	"reserved", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp",
	"subscribe", "suback", "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth",
}

// kinds are the elements' names by direction.
var kinds = [2]struct{ packet, publish, property string }{
	session.ToServer: {"client.packet", "client.publish", "client.property"},
	session.ToClient: {"server.packet", "server.publish", "server.property"},
}

// Next implements dialogue.Codec.
func (c *codec) Next(dir session.Direction, data []byte, _ bool, _ any) dialogue.Step {
	if c.midStream {
		return dialogue.Step{Verb: dialogue.Forever}
	}
	size, n, err := header(data)
	switch {
	case err != nil:
		return dialogue.Step{Verb: dialogue.Fault, Why: err.Error()}
	case n == 0:
		return dialogue.Step{}
	}
	total := n + size
	shown := total
	if publish := data[0]>>4 == 3; publish {
		fields, ok := c.fields(data, n)
		if !ok {
			return dialogue.Step{} // more must come
		}
		if fields = min(fields, total); fields > c.max+maxFields {
			return dialogue.Step{Verb: dialogue.Fault, Why: "the fields of a packet are longer than the limit"}
		}
		shown = max(fields, min(total, c.max, max(front, c.hold(kinds[dir].publish))))
	} else if total > c.max {
		return dialogue.Step{Verb: dialogue.Fault, Why: "a packet is longer than the limit"}
	}
	if len(data) < shown {
		return dialogue.Step{}
	}
	p := &packet{codec: c, dir: dir, b: data[:shown], start: n, at: n, long: shown < total}
	p.lengths = append(p.lengths, dialogue.Length{
		Span: protocol.Span{Start: 1, End: n}, Value: int64(size),
		Covers: protocol.Span{Start: n, End: shown}, All: true, Encode: varint,
	})
	p.read()
	s := dialogue.Step{Verb: dialogue.Message, Size: shown, Rest: int64(total - shown), Silent: true,
		Elements: p.elements(size), Lengths: p.innerFirst(), Lookup: c.lookup, Tag: p.connect, Doubt: p.doubt()}
	return s
}

// maxFields is what a topic as long as it can be takes beside the limit.
const maxFields = 16

// fields is how far the fields of a PUBLISH reach that stand in front of its
// payload, which are shown whole, however long: what a rule on the topic does not
// see, the server does. false: too little of it is there to tell. n is the size of
// the fixed header.
func (c *codec) fields(data []byte, n int) (end int, ok bool) {
	size, _, _ := header(data)
	total := n + size
	if size < 2 || len(data) < n+2 {
		return total, size < 2
	}
	if end = n + 2 + int(data[n])<<8 + int(data[n+1]); data[0]&6 != 0 {
		end += 2
	}
	if c.version != 5 || end >= total || end > c.max+maxFields {
		return end, true
	}
	length := 0
	for i := range 4 {
		if end+i >= total {
			return total, true
		}
		if end+i >= len(data) {
			return 0, false
		}
		d := int(data[end+i])
		if length |= d & 0x7f << (7 * i); d < 0x80 {
			return end + i + 1 + length, true
		}
	}
	return end + 4, true // a number that cannot be
}

// lookup resolves the variables of the session.
func (c *codec) lookup(name string) (any, bool) {
	switch name {
	case "mqtt.version":
		return int64(c.version), true
	case "mqtt.client_id":
		return c.client, true
	}
	return nil, false
}

// header reads the remaining length: n is the size of the fixed header, 0 when
// more bytes must come.
func header(data []byte) (size, n int, err error) {
	for i := 1; i < len(data) && i <= 4; i++ {
		size |= int(data[i]&0x7f) << (7 * (i - 1))
		if data[i] < 0x80 {
			return size, i + 1, nil
		}
	}
	if len(data) > 4 {
		return 0, 0, errors.New("a remaining length of more than four bytes")
	}
	return 0, 0, nil
}

// varint writes a variable byte integer.
func varint(n int64) ([]byte, error) {
	if n < 0 || n > 268_435_455 {
		return nil, errors.New("more than MQTT can say")
	}
	var b []byte
	for {
		d := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			b = append(b, d|0x80)
			continue
		}
		return append(b, d), nil
	}
}

// uint16Length writes the length of a string.
func uint16Length(n int64) ([]byte, error) {
	if n < 0 || n > 0xffff {
		return nil, errors.New("a string has at most 65535 octets")
	}
	return []byte{byte(n >> 8), byte(n)}, nil
}

// Decided implements dialogue.Codec.
func (c *codec) Decided(dir session.Direction, s *dialogue.Step, forwarded bool) {
	if seen, ok := s.Tag.(*connect); ok && seen != nil && forwarded && dir == session.ToServer {
		c.version, c.client = seen.version, seen.client
	}
}

// Encode implements dialogue.Codec.
func (c *codec) Encode(e *protocol.Element, field, value string) ([]byte, error) {
	f := e.Field(field)
	if field == "flags" && e.Field("type") != nil {
		n, err := strconv.ParseUint(value, 10, 4)
		if err != nil {
			return nil, fmt.Errorf("flags: %q is no number from 0 to 15", value)
		}
		kind, _ := e.Field("type").Value.(string)
		return []byte{byte(slices.Index(types[:], kind))<<4 | byte(n)}, nil
	}
	switch f.Value.(type) {
	case int64:
		n, err := strconv.ParseUint(value, 10, 32)
		width := f.Span.End - f.Span.Start
		if err != nil || width < 8 && n>>(8*width) != 0 {
			return nil, fmt.Errorf("%s: %q does not fit %d octets", field, value, width)
		}
		b := make([]byte, width)
		for i := width - 1; i >= 0; i-- {
			b[i], n = byte(n), n>>8
		}
		return b, nil
	case string:
		if len(value) > 0xffff && field != "payload" {
			return nil, fmt.Errorf("%s has %d octets; at most 65535 are possible", field, len(value))
		}
		return []byte(value), nil
	}
	return nil, fmt.Errorf("%s cannot be written", field)
}

// Build implements dialogue.Codec.
func (c *codec) Build(like *protocol.Element, fields [][2]string) ([]byte, error) {
	if like.Kind != "client.filter" {
		return nil, fmt.Errorf("no %s can be inserted", like.Kind)
	}
	topic, options := "", byte(0)
	for _, f := range fields {
		switch f[0] {
		case "topic":
			topic = f[1]
		case "options":
			n, err := strconv.ParseUint(f[1], 10, 8)
			if err != nil {
				return nil, fmt.Errorf("options: %q is no octet", f[1])
			}
			options = byte(n)
		}
	}
	b, err := uint16Length(int64(len(topic)))
	if err != nil {
		return nil, err
	}
	b = append(b, topic...)
	if f := like.Field("unsubscribe"); f.Value != true {
		b = append(b, options)
	}
	return b, nil
}

// Reply implements dialogue.Codec.
func (c *codec) Reply(r *protocol.Reply) (reply []byte, note string) {
	if r.Raw == "" && !r.Close {
		return nil, "nothing sent: an MQTT reply must be given as raw"
	}
	return []byte(r.Raw), ""
}
