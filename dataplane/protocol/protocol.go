// Package protocol is what the bytes of a session mean. A decoder (package
// http below this one) turns in-order bytes into messages of typed elements,
// asks the rules about each message, and writes their corrections back in the
// protocol's valid form. It knows nothing of TCP and nothing of definitions.
package protocol

import "wirepatch/dataplane/session"

// Type is the type of an element's field or of a message variable, as rules
// see it.
type Type uint8

// The types that a rule can meet. Bytes that are not text are strings too:
// their octets, one by one.
const (
	String     Type = iota // Go string
	Int                    // int64
	Bool                   // bool
	StringList             // []string
	StringMap              // map[string][]string
	IntList                // []int64
)

// Schema documents what a decoder publishes. Rules are checked against it when
// they are compiled.
type Schema struct {
	Protocol string
	// Numbered says that replies are a number and a text (Reply.Status), which can
	// be given as octets, too; else these are the only form.
	Numbered bool
	Elements map[string]ElementType // by kind, for instance "request.header"
	Vars     map[string]Var         // by dotted name, for instance "request.method"
}

// ElementType is one kind of element.
type ElementType struct {
	Doc    string
	Dir    session.Direction
	Fields map[string]FieldType
	// Holds says that a rule on it may have more of its message held (Holder).
	Holds bool
	// Within is the message variable that is known wherever there is such an
	// element, since it is made from it: a rule on it that reads the variable asks
	// for nothing more. "": none.
	Within string
}

// FieldType is one field of an element.
type FieldType struct {
	Type     Type
	Doc      string
	Settable bool // corrections may set, cut or replace it
}

// Var is a value that all rules on a message can read.
type Var struct {
	Type Type
	Doc  string
	// Dir is the earliest direction in which it is known: a variable of the
	// response is unknown to rules on the request.
	Dir session.Direction
	// Ambient says that it depends on no message: addresses, the time.
	Ambient bool
}

// Span is a range of Message.Data. Start < 0: the field is derived and has no
// bytes of its own.
type Span struct{ Start, End int }

// What a service's settings may say of a session that cannot be decoded, or is
// over a limit.
const (
	ExceedPass  = "pass"  // stop inspecting it, say so
	ExceedReset = "reset" // reset it, say so
)

// Field is one field of one element.
type Field struct {
	Name  string
	Value any // string or int64 or bool, by the schema
	Span  Span
}

// SetString makes s the value of a field whose bytes are at span. A value that
// is the same already stays, which costs no memory; so with SetInt.
func (f *Field) SetString(name, s string, span Span) {
	f.Name, f.Span = name, span
	if old, ok := f.Value.(string); !ok || old != s {
		f.Value = s
	}
}

// SetInt makes n the value of a field that has no bytes of its own.
func (f *Field) SetInt(name string, n int) {
	f.Name, f.Span = name, nowhere
	if old, ok := f.Value.(int64); !ok || old != int64(n) {
		f.Value = int64(n)
	}
}

// SetBool makes v the value of a field that has no bytes of its own.
func (f *Field) SetBool(name string, v bool) { f.Name, f.Span, f.Value = name, nowhere, v }

// nowhere is the place of what has no bytes of its own.
var nowhere = Span{Start: -1, End: -1}

// Element is one typed part of a message.
type Element struct {
	Kind   string
	Span   Span // all bytes of the element, with its terminator: without them the message is still valid
	Fields []Field
}

// Field returns the field of that name, nil if there is none.
func (e *Element) Field(name string) *Field {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return &e.Fields[i]
		}
	}
	return nil
}

// Message is one protocol message as the rules see it.
type Message struct {
	Protocol string
	Dir      session.Direction
	Data     []byte // spans index this; valid only during Rules.Match
	Elements []Element
	// Lookup resolves a message variable of the schema, lazily.
	Lookup func(name string) (any, bool)
	// Memory is the session's, the same for all its messages; nil: rules
	// remember nothing from one message to the next.
	Memory *Memory
	// Continues says that the elements go on where the last message of this
	// direction stopped: a long message is shown in parts, as it passes.
	Continues bool
	// Sent says that bytes of the message that came before Data have gone to its
	// receiver. Correction.Late then says what becomes of one that is rejected.
	Sent bool
	// Told says that elements in front of this place of Data were shown before, as
	// they are, and the message is shown once more because what is behind may be read
	// in another way, too: rules that answer at once are not asked again, and about
	// those elements only the ones that read what is behind.
	Told int
	// Survey belongs to rules that are a Surveyor: what they have learned of the
	// whole message. The decoder carries it from Survey to Match, and makes it nil
	// for the next message.
	Survey any
}

// Rules decide what is to change in a message. They are safe for use by many
// sessions at once.
type Rules interface {
	// Wants says whether any rule is about elements of this kind, so that a
	// decoder need not hold what nobody asks for (bodies).
	Wants(kind string) bool
	// Match returns the corrections for m in the order of their elements. A
	// correction in shadow mode is returned too; the decoder reports what it
	// would have changed and changes nothing.
	Match(m *Message) []Correction
}

// Holder is what Rules may be, too: they say how much of a message they want to
// see before any of it goes to its receiver.
type Holder interface {
	// Hold returns the bytes that are to be held of a message whose elements of
	// this kind come in parts; 0: as the decoder sees fit. The decoder's own
	// limits go before.
	Hold(kind string) int
}

// Awaiter is what Rules may be, too: what they say of a client's message depends on
// what the server has answered to those before it.
type Awaiter interface {
	// Awaits says whether rules on the client's messages of a protocol read what
	// rules on the server's remember. A decoder that knows which reply belongs to
	// which message then shows it none before those in front of it are answered.
	Awaits(protocol string) bool
}

// Surveyor is what Rules may be, too: they want to see all elements of some kinds
// before they are asked about the first. A decoder that shows a message in batches
// shows it twice then. To those that show all at once it makes no difference.
type Surveyor interface {
	// SurveyOf says whether any rule wants to see elements of this kind first.
	SurveyOf(kind string) bool
	// Survey looks at a batch of elements, as Match does. Corrections that it
	// returns keep the message from its receiver.
	Survey(m *Message) []Correction
}

// Narrower is what Rules may be, too: once the beginning of a message is known
// they say whether they want more of it, so that a decoder need not hold a body
// because of a rule about another path.
type Narrower interface {
	// WantsOf says whether any rule about elements of this kind may still hold
	// for m, of which Lookup tells what is known so far.
	WantsOf(m *Message, kind string) bool
}

// Watcher is what Rules may be, too: of what is too long to be shown they say by
// which texts to know that they may be concerned.
type Watcher interface {
	// Watch returns a search for the texts of which one must be in one of the fields
	// of an element of this kind, as they are written, for any rule on such elements to hold for m, of which
	// Lookup tells what is known so far; nil where no rule can hold. ok is false where
	// one may hold without. What rules about the answer read is not among it: they do
	// not hold where it is not known.
	Watch(m *Message, kind string, fields []Written) (s Search, ok bool)
}

// Written is a field as it is written in a message.
type Written struct {
	Field         string
	Before, After string // what always stands around it
}

// Search goes through a text as it comes, without regard to ASCII case.
type Search interface {
	// Scan goes on with b, from the state 0 on. found: one of the texts is there, or
	// what is looked for of it.
	Scan(state int32, b []byte) (next int32, found bool)
}

// Correction is one change that a rule asks for.
type Correction struct {
	Definition string
	Revision   int
	Rule       int
	Shadow     bool // report only what would be done
	Action     Action
	Element    int    // index into Message.Elements
	Field      string // for Set
	Value      string // for Set: the field's new value, unencoded
	Name       string // "set", "cut" or "replace": the correction's name in the definition, for evidence
	Reply      *Reply // for Reject and Interim
	Insert     *Insertion
	First      bool // for Move: to the first place among its kind, else to the last
	Late       Late // for Reject and Drop
	// Aware says that the rule says itself how its server reads a body (it asks what
	// coding was undone).
	Aware bool
}

// Insertion is a new element of the same kind beside the Correction's element.
type Insertion struct {
	Before bool        // in front of it, else behind it
	Fields [][2]string // names and values, unencoded, in the definition's order
}

// Field is the value of a new element's field, empty when it is not given.
func (in *Insertion) Field(name string) string {
	for _, f := range in.Fields {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}

// Late says what becomes of a message that is to be rejected or dropped when
// part of it has gone to its receiver (Message.Sent).
type Late uint8

// What may follow then.
const (
	LateClose Late = iota // the reply, if any, and an orderly end for the client; a reset for the server
	LateReset             // the session is reset on both sides
	LateSpoil             // as Spoil
	LatePass              // the rest passes, and it is told
)

// Action is what a Correction does.
type Action uint8

// The actions. Cut and replace of the language are computed by the rules and
// arrive as Set. A decoder that cannot carry one out says so in the evidence.
const (
	Report  Action = iota // change nothing, tell
	Remove                // take the element out of the message
	Set                   // give a field another value
	Reject                // answer the message in the server's place, do not forward it
	Drop                  // do not forward the message, answer nothing
	Reset                 // reset the session
	Insert                // put a new element beside the element
	Move                  // change the element's place among those of its kind
	Interim               // send Reply to the client now; the message goes on
	Spoil                 // make what is left of the message invalid in the protocol's own way
)

// Reply is the answer of a Reject.
type Reply struct {
	Status  int         // protocol's status code
	Reason  string      // HTTP: reason phrase; "" is the standard one
	Headers [][2]string // in order; the decoder adds Content-Length when it is missing
	Body    string
	Raw     string // when not empty: the reply, byte for byte, instead of the above
	Close   bool   // end the session after the reply
	Version string // HTTP: of the status line; "" is HTTP/1.1
	Framing string // HTTP: how the body ends, one of Framings; "" is FramedByLength
}

// The values of Reply.Framing.
const (
	FramedByLength = "length"  // Content-Length
	FramedByChunks = "chunked" // one chunk, where the version has them; else as FramedByClose
	FramedByClose  = "close"   // the end of the session is the end of the body
)

// Framings are all values that Reply.Framing may have in a definition.
var Framings = []string{FramedByLength, FramedByChunks, FramedByClose}

// Conn is what a decoder may tell rules about the session.
type Conn struct {
	ClientAddress string // textual address, without port
	ClientPort    int
	ServerAddress string
	ServerPort    int
}
