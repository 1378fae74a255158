package patch

import (
	"fmt"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// DatagramFactory makes the decoder of one flow of datagrams.
type DatagramFactory func(protocol.Rules, protocol.Conn) session.DatagramInspector

// The values of Vector.Over: what carries the bytes of a test.
const (
	overTCP = "tcp"
	overUDP = "udp"
)

// open makes a feed for a decoder; over is empty, or what a test asks for. A
// protocol that goes over both is fed datagrams if nothing is said.
func (d *Decoder) open(over string, rules protocol.Rules) (*feed, error) {
	switch {
	case over != overTCP && d.NewDatagram != nil:
		return &feed{datagrams: d.NewDatagram(rules, testConn)}, nil
	case over != overUDP && d.New != nil:
		return &feed{in: d.New(rules, testConn)}, nil
	}
	return nil, fmt.Errorf("over: the protocol does not go over %s", over)
}

// datagram hands one datagram to the decoder and carries its verdict out.
func (f *feed) datagram(dir session.Direction, b []byte) error {
	switch f.rest {
	case session.PassRest:
		f.dirs[dir].out = append(f.dirs[dir].out, b...)
		return nil
	case session.BlockRest:
		return nil
	}
	f.shown = append(f.shown[:0], b...)
	v := f.datagrams.Datagram(dir, f.shown)
	clear(f.shown) // a decoder must not keep what it was shown
	f.evidence = append(f.evidence, v.Evidence...)
	f.rest = v.Rest
	if f.rest == session.BlockRest {
		f.end = session.Reset
	}
	switch {
	case v.Undecodable != "":
		return fmt.Errorf("decoder cannot read the datagram: %s", v.Undecodable)
	case v.Drop:
		f.dirs[dir.Other()].out = append(f.dirs[dir.Other()].out, v.Reply...)
		return nil
	}
	s := &f.dirs[dir]
	at := 0
	for _, e := range v.Edits {
		if e.Start < at || e.End < e.Start || e.End > len(b) {
			return fmt.Errorf("decoder edits [%d,%d) of a datagram of %d bytes", e.Start, e.End, len(b))
		}
		s.out = append(append(s.out, b[at:e.Start]...), e.With...)
		at = e.End
	}
	s.out = append(s.out, b[at:]...)
	return nil
}
