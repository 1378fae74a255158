// Package http decodes HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112) in both
// directions of a session. It holds the head of a message until it is whole,
// shows it to the rules as typed elements, and writes their corrections back in
// valid form; bodies that no rule asks for pass unseen, and those too long to be
// held pass watched or followed where that will do. The session layer feeds
// it; it knows nothing of TCP, and it leaves every byte alone that no rule asked
// to change. Behind an upgrade to WebSocket it hands over to that decoder; behind
// CONNECT and other upgrades it steps aside.
package http

import (
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// What Options.Ambiguous may say.
const (
	// AmbiguousDecode decodes what RFC 9112 gives one reading, though not every
	// recipient accepts it; see the table in fault.go.
	AmbiguousDecode = "decode"
	// AmbiguousRefuse treats that, too, as undecodable.
	AmbiguousRefuse = "refuse"
)

// Options bound a Decoder and set its policies. The zero value is usable.
type Options struct {
	MaxHead        int              // bytes of a message head, or of trailers; 0 is 64 KiB
	MaxBody        int              // bytes of content of a body that rules want; 0 is 256 KiB
	MaxOutstanding int              // requests without a response; 0 is 1024
	Exceed         string           // undecodable or over a limit; "" is protocol.ExceedReset
	Ambiguous      string           // "" is AmbiguousDecode
	MidStream      bool             // the session was under way when we met it
	Clock          func() time.Time // nil is time.Now
}

func (o Options) withDefaults() Options {
	if o.MaxHead <= 0 {
		o.MaxHead = 64 << 10
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 256 << 10
	}
	if o.MaxOutstanding <= 0 {
		o.MaxOutstanding = 1024
	}
	if o.Exceed != protocol.ExceedPass {
		o.Exceed = protocol.ExceedReset
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Decoder is the session.Inspector of one HTTP session.
type Decoder struct {
	rules protocol.Rules
	conn  protocol.Conn
	o     Options

	halves  [2]half           // by session.Direction
	queue   queue             // requests without a response, oldest first
	passing bool              // inspection is over, all passes
	unseen  bool              // of the body at hand there is more than was shown
	inner   session.Inspector // what has taken over behind an upgrade
	ended   session.End
	synced  bool // where messages begin is known
	last    bool // the server ends the session behind the response that was over last

	*scratch  // during a turn
	msg       protocol.Message
	surveying bool // what is shown is to be surveyed, not decided
	memory    protocol.Memory
}

var _ session.Inspector = (*Decoder)(nil)

// New makes the decoder of one session.
func New(rules protocol.Rules, conn protocol.Conn, o Options) *Decoder {
	d := &Decoder{rules: rules, conn: conn, o: o.withDefaults()}
	d.synced = !o.MidStream
	d.halves[session.ToClient].dir = session.ToClient
	d.msg.Protocol = "http"
	d.msg.Lookup = d.lookup
	d.msg.Memory = &d.memory
	return d
}
