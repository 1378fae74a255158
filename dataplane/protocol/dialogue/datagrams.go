package dialogue

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Datagrams is the session.DatagramInspector of one flow: each datagram is one
// message, decided alone.
type Datagrams struct {
	d    *Decoder
	last any // Tag of the client's last message that went on
}

var _ session.DatagramInspector = (*Datagrams)(nil)

// NewDatagrams makes the decoder of one flow.
func NewDatagrams(name string, codec Codec, rules protocol.Rules, conn protocol.Conn, o Options) *Datagrams {
	return &Datagrams{d: New(name, codec, rules, conn, o)}
}

// Datagram implements session.DatagramInspector.
func (g *Datagrams) Datagram(dir session.Direction, payload []byte) (v session.DatagramVerdict) {
	if len(payload) == 0 {
		return v
	}
	d := g.d
	s := d.codec.Next(dir, payload, true, g.last)
	switch {
	case s.Verb == Forever:
		return session.DatagramVerdict{Rest: session.PassRest}
	case s.Verb == Fault:
		return session.DatagramVerdict{Undecodable: s.Why}
	case s.Verb != Message || s.Rest > 0 || s.Size > len(payload):
		return session.DatagramVerdict{Undecodable: "a message longer than its datagram"}
	case s.Size < len(payload):
		return session.DatagramVerdict{Undecodable: "octets behind the message in its datagram"}
	}
	d.turn = turn{h: &d.halves[dir], data: payload, eof: true}
	d.lookup = s.Lookup
	o := d.correct(&s)
	v.Evidence = d.turn.v.Evidence
	d.turn, d.lookup = turn{}, nil
	switch o.kind {
	case forwarded:
		v.Edits = o.edits
		if dir == session.ToServer {
			g.last = s.Tag
		}
	case rejected:
		v.Drop, v.Reply = true, o.reply
	case wasReset:
		v.Drop, v.Rest = true, session.BlockRest
	default:
		v.Drop = true
	}
	d.codec.Decided(dir, &s, o.kind == forwarded)
	return v
}
