package dns

import (
	"encoding/binary"
	"fmt"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Each message has its length in front of it (RFC 1035, 4.2.2).
const (
	prefix     = 2
	maxMessage = 1<<16 - 1
)

// Stream decodes the messages of one session over TCP. Each is held until it is
// there as a whole.
type Stream struct {
	*decoder
	passing bool
	synced  bool        // where messages begin is known
	held    [2]bool     // a direction has shown the beginning of a message
	replies []byte      // that wait for the end of a message on its way to the client
	after   session.End // the session ends so once they are out
	verdict session.Verdict
}

var _ session.Inspector = (*Stream)(nil)

// NewStream makes the decoder of one session.
func NewStream(rules protocol.Rules, conn protocol.Conn, o whole.Options) *Stream {
	return &Stream{decoder: newDecoder(rules, conn, o, "tcp"), synced: !o.MidStream}
}

// Inspect implements session.Inspector.
func (s *Stream) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	if s.passing || s.idle() || !s.synced {
		// A session that was under way: nothing tells where a message begins.
		s.passing = true
		return session.Verdict{Release: session.Forever}
	}
	s.verdict = session.Verdict{}
	at := 0
	for s.verdict.End == session.Continue && !s.passing {
		n := s.one(dir, data, at)
		if n == 0 {
			break
		}
		at += n
	}
	return s.close(dir, data, at, eof)
}

// one handles the message at offset at and returns its length with prefix; 0
// when it is not there yet.
func (s *Stream) one(dir session.Direction, data []byte, at int) int {
	rest := data[at:]
	if len(rest) < prefix {
		return 0
	}
	n := prefix + int(binary.BigEndian.Uint16(rest))
	if len(rest) < n {
		return 0
	}
	o, err := s.decide(dir, rest[prefix:n])
	if err != nil {
		s.giveUp(err, rest[:n])
		return 0
	}
	instead := o.Reply
	if o.Kind != whole.Reject && len(o.Edits) > 0 {
		instead = whole.Apply(rest[prefix:n], o.Edits)
	}
	if len(instead) > maxMessage {
		s.giveUp(fmt.Errorf("what a definition makes of it has %d bytes; a message over TCP has at most %d", len(instead), maxMessage), rest[:n])
		s.passing, s.verdict.End = false, session.Reset // the message as it came must not go on
		return 0
	}
	s.verdict.Evidence = append(s.verdict.Evidence, o.Evidence...)
	switch {
	case o.Kind == whole.Reset:
		s.verdict.End = session.Reset
		return 0
	case o.Kind == whole.Reject && dir == session.ToServer:
		s.edit(at, at+n, nil)
		s.replies = append(s.replies, framed(instead)...)
		if o.Close {
			s.after = session.Close
		}
	case o.Kind == whole.Reject:
		s.edit(at, at+n, framed(instead))
		if o.Close {
			s.verdict.End = session.Close
		}
	case o.Kind == whole.Drop:
		s.edit(at, at+n, nil)
	case len(o.Edits) > 0:
		s.edit(at, at+n, framed(instead))
	}
	return n
}

func (s *Stream) edit(from, to int, with []byte) {
	s.verdict.Edits = append(s.verdict.Edits, session.Edit{Start: from, End: to, With: with})
}

func framed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// giveUp leaves a session to the policy.
func (s *Stream) giveUp(err error, before []byte) {
	s.verdict.Evidence = append(s.verdict.Evidence, session.Evidence{Action: "report", Element: "message",
		Before: append([]byte(nil), before[:min(len(before), session.EvidenceLimit)]...), Note: err.Error()})
	if !s.o.Passes() || len(s.replies) > 0 {
		s.verdict.End = session.Reset
		return
	}
	s.passing = true
}

// close completes the verdict: what is decided, and replies where they may go.
func (s *Stream) close(dir session.Direction, data []byte, at int, eof bool) session.Verdict {
	v := &s.verdict
	switch {
	case v.End == session.Reset:
		return *v
	case s.passing:
		v.Release = session.Forever
		return *v
	case eof && at < len(data):
		s.edit(at, len(data), nil) // the beginning of a message that does not come
		at = len(data)
	}
	v.Release = int64(at)
	s.held[dir] = at < len(data)
	if len(s.replies) == 0 || s.held[session.ToClient] {
		return *v
	}
	if dir == session.ToClient {
		s.edit(at, at, s.replies)
	} else {
		v.Reply = s.replies
	}
	s.replies = nil
	if s.after != session.Continue {
		v.End = s.after
	}
	return *v
}
