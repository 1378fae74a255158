package patch

import (
	"fmt"
	"strings"
)

// Limits of one definition file. They bound what a hostile or broken file can
// cost the box that loads it.
const (
	MaxFile   = 256 << 10 // bytes of one patch.yaml
	MaxRules  = 64        // rules of one definition
	MaxTests  = 256       // tests of one definition
	MaxText   = 64 << 10  // bytes of one scalar of the file
	MaxVector = 1 << 20   // bytes of one side of a test, with its templates filled in
	MaxCost   = 30_000    // CEL cost of one evaluation, by the measure of cost.go
	MaxFiles  = 20_000    // definitions in one folder
	MaxHold   = 1 << 20   // bytes that one rule may have held
	// MaxVariables bounds what one definition remembers of a session.
	MaxVariables = 16
	// MaxRemembered bounds a text that is remembered, in bytes.
	MaxRemembered = 1 << 10
	// MaxSteps bounds a conversation.
	MaxSteps    = 200
	maxExprSize = 16 << 10 // code points of one CEL expression
)

// Pos is a place in a definition file. Line and Column count from 1; 0 means
// that the place is not known.
type Pos struct {
	File   string
	Line   int
	Column int
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one fault of a definition, with its place and what was expected.
type Error struct {
	Pos
	Text string
}

func (e *Error) Error() string { return e.Pos.String() + ": " + e.Text }

func (p Pos) errorf(format string, args ...any) *Error {
	return &Error{p, fmt.Sprintf(format, args...)}
}

// Text is a string of the file with its place.
type Text struct {
	Pos
	Value string
	// block says that the value starts on the line below Pos, as in a | block.
	block bool
}

// inside gives the place of a 1-based line and column within the text.
func (t Text) inside(line, column int) Pos {
	p := t.Pos
	switch {
	case p.Line == 0:
	case t.block:
		p.Line, p.Column = p.Line+line, column
	case line == 1 && !strings.Contains(t.Value, "\n"):
		p.Column += column - 1
	}
	return p
}

// Definition is one inline patch: what one vendor patch does.
type Definition struct {
	Pos
	ID              string
	Revision        int
	Title           string
	Vulnerabilities []string
	Product         Product
	Behaviour       string   // what the vendor's patch does
	Sources         []string // where that is to be read: advisories, commits
	Limits          []string // where the server behind the box still differs from the patched one
	Default         string   // mode where the owner's settings name none: Off, Shadow or Correct
	Protocol        string
	Proof           string // how equivalence was shown; "vectors only" when it was not
	Scope           string // ScopeProduct, or empty: every server that speaks the protocol
	Session         []Variable
	Parameters      []Parameter
	Let             []Named
	Rules           []Rule
	Tests           []Vector
	protocolPos     Pos
}

// Product says whose flaw it is.
type Product struct {
	Name     string
	CPE      string
	Affected []string // version ranges, for instance ">=1.2.0 <1.4.7"
}

// Variable is a value that a definition remembers from one message of a session
// to the next. Initial is a string, an int64 or a bool.
type Variable struct {
	Pos
	Name    string
	Initial any
}

// Parameter is a value that the owner gives a definition, for all servers or for
// single ones. Default is a string, an int64, a bool or a []string, and the owner's
// is of the same type.
type Parameter struct {
	Pos
	Name    string
	Default any
	About   string
}

// Rule is one condition on one kind of element, and what to do then.
type Rule struct {
	Pos
	At   Text
	When Text // CEL; empty: always
	Hold int  // bytes of the message that are to be held until it is decided; 0: as the decoder sees fit
	Else Text // what follows when the message has gone in part: see lates
	Do   Do
}

// Do is the correction of a rule. Kind says which of the fields count.
type Do struct {
	Pos
	Kind    string    // one of bareActions and mapActions
	Field   Text      // set, cut, replace
	To      Text      // set: template
	Max     int       // cut: bytes
	Pattern Text      // replace: RE2
	With    Text      // replace: template, in which $1 is the first group
	Reply   Reply     // reject, reply
	Before  bool      // insert: in front of the element, else behind it
	Fields  [][2]Text // insert: fields of the new element; the values are templates
	First   bool      // move: to the first place, else to the last
	Name    Text      // remember, find: the variable
	Value   Text      // remember, find: CEL
}

// Reply is the answer that a reject gives. All texts are templates but Framing.
type Reply struct {
	Status  int
	Version Text
	Framing Text
	Reason  Text
	Headers [][2]Text
	Body    Text
	Raw     Text
	Close   bool
}

// Vector is one test of a definition: bytes in, bytes expected. The bytes are
// templates.
type Vector struct {
	Pos
	Name        string
	Client      Text  // what the client sends
	Server      *Text // what the server must get; nil: exactly what the client sent
	Response    *Text // what the server answers
	ClientGets  *Text // what the client must get; nil: exactly what the server answered
	Ends        string
	Corrections int            // how many corrections must be reported; -1: at least one when something changes, else none
	Over        string         // "tcp", "udp", or empty: as the protocol goes; see Decoder.open
	Parameters  map[string]any // the owner's, where they are not the defaults
	Steps       []Step         // a conversation, instead of Client, Server, Response and ClientGets
}

// Step is one thing that one side sends in a conversation, and what comes of it.
type Step struct {
	Pos
	FromServer bool
	Sends      Text
	ServerGets *Text // nil: what the client has sent in this step
	ClientGets *Text // nil: what the server has sent in this step
}

// The values of Vector.Ends: how the session must stand in the end.
const (
	endsOpen  = "open"
	endsClose = "close"
	endsReset = "reset"
)
