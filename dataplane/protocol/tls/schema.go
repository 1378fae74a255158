package tls

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/hello"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// names are those of a direction's elements.
var names = [2]struct {
	record, handshake, alert, heartbeat string
	all                                 []string
}{
	session.ToServer: {"client.record", "client.handshake", "client.alert", "client.heartbeat", []string{"client.record", "client.handshake", "client.alert", "client.heartbeat"}},
	session.ToClient: {"server.record", "server.handshake", "server.alert", "server.heartbeat", []string{"server.record", "server.handshake", "server.alert", "server.heartbeat"}},
}

// codec takes records out of the stream. What both ends authenticate in the end,
// hellos and other messages of the handshake, cannot be changed between them.
type codec struct{ encrypted bool }

// Set implements whole.Codec.
func (codec) Set(*protocol.Message, *protocol.Element, string, string) ([]session.Edit, string) {
	return nil, "not done: both ends authenticate what was sent"
}

// Remove implements whole.Codec.
func (c codec) Remove(m *protocol.Message, e *protocol.Element) ([]session.Edit, string) {
	n := &names[m.Dir]
	switch {
	case c.encrypted:
		return nil, "not done: the records that follow could not be decrypted; reset the session"
	case e.Kind == n.record || e.Kind == n.alert || e.Kind == n.heartbeat:
		return []session.Edit{{Start: e.Span.Start, End: e.Span.End}}, ""
	}
	return nil, "not done: both ends authenticate the handshake"
}

// Finish implements whole.Codec.
func (codec) Finish(_ *protocol.Message, edits []session.Edit, _ []int) ([]session.Edit, string) {
	return edits, ""
}

// Schema documents the elements and variables that a Decoder publishes.
func Schema() protocol.Schema {
	s := protocol.Schema{Protocol: "tls", Elements: hello.Types(), Vars: whole.Vars(map[string]protocol.Var{
		"tls.server_name": {Type: protocol.String, Dir: session.ToServer, Doc: "host name that the client has asked for (SNI); empty when it has not, or not yet"},
		"tls.version":     {Type: protocol.Int, Dir: session.ToClient, Doc: "version that the server has chosen; 0 when it has not yet"},
	})}
	for dir := range names {
		n, d := &names[dir], session.Direction(dir)
		s.Elements[n.record] = protocol.ElementType{Doc: "one record; a rule about it has the whole session inspected", Dir: d, Fields: whole.Fields{
			"type":      {Type: protocol.Int, Doc: "20 change cipher spec, 21 alert, 22 handshake, 23 application data, 24 heartbeat"},
			"version":   {Type: protocol.Int, Doc: "version, for instance 0x0303"},
			"length":    {Type: protocol.Int, Doc: "octets of its content"},
			"encrypted": {Type: protocol.Bool, Doc: "its sender has begun to encrypt"},
		}}
		s.Elements[n.handshake] = protocol.ElementType{Doc: "one handshake message, before encryption", Dir: d, Fields: whole.Fields{
			"type":   {Type: protocol.Int, Doc: "1 ClientHello, 2 ServerHello, 11 Certificate, …"},
			"length": {Type: protocol.Int, Doc: "octets of it, as its header says"},
		}}
		s.Elements[n.alert] = protocol.ElementType{Doc: "one alert, before encryption", Dir: d, Fields: whole.Fields{
			"level":       {Type: protocol.Int, Doc: "1 warning, 2 fatal"},
			"description": {Type: protocol.Int, Doc: "number of the alert"},
		}}
		s.Elements[n.heartbeat] = protocol.ElementType{Doc: "one heartbeat record", Dir: d, Fields: whole.Fields{
			"type":           {Type: protocol.Int, Doc: "1 request, 2 response; -1 when it is encrypted or too short"},
			"payload_length": {Type: protocol.Int, Doc: "octets of payload as the message says; -1 as above"},
			"length":         {Type: protocol.Int, Doc: "octets of the record's content"},
			"encrypted":      {Type: protocol.Bool, Doc: "its sender has begun to encrypt"},
			"asked":          {Type: protocol.Int, Doc: "octets of the shortest heartbeat record of the other end that has no answer yet, -1 when there is none"},
		}}
	}
	return s
}
