// Package mssql decodes the messages of the SQL Server Resolution Service (UDP
// 1434, MC-SQLR): a client asks for the instances of SQL Server on a host, or
// for the ports of one. It reads every message: what is no known one has a type
// and data.
package mssql

import (
	"bytes"
	"encoding/binary"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Name is the protocol's name in settings and definitions.
const Name = "mssql-resolution"

// Types of messages (MC-SQLR 2.2).
const (
	askInstance = 0x04 // an instance's name follows
	askDAC      = 0x0f // a version, then an instance's name
	answer      = 0x05 // a length, then text
)

var kinds = [2]string{session.ToServer: "request", session.ToClient: "response"}

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
	d.view = protocol.Message{Protocol: Name, Lookup: d.ends.Lookup, Memory: &d.memory}
	return d
}

// Datagram implements session.DatagramInspector.
func (d *Decoder) Datagram(dir session.Direction, payload []byte) session.DatagramVerdict {
	if len(payload) == 0 || !d.rules.Wants(kinds[dir]) {
		return session.DatagramVerdict{}
	}
	m := &d.view
	m.Dir, m.Data, m.Elements = dir, payload, []protocol.Element{element(dir, payload)}
	o := whole.Decide(d.rules, m, codec{})
	return o.Datagram(m)
}

func element(dir session.Direction, b []byte) protocol.Element {
	e := protocol.Element{Kind: kinds[dir], Span: protocol.Span{Start: 0, End: len(b)}, Fields: []protocol.Field{
		whole.Int("type", b[0]), whole.Int("size", len(b)), whole.Text("data", string(b[1:]), 1, len(b)),
	}}
	if dir == session.ToClient {
		length := -1
		if b[0] == answer && len(b) >= 3 {
			length = int(binary.LittleEndian.Uint16(b[1:]))
		}
		e.Fields = append(e.Fields, whole.Int("length", length))
		return e
	}
	at := 1
	if b[0] == askDAC {
		at = min(2, len(b))
	}
	if b[0] != askInstance && b[0] != askDAC {
		at = len(b)
	}
	name := b[at:]
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	e.Fields = append(e.Fields, whole.Text("instance", string(name), at, at+len(name)))
	return e
}

// codec writes corrections; nothing within a message depends on another part.
type codec struct{}

// Set implements whole.Codec.
func (codec) Set(_ *protocol.Message, e *protocol.Element, field, value string) ([]session.Edit, string) {
	if field == "instance" && bytes.IndexByte([]byte(value), 0) >= 0 {
		return nil, "not done: a name cannot hold a zero octet"
	}
	s := e.Field(field).Span
	return []session.Edit{{Start: s.Start, End: s.End, With: []byte(value)}}, ""
}

// Remove implements whole.Codec.
func (codec) Remove(*protocol.Message, *protocol.Element) ([]session.Edit, string) {
	return nil, "not done: the element is the whole message; drop it"
}

// Finish implements whole.Codec.
func (codec) Finish(_ *protocol.Message, edits []session.Edit, _ []int) ([]session.Edit, string) {
	return edits, ""
}

// Schema documents the elements and variables that a Decoder publishes.
func Schema() protocol.Schema {
	typ := protocol.FieldType{Type: protocol.Int, Doc: "first octet of the message: 2 and 3 ask for all instances, 4 for one, 15 for its administrator's port; 5 is an answer"}
	size := protocol.FieldType{Type: protocol.Int, Doc: "octets of the message"}
	data := protocol.FieldType{Type: protocol.String, Doc: "what follows the type", Settable: true}
	return protocol.Schema{Protocol: Name, Vars: whole.Vars(map[string]protocol.Var{}), Elements: map[string]protocol.ElementType{
		"request": {Doc: "a client's message", Dir: session.ToServer, Fields: whole.Fields{"type": typ, "size": size, "data": data,
			"instance": {Type: protocol.String, Doc: "name of the instance, to the first zero octet or the end; empty for messages without", Settable: true}}},
		"response": {Doc: "a server's message", Dir: session.ToClient, Fields: whole.Fields{"type": typ, "size": size, "data": data,
			"length": {Type: protocol.Int, Doc: "length of the text as the answer says, -1 for messages without"}}},
	}}
}
