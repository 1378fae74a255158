// Package websocket decodes WebSocket (RFC 6455, RFC 7692) in both directions of
// a session behind its handshake. It shows each frame to the rules when its
// header is there, each message when it is whole, and of compressed ones how long
// they become as they come. It writes the rules' corrections back in valid form:
// masked as it came, uncompressed where it was changed. What no rule asks for
// passes unseen. Package http makes it when a server agrees to the upgrade; it
// knows nothing of HTTP or of TCP.
package websocket

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/jsonvalue"
	"wirepatch/dataplane/session"
)

// Options say what was agreed on and bound a Decoder. The zero value is usable.
type Options struct {
	MaxMessage int                           // bytes of a message that rules want, as sent and inflated; 0 is 256 KiB
	Exceed     string                        // at a limit; "" is protocol.ExceedReset
	Deflate    bool                          // permessage-deflate was agreed on
	Fresh      [2]bool                       // by direction: each message is compressed on its own
	Foreign    bool                          // an extension was agreed on that is not read here
	Lookup     func(name string) (any, bool) // variables of the handshake
	Memory     *protocol.Memory              // of the session
}

// Decoder is the session.Inspector of one session behind its handshake.
type Decoder struct {
	rules   protocol.Rules
	o       Options
	halves  [2]half // by session.Direction
	fence   *fence  // a message of the client's was refused, and the server still owes answers
	passing bool
	ended   session.End
	turn    turn
	msg     protocol.Message
	// surveying: what is shown is to be surveyed, not decided.
	surveying bool
}

var _ session.Inspector = (*Decoder)(nil)

// New makes the decoder of one session.
func New(rules protocol.Rules, o Options) *Decoder {
	if o.MaxMessage <= 0 {
		o.MaxMessage = 256 << 10
	}
	d := &Decoder{rules: rules, o: o}
	d.msg.Protocol = "websocket"
	d.msg.Lookup = o.Lookup
	if d.msg.Lookup == nil {
		d.msg.Lookup = func(string) (any, bool) { return nil, false }
	}
	d.msg.Memory = o.Memory
	for dir := range d.halves {
		h := &d.halves[dir]
		h.dir = session.Direction(dir)
		d.msg.Dir = h.dir
		k := &kinds[dir]
		h.frames, h.document, h.json = d.wants(k.frame), d.wants(k.document), d.wants(k.json)
		h.inflated = d.wants(k.inflated)
		h.messages = d.wants(k.message) || h.document || h.json
	}
	return d
}

// wants says whether rules ask for elements of a kind in this session.
func (d *Decoder) wants(kind string) bool {
	if n, ok := d.rules.(protocol.Narrower); ok {
		return n.WantsOf(&d.msg, kind)
	}
	return d.rules.Wants(kind)
}

var kinds = [2]struct{ frame, inflated, message, document, json string }{
	session.ToServer: {"client.frame", "client.inflated", "client.message", "client.document", "client.json"},
	session.ToClient: {"server.frame", "server.inflated", "server.message", "server.document", "server.json"},
}

// Elements documents the elements that a Decoder publishes.
func Elements() map[string]protocol.ElementType {
	types := map[string]protocol.ElementType{}
	for dir, k := range kinds {
		who := [2]string{"client", "server"}[dir]
		types[k.frame] = protocol.ElementType{Dir: session.Direction(dir), Doc: "one frame of the " + who + ", seen when its header is there",
			Fields: map[string]protocol.FieldType{
				"kind":   {Type: protocol.String, Doc: `"text", "binary", "continuation", "close", "ping", "pong" or "reserved"`},
				"opcode": {Type: protocol.Int, Doc: "opcode"},
				"fin":    {Type: protocol.Bool, Doc: "it ends its message"},
				"masked": {Type: protocol.Bool, Doc: "it has a masking key"},
				"rsv":    {Type: protocol.Int, Doc: "the three reserved bits, 4 for the first"},
				"length": {Type: protocol.Int, Doc: "octets of the payload, as the header says, at most 2^61"},
				"total":  {Type: protocol.Int, Doc: "the same of the message so far, with this frame"},
				"index":  {Type: protocol.Int, Doc: "its place in its message, from 0"},
				"fault":  {Type: protocol.String, Doc: "code of what RFC 6455 does not allow; empty"},
			}}
		types[k.inflated] = protocol.ElementType{Dir: session.Direction(dir), Doc: "how long a compressed message of the " + who + " becomes, seen as its octets come",
			Fields: map[string]protocol.FieldType{
				"kind":  {Type: protocol.String, Doc: `"text" or "binary"`},
				"size":  {Type: protocol.Int, Doc: "octets of the message so far, as sent"},
				"frame": {Type: protocol.Int, Doc: "octets that those of its frame under way inflate to"},
				"total": {Type: protocol.Int, Doc: "octets that all of them inflate to"},
				"whole": {Type: protocol.Bool, Doc: "the frame has come whole"},
				"fin":   {Type: protocol.Bool, Doc: "the frame ends the message"},
			}}
		types[k.message] = protocol.ElementType{Dir: session.Direction(dir), Doc: "one message of the " + who + ", unmasked, joined, inflated",
			Fields: map[string]protocol.FieldType{
				"kind":       {Type: protocol.String, Doc: `"text" or "binary"`},
				"value":      {Type: protocol.String, Settable: true, Doc: "content"},
				"size":       {Type: protocol.Int, Doc: "octets of the content"},
				"frames":     {Type: protocol.Int, Doc: "frames that it came in"},
				"compressed": {Type: protocol.Bool, Doc: "it came compressed"},
			}}
		types[k.document] = protocol.ElementType{Dir: session.Direction(dir), Doc: "the JSON of one text message of the " + who, Fields: documentTypes()}
		types[k.json] = protocol.ElementType{Dir: session.Direction(dir), Doc: "one value of it", Fields: jsonvalue.Types()}
	}
	return types
}
