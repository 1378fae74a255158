package patch

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Play is a session whose bytes come as a caller has them, for authors who look
// at what would become of recorded ones.
type Play struct{ f *feed }

// NewPlay begins a session over TCP, or a flow over UDP.
func NewPlay(d Decoder, rules protocol.Rules, conn protocol.Conn, datagrams bool) *Play {
	switch {
	case datagrams && d.NewDatagram != nil:
		return &Play{&feed{datagrams: d.NewDatagram(rules, conn)}}
	case !datagrams && d.New != nil:
		return &Play{&feed{in: d.New(rules, conn)}}
	}
	return nil
}

// Send has bytes come from one side; over UDP they are one datagram.
func (p *Play) Send(dir session.Direction, b []byte) error { return p.f.send(dir, b) }

// Close has one side end its stream.
func (p *Play) Close(dir session.Direction) error {
	if p.f.datagrams != nil {
		return nil
	}
	return p.f.close(dir)
}

// Got returns what has arrived at a side, and not been taken yet.
func (p *Play) Got(dir session.Direction) []byte {
	b := p.f.dirs[dir].out
	p.f.dirs[dir].out = nil
	return b
}

// Held returns how many bytes from a side are not decided yet.
func (p *Play) Held(dir session.Direction) int { return len(p.f.dirs[dir].pending) }

// Evidence returns all corrections so far, and how the session stands.
func (p *Play) Evidence() ([]session.Evidence, session.End) { return p.f.evidence, p.f.end }
