// Package tftp decodes TFTP packets (RFC 1350, RFC 2347). A server answers a
// request from a port of its own choice, so that only the requests, and what a
// server sends from its well-known port, are datagrams of the service; transfers
// cross without it. Requests whose fields do not end with a zero octet, or
// do not pair up, cannot be read.
package tftp

import (
	"bytes"
	"encoding/binary"
	"errors"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Operations (RFC 1350, 5; RFC 2347).
const (
	read = iota + 1
	write
	data
	ack
	failure
	optionsAck
)

var kinds = [2]struct{ packet, option string }{
	session.ToServer: {"client.packet", "request.option"}, session.ToClient: {"server.packet", "reply.option"},
}

// Decoder is the session.DatagramInspector of one flow.
type Decoder struct {
	rules  protocol.Rules
	ends   whole.Ends
	memory protocol.Memory
	view   protocol.Message
}

var _ session.DatagramInspector = (*Decoder)(nil)

// New makes the decoder of one flow.
func New(rules protocol.Rules, conn protocol.Conn, o whole.Options) *Decoder {
	d := &Decoder{rules: rules, ends: whole.Ends{Conn: conn, Clock: o.Clock}}
	d.view = protocol.Message{Protocol: "tftp", Lookup: d.ends.Lookup, Memory: &d.memory}
	return d
}

// Datagram implements session.DatagramInspector.
func (d *Decoder) Datagram(dir session.Direction, payload []byte) session.DatagramVerdict {
	k := kinds[dir]
	if !whole.WantsAny(d.rules, k.packet, k.option, "request") {
		return session.DatagramVerdict{}
	}
	elements, err := parse(dir, payload)
	if err != nil {
		return session.DatagramVerdict{Undecodable: err.Error()}
	}
	m := &d.view
	m.Dir, m.Data, m.Elements = dir, payload, nil
	for _, e := range elements {
		if d.rules.Wants(e.Kind) {
			m.Elements = append(m.Elements, e)
		}
	}
	o := whole.Decide(d.rules, m, codec{})
	return o.Datagram(m)
}

var (
	errShort = errors.New("TFTP packet ends too early")
	errPairs = errors.New("TFTP option without a value")
	errKind  = errors.New("TFTP packet of an unknown operation")
)

// parse reads a packet. The first element is the packet itself.
func parse(dir session.Direction, b []byte) ([]protocol.Element, error) {
	if len(b) < 2 {
		return nil, errShort
	}
	op := binary.BigEndian.Uint16(b)
	block, code, text := -1, -1, protocol.Span{Start: len(b), End: len(b)}
	var more []protocol.Element
	switch op {
	case read, write:
		if dir == session.ToClient {
			return nil, errKind
		}
		fields, err := texts(b, 2)
		if err != nil || len(fields) < 2 {
			return nil, errShort
		}
		more = append(more, request(b, op, fields))
		if more, err = options(more, kinds[dir].option, b, fields[2:]); err != nil {
			return nil, err
		}
	case optionsAck:
		fields, err := texts(b, 2)
		if err != nil {
			return nil, err
		}
		if more, err = options(nil, kinds[dir].option, b, fields); err != nil {
			return nil, err
		}
	case data, ack, failure:
		if len(b) < 4 {
			return nil, errShort
		}
		if op == failure {
			code, text.Start = int(binary.BigEndian.Uint16(b[2:])), 4
			if i := bytes.IndexByte(b[4:], 0); i >= 0 { // some leave it out
				text.End = 4 + i
			}
		} else {
			block = int(binary.BigEndian.Uint16(b[2:]))
		}
	default:
		return nil, errKind
	}
	packet := protocol.Element{Kind: kinds[dir].packet, Span: protocol.Span{Start: 0, End: len(b)}, Fields: []protocol.Field{
		whole.Int("operation", op), whole.Int("size", len(b)), whole.Int("block", block), whole.Int("code", code),
		whole.Text("message", string(b[text.Start:text.End]), text.Start, text.End),
	}}
	return append([]protocol.Element{packet}, more...), nil
}

// texts cuts what follows offset at into texts that end with a zero octet.
func texts(b []byte, at int) ([]protocol.Span, error) {
	var out []protocol.Span
	for at < len(b) {
		n := bytes.IndexByte(b[at:], 0)
		if n < 0 {
			return nil, errShort
		}
		out = append(out, protocol.Span{Start: at, End: at + n})
		at += n + 1
	}
	return out, nil
}

func request(b []byte, op uint16, fields []protocol.Span) protocol.Element {
	name, mode := fields[0], fields[1]
	return protocol.Element{Kind: "request", Span: protocol.Span{Start: 0, End: len(b)}, Fields: []protocol.Field{
		whole.Int("operation", op),
		whole.Text("filename", string(b[name.Start:name.End]), name.Start, name.End),
		whole.Text("mode", string(bytes.ToLower(b[mode.Start:mode.End])), mode.Start, mode.End),
		whole.Int("options", len(fields[2:])/2),
	}}
}

func options(out []protocol.Element, kind string, b []byte, fields []protocol.Span) ([]protocol.Element, error) {
	if len(fields)%2 != 0 {
		return nil, errPairs
	}
	for i := 0; i < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		out = append(out, protocol.Element{Kind: kind, Span: protocol.Span{Start: name.Start, End: value.End + 1}, Fields: []protocol.Field{
			whole.Text("name", string(bytes.ToLower(b[name.Start:name.End])), name.Start, name.End),
			whole.Text("value", string(b[value.Start:value.End]), value.Start, value.End),
		}})
	}
	return out, nil
}

// codec writes corrections: texts and their zero octets.
type codec struct{}

// Set implements whole.Codec.
func (codec) Set(_ *protocol.Message, e *protocol.Element, field, value string) ([]session.Edit, string) {
	if bytes.IndexByte([]byte(value), 0) >= 0 {
		return nil, "not done: a text of TFTP cannot hold a zero octet"
	}
	s := e.Field(field).Span
	return []session.Edit{{Start: s.Start, End: s.End, With: []byte(value)}}, ""
}

// Remove implements whole.Codec.
func (codec) Remove(_ *protocol.Message, e *protocol.Element) ([]session.Edit, string) {
	if e.Span.Start == 0 {
		return nil, "not done: the element is the whole packet; drop or reject it"
	}
	return []session.Edit{{Start: e.Span.Start, End: e.Span.End}}, ""
}

// Finish implements whole.Codec.
func (codec) Finish(_ *protocol.Message, edits []session.Edit, _ []int) ([]session.Edit, string) {
	return edits, ""
}

// Schema documents the elements and variables that a Decoder publishes.
func Schema() protocol.Schema {
	operation := protocol.FieldType{Type: protocol.Int, Doc: "1 read, 2 write, 3 data, 4 acknowledgement, 5 error, 6 acknowledgement of options"}
	packet := whole.Fields{
		"operation": operation,
		"size":      {Type: protocol.Int, Doc: "octets of the packet"},
		"block":     {Type: protocol.Int, Doc: "number of the block, -1 for packets without"},
		"code":      {Type: protocol.Int, Doc: "error code, -1 for packets without"},
		"message":   {Type: protocol.String, Doc: "text of an error"},
	}
	option := whole.Fields{
		"name":  {Type: protocol.String, Doc: "in lower case", Settable: true},
		"value": {Type: protocol.String, Doc: "as it came", Settable: true},
	}
	return protocol.Schema{Protocol: "tftp", Vars: whole.Vars(map[string]protocol.Var{}), Elements: map[string]protocol.ElementType{
		"client.packet": {Doc: "any packet to the server's port", Dir: session.ToServer, Fields: packet},
		"server.packet": {Doc: "any packet from it", Dir: session.ToClient, Fields: packet},
		"request": {Doc: "a request to read or write a file", Dir: session.ToServer, Fields: whole.Fields{
			"operation": operation,
			"filename":  {Type: protocol.String, Doc: "as it came", Settable: true},
			"mode":      {Type: protocol.String, Doc: "in lower case", Settable: true},
			"options":   {Type: protocol.Int, Doc: "their number"},
		}},
		"request.option": {Doc: "one option of a request", Dir: session.ToServer, Fields: option},
		"reply.option":   {Doc: "one option that the server acknowledges", Dir: session.ToClient, Fields: option},
	}}
}
