package whole

import (
	"fmt"
	"strconv"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Fields are an element's fields as a schema has them.
type Fields = map[string]protocol.FieldType

// Vars adds to a schema's variables those that are the same for all protocols.
func Vars(own map[string]protocol.Var) map[string]protocol.Var {
	for name, v := range map[string]protocol.Var{
		"client.address": {Type: protocol.String, Doc: "address of the client"},
		"client.port":    {Type: protocol.Int, Doc: "port of the client"},
		"server.address": {Type: protocol.String, Doc: "address of the server"},
		"server.port":    {Type: protocol.Int, Doc: "port of the server"},
		"date":           {Type: protocol.String, Doc: "now, as HTTP writes it"},
	} {
		v.Dir = session.ToServer
		own[name] = v
	}
	return own
}

// Ends is what the variables of Vars are read from. The zero Clock is time.Now.
type Ends struct {
	Conn  protocol.Conn
	Clock func() time.Time
}

// Lookup resolves the variables of Vars.
func (e *Ends) Lookup(name string) (any, bool) {
	switch name {
	case "client.address":
		return e.Conn.ClientAddress, true
	case "client.port":
		return int64(e.Conn.ClientPort), true
	case "server.address":
		return e.Conn.ServerAddress, true
	case "server.port":
		return int64(e.Conn.ServerPort), true
	case "date":
		now := time.Now
		if e.Clock != nil {
			now = e.Clock
		}
		return now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), true
	}
	return nil, false
}

// Text is a text field.
func Text(name string, value string, start, end int) protocol.Field {
	return protocol.Field{Name: name, Value: value, Span: protocol.Span{Start: start, End: end}}
}

// Int is a numeric field without bytes of its own.
func Int[N int | uint8 | uint16 | uint32 | int64](name string, value N) protocol.Field {
	return protocol.Field{Name: name, Value: int64(value), Span: protocol.Span{Start: -1}}
}

// IntAt is a numeric field that stands at [start,end).
func IntAt[N int | uint8 | uint16 | uint32 | int64](name string, value N, start, end int) protocol.Field {
	return protocol.Field{Name: name, Value: int64(value), Span: protocol.Span{Start: start, End: end}}
}

// Bool is a field that is true or false.
func Bool(name string, value bool) protocol.Field {
	return protocol.Field{Name: name, Value: value, Span: protocol.Span{Start: -1}}
}

// SetInt returns the edit that writes value, in decimal, big-endian into the
// bytes of a field.
func SetInt(span protocol.Span, value string) ([]session.Edit, string) {
	size := span.End - span.Start
	n, err := strconv.ParseUint(value, 10, 8*size)
	if err != nil {
		return nil, fmt.Sprintf("not done: %q is no number of %d octets", value, size)
	}
	b := make([]byte, size)
	for i := range b {
		b[size-1-i] = byte(n >> (8 * i))
	}
	return []session.Edit{{Start: span.Start, End: span.End, With: b}}, ""
}

// Options are what every decoder of whole messages is to know beside its rules.
type Options struct {
	Exceed    string           // "" is ExceedReset: what becomes of a session that cannot be decoded
	MidStream bool             // the session was under way when we met it
	Clock     func() time.Time // nil is time.Now
}

// Passes says whether what cannot be decoded is to pass.
func (o Options) Passes() bool { return o.Exceed == protocol.ExceedPass }
