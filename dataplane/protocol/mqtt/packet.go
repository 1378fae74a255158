package mqtt

import (
	"errors"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// packet is one packet while it is read. What has been read before a fault is
// published all the same, for some servers go on with it.
type packet struct {
	codec   *codec
	dir     session.Direction
	b       []byte
	start   int // where the body begins
	at      int
	long    bool // the payload goes on behind b
	found   []protocol.Element
	lengths []dialogue.Length // outer ones first
	id      int64
	fault   error
	unread  bool // the fault is in the properties
	connect *connect
	version byte
}

// connect is what is kept of a CONNECT.
type connect struct {
	version byte
	client  string
}

var none = protocol.Span{Start: -1, End: -1}

// What is wrong with a packet that ends too early.
var (
	errNumber = errors.New("a number reaches beyond the packet")
	errText   = errors.New("a text reaches beyond the packet")
)

// read reads the packet behind its fixed header.
func (p *packet) read() {
	p.version = p.codec.version
	kind := p.b[0] >> 4
	switch kind {
	case 1:
		p.readConnect()
	case 3:
		p.readPublish()
	case 8, 10:
		p.id = p.number(2).value
		p.properties(false)
		p.filters(kind == 10)
	case 2:
		p.number(2)
		p.properties(false)
	case 4, 5, 6, 7:
		if p.id = p.number(2).value; p.version == 5 && p.at < len(p.b) {
			p.number(1)
			p.optionalProperties()
		}
	case 9, 11:
		p.id = p.number(2).value
		if p.properties(false); p.fault == nil {
			p.at = len(p.b) // reason codes
		}
	case 14, 15:
		if p.version == 5 && p.at < len(p.b) {
			p.number(1)
			p.optionalProperties()
		}
	case 0:
		p.fault = errors.New("a reserved packet type")
	}
	if p.fault == nil && p.at < len(p.b) {
		p.fault = errors.New("bytes behind the last field")
	}
}

// doubt is why a packet of the client cannot be judged: where the fields behind
// properties out of form begin, servers read differently (some go by the length in
// front of them, others by the properties), and rules ask for those fields.
func (p *packet) doubt() string {
	behind := map[byte]string{1: "client.connect", 3: "client.publish", 8: "client.filter", 10: "client.filter"}[p.b[0]>>4]
	if !p.unread || p.dir != session.ToServer || behind == "" || !p.codec.wants(behind) {
		return ""
	}
	return "properties out of form, behind which servers read differently: " + p.fault.Error()
}

// number is a value of so many bytes with its place.
type number struct {
	value int64
	span  protocol.Span
}

func (p *packet) number(size int) number {
	if p.fault != nil || len(p.b)-p.at < size {
		p.fail(errNumber)
		return number{span: none}
	}
	n := number{span: protocol.Span{Start: p.at, End: p.at + size}}
	for _, c := range p.b[p.at : p.at+size] {
		n.value = n.value<<8 | int64(c)
	}
	p.at += size
	return n
}

func (p *packet) fail(err error) {
	if p.fault == nil {
		p.fault = err
	}
}

// text reads a string or binary data with its length in front, and notes that
// length.
func (p *packet) text() (string, protocol.Span) {
	if p.fault == nil && len(p.b)-p.at < 2 {
		p.fail(errText)
	}
	l := p.number(2)
	if p.fault != nil || int64(len(p.b)-p.at) < l.value {
		p.fail(errText)
		return "", none
	}
	span := protocol.Span{Start: p.at, End: p.at + int(l.value)}
	p.lengths = append(p.lengths, dialogue.Length{Span: l.span, Value: l.value, Covers: span, Field: true, Encode: uint16Length})
	p.at = span.End
	return string(p.b[span.Start:span.End]), span
}

func field(name string, value any, span protocol.Span) protocol.Field {
	return protocol.Field{Name: name, Value: value, Span: span}
}

// add publishes an element that began at from.
func (p *packet) add(kind string, from int, fields ...protocol.Field) {
	if p.codec.wants(kind) {
		p.found = append(p.found, protocol.Element{Kind: kind, Span: protocol.Span{Start: from, End: p.at}, Fields: fields})
	}
}

func (p *packet) readConnect() {
	from := p.at
	name, nameSpan := p.text()
	version := p.number(1)
	flags := p.number(1)
	keepAlive := p.number(2)
	if p.fault == nil {
		p.version = byte(version.value) & 0x7f // the high bit marks a bridge
	}
	p.properties(false)
	client, clientSpan := p.text()
	fields := []protocol.Field{
		field("protocol", name, nameSpan), field("version", version.value, version.span), field("flags", flags.value, flags.span),
		field("clean", flags.value&2 != 0, none), field("keep_alive", keepAlive.value, keepAlive.span), field("client_id", client, clientSpan),
	}
	optional := func(topic string, present bool) {
		value, span := "", none
		if present && p.fault == nil {
			value, span = p.text()
		}
		fields = append(fields, field(topic, value, span))
	}
	will := flags.value&4 != 0
	if will {
		p.properties(true)
	}
	optional("will_topic", will)
	optional("will_message", will)
	optional("username", flags.value&0x80 != 0)
	optional("password", flags.value&0x40 != 0)
	p.connect = &connect{p.version, client}
	if p.dir == session.ToServer {
		p.add("client.connect", from, fields...)
	}
}

func (p *packet) readPublish() {
	from, flags := p.at, p.b[0]
	topic, topicSpan := p.text()
	id := number{span: none}
	if flags&6 != 0 {
		id = p.number(2)
		p.id = id.value
	}
	p.properties(false)
	payload := protocol.Span{Start: p.at, End: len(p.b)}
	if p.fault != nil {
		payload = protocol.Span{Start: len(p.b), End: len(p.b)}
	}
	p.at = len(p.b)
	p.add(kinds[p.dir].publish, from,
		field("topic", topic, topicSpan), field("payload", string(p.b[payload.Start:payload.End]), payload),
		field("qos", int64(flags>>1&3), none), field("retain", flags&1 != 0, none), field("dup", flags&8 != 0, none),
		field("packet_id", id.value, id.span), field("complete", !p.long, none))
}

func (p *packet) filters(unsubscribe bool) {
	for p.fault == nil && p.at < len(p.b) {
		from := p.at
		topic, span := p.text()
		options := number{span: none}
		if !unsubscribe {
			options = p.number(1)
		}
		if p.dir == session.ToServer && span != none {
			p.add("client.filter", from, field("topic", topic, span), field("options", options.value, options.span),
				field("qos", options.value&3, none), field("unsubscribe", unsubscribe, none))
		}
	}
}

// innerFirst turns the lengths round: they were noted from the outside in.
func (p *packet) innerFirst() []dialogue.Length {
	out := make([]dialogue.Length, 0, len(p.lengths))
	for i := len(p.lengths) - 1; i >= 0; i-- {
		out = append(out, p.lengths[i])
	}
	return out
}

// elements returns what was found, the packet itself first.
func (p *packet) elements(size int) []protocol.Element {
	k := kinds[p.dir].packet
	if !p.codec.wants(k) {
		return p.found
	}
	why := ""
	if p.fault != nil {
		why = p.fault.Error()
	}
	body := protocol.Span{Start: p.start, End: len(p.b)}
	e := protocol.Element{Kind: k, Span: protocol.Span{Start: 0, End: len(p.b)}, Fields: []protocol.Field{
		field("type", types[p.b[0]>>4], none), field("flags", int64(p.b[0]&15), protocol.Span{Start: 0, End: 1}), field("size", int64(size), none),
		field("packet_id", p.id, none), field("malformed", p.fault != nil, none), field("fault", why, none),
		field("body", string(p.b[body.Start:body.End]), body),
	}}
	return append([]protocol.Element{e}, p.found...)
}
