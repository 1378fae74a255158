// Package described decodes protocols that a description says how to read, so
// that new ones arrive with an update of definitions and without new firmware.
// Two families are known: lines, with words, counted items and blocks of data,
// and binary messages, with numbers, texts and repeated groups. Both are Codecs
// of package dialogue. Package patch reads descriptions from files.
package described

import (
	"regexp"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// Description is one protocol. Exactly one of Lines and Binary is set.
type Description struct {
	Name      string
	Streams   bool        // it goes over TCP
	Datagrams bool        // it goes over UDP: each datagram is one binary message
	Greets    bool        // the server speaks first
	Max       int         // octets of a message that is held
	Begins    [2][]string // by session.Direction: what its first message begins with, one of these; none: that tells nothing
	Lines     *Lines
	Binary    *Binary
}

// Lines is a protocol of lines.
type Lines struct {
	MaxLine        int
	Separators     string // between words
	Client, Server Side
	// Passes: after a command that the first matches, with a reply that the second
	// matches, the rest of the session passes (TLS). Nil: never.
	PassesCommand, PassesReply *regexp.Regexp
	// PassesAt: octets of the client in the place of a command from which on the rest
	// of the session passes.
	PassesAt []string
}

// Side is what one side sends.
type Side struct {
	Rules []LineRule     // the first that matches a line says what follows it
	Alone *regexp.Regexp // client: commands without a reply; server: replies without a command
}

// LineRule says what follows a line. Groups are those of Line.
type LineRule struct {
	Line    *regexp.Regexp // of the line without its end
	Command *regexp.Regexp // server: of the command that is answered; nil: any
	Octets  int            // group with the number of octets that follow
	Plus    int            // and so many more, which are not part of the data: 0, or 2 for a CR LF
	Items   int            // group with the number of lines, with what follows them, that belong to this one
	More    bool           // one more line belongs to it
	Until   *string        // lines follow up to this one
}

// Binary is a protocol of binary messages.
type Binary struct {
	Ordered        bool // each message of the client has one of the server for an answer, in order
	Client, Server Layout
}

// Layout is how the messages of one side are laid out.
type Layout struct {
	Length string // over TCP: the number that says how long the message is
	Plus   int    // octets of the message that it does not count
	Fields []Field
}

// Field is a number, a text, or a repeated group.
type Field struct {
	Name   string
	Doc    string
	Number int    // octets of a number, 1 to 8; 0: it is none
	Little bool   // its order
	Size   int    // of a text: its octets
	SizeOf string // of a text: the number that says how many octets
	Plus   int    // and how many more (or fewer) than it says
	Until  *byte  // of a text: it ends with this octet
	Rest   bool   // of a text, or a group: all that is left
	Group  []Field
	Count  string // of a group: the number that says how often
	When   string // it is there only if this number
	Among  []int64
}

// Bounds of one message.
const (
	DefaultMax     = 64 << 10
	DefaultMaxLine = 8 << 10
	// MaxBegins and MaxBegin bound what tells a protocol: texts, and octets of each.
	MaxBegins = 32
	MaxBegin  = 64
	maxItems  = 4096
	maxGroups = 4096
)

// New makes the decoder of one session over TCP.
func (d *Description) New(rules protocol.Rules, conn protocol.Conn, o dialogue.Options) session.Inspector {
	o.Greets, o.MaxMessage = d.Greets, d.Max
	return dialogue.New(d.Name, d.codec(rules), rules, conn, o)
}

// NewDatagrams makes the decoder of one flow over UDP.
func (d *Description) NewDatagrams(rules protocol.Rules, conn protocol.Conn, o dialogue.Options) session.DatagramInspector {
	o.MaxMessage = d.Max
	return dialogue.NewDatagrams(d.Name, d.codec(rules), rules, conn, o)
}

func (d *Description) codec(rules protocol.Rules) dialogue.Codec {
	if d.Lines != nil {
		return &lines{d: d, wants: rules.Wants}
	}
	return &binary{d: d, wants: rules.Wants}
}

// Schema documents the elements and variables that the decoders publish.
func (d *Description) Schema() protocol.Schema {
	if d.Lines != nil {
		return d.lineSchema()
	}
	return d.binarySchema()
}

var none = protocol.Span{Start: -1, End: -1}

// noReply is what a Codec without replies of its own form says.
func noReply(r *protocol.Reply) ([]byte, string) {
	if r.Raw == "" && !r.Close {
		return nil, "nothing sent: a reply in this protocol must be given as raw"
	}
	return []byte(r.Raw), ""
}
