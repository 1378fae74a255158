// Package dialogue is what the decoders of most protocols have in common: those
// whose messages are short enough to be held until they are decided. It shows the
// bytes of a session to a Codec, which knows the protocol and cuts them into
// messages; asks the rules about each; writes corrections back, lengths
// included; keeps replies of our own in their turn among the server's; and ends
// the inspection by policy where a Codec cannot go on. Packages ftp, smtp, mqtt,
// line and binary are Codecs. It knows nothing of TCP.
package dialogue

import (
	"strings"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Options bound a Decoder and set its policies. The zero value is usable.
type Options struct {
	MaxMessage     int              // bytes of a message that is held; 0 is 64 KiB
	MaxOutstanding int              // messages without their reply; 0 is 4096
	Exceed         string           // undecodable or over a limit; "" is protocol.ExceedReset
	MidStream      bool             // the session was under way when we met it
	Greets         bool             // the server speaks first
	Clock          func() time.Time // nil is time.Now
}

func (o Options) withDefaults() Options {
	if o.MaxMessage <= 0 {
		o.MaxMessage = 64 << 10
	}
	if o.MaxOutstanding <= 0 {
		o.MaxOutstanding = 4096
	}
	if o.Exceed != protocol.ExceedPass {
		o.Exceed = protocol.ExceedReset
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Codec is one protocol, in one session. Its methods are called in the order in
// which the session's bytes are decided.
type Codec interface {
	// Next looks at the bytes of one direction that come next, which begin where a
	// message begins (or a part of one that it shows in parts). oldest is the Tag
	// of the oldest message to the server that has no reply yet, nil when there is
	// none.
	Next(dir session.Direction, data []byte, eof bool, oldest any) Step
	// Decided tells what became of the message of the last Step.
	Decided(dir session.Direction, s *Step, forwarded bool)
	// Encode writes a field's new value as it stands in the message.
	Encode(e *protocol.Element, field, value string) ([]byte, error)
	// Build writes a new element of the same kind as like.
	Build(like *protocol.Element, fields [][2]string) ([]byte, error)
	// Reply writes a reply in the protocol's own form. note says what had to be
	// left out.
	Reply(r *protocol.Reply) (reply []byte, note string)
}

// MaxKept bounds a text that a Tag keeps for rules on the reply, in octets: an
// attacker chooses how many messages wait for one.
const MaxKept = 512

// Kept is what a Tag may keep of a text.
func Kept(s string) string {
	if len(s) <= MaxKept {
		return s
	}
	return strings.Clone(s[:MaxKept]) // without what it was cut from
}

// Verb says what a Step is.
type Verb uint8

// What may come next.
const (
	More    Verb = iota // not whole yet: wait for more bytes
	Wait                // wait for what the other direction brings
	Message             // Step describes a message, or a part of one
	Forever             // the rest of the session is not ours to read: it passes
	Fault               // cannot be read: Step.Why
)

// Step is what a Codec sees next.
type Step struct {
	Verb Verb
	Why  string // of a Fault

	Size     int   // bytes of the message, or part, that are shown to the rules
	Rest     int64 // bytes of the message behind them, which rules do not see
	Elements []protocol.Element
	Lookup   func(name string) (any, bool)
	Lengths  []Length // inner ones first
	Tag      any      // to server: kept for Next until the reply has come; see Kept
	Silent   bool     // to server: nobody answers this message
	Ends     bool     // to client: with this the oldest message has its reply
	Begins   bool     // to client: a preliminary reply to it, behind which more may be asked
	Parts    bool     // more parts of the same message follow
	Later    bool     // this is a part behind the first
	// Committed: the server waits for this message, so that keeping it away leaves
	// it where it cannot go on, as if a part had gone already.
	Committed bool
	// Doubt, when not empty, is why the message cannot be read for certain: it is a
	// Fault of that reason unless a rule changes it or keeps it away.
	Doubt string
}

// Length is a number in a message that must fit what it counts.
type Length struct {
	Span   protocol.Span // where it stands
	Value  int64
	Covers protocol.Span // whose octets it counts
	// Field: it counts the octets of one field alone, which Covers is.
	Field bool
	// All: it counts whatever stands behind it.
	All bool
	// Kind, when not empty: it counts elements of this kind, not octets.
	Kind string
	// Encode writes it; an error says that it does not fit.
	Encode func(n int64) ([]byte, error)
}

// Decoder is the session.Inspector of one session.
type Decoder struct {
	name  string
	codec Codec
	rules protocol.Rules
	conn  protocol.Conn
	o     Options

	halves  [2]half
	queue   []entry
	synced  bool
	passing bool
	ended   session.End

	turn   turn
	msg    protocol.Message
	memory protocol.Memory
	lookup func(name string) (any, bool) // of the Step at hand
}

var _ session.Inspector = (*Decoder)(nil)

// half is the decoder's state of one direction.
type half struct {
	dir     session.Direction
	held    int   // bytes that were shown and are not decided
	rest    int64 // of the message under way: bytes to come
	within  bool  // more parts of the message under way follow
	discard bool  // the message under way is not forwarded
	sent    bool  // a part of it has been
	sink    bool  // everything is deleted: the session is about to end
}

// New makes the decoder of one session of the protocol of that name.
func New(name string, codec Codec, rules protocol.Rules, conn protocol.Conn, o Options) *Decoder {
	d := &Decoder{name: name, codec: codec, rules: rules, conn: conn, o: o.withDefaults()}
	d.halves[session.ToClient].dir = session.ToClient
	if d.synced = !o.MidStream; d.synced && o.Greets {
		d.queue = append(d.queue, entry{}) // as if asked for
	}
	d.msg = protocol.Message{Protocol: name, Memory: &d.memory, Lookup: d.variable}
	return d
}

// ConnVars documents the variables that every protocol has from its session.
func ConnVars(vars map[string]protocol.Var) map[string]protocol.Var {
	vars["client.address"] = protocol.Var{Type: protocol.String, Doc: "address of the client"}
	vars["client.port"] = protocol.Var{Type: protocol.Int, Doc: "port of the client"}
	vars["server.address"] = protocol.Var{Type: protocol.String, Doc: "address of the server"}
	vars["server.port"] = protocol.Var{Type: protocol.Int, Doc: "port of the server"}
	return vars
}

// variable is protocol.Message's Lookup.
func (d *Decoder) variable(name string) (any, bool) {
	switch name {
	case "client.address":
		return d.conn.ClientAddress, true
	case "server.address":
		return d.conn.ServerAddress, true
	case "client.port":
		return int64(d.conn.ClientPort), true
	case "server.port":
		return int64(d.conn.ServerPort), true
	}
	if d.lookup == nil {
		return nil, false
	}
	return d.lookup(name)
}
