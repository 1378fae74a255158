package protocol

// Sight is what somebody sees of messages who looks at the bytes they begin
// with, and has no decoder: how the values that rules ask for are written
// there, and what all the messages that he takes for known have in common.
type Sight struct {
	// Written says how the value of a field of an element's kind, or with an
	// empty kind of a message variable, is written.
	Written func(kind, name string) Writing
	// Absent says that no such message has elements of this kind.
	Absent func(kind string) bool
	// Only returns the values of which such messages have one; nil: any.
	Only func(kind, name string) []any
}

// Writing is how a value is written in a message, apart from ASCII case.
type Writing uint8

// The ways to write a value.
const (
	Unseen      Writing = iota // elsewhere, or made otherwise
	AsIs                       // as a run of the message's bytes
	Escaped                    // the same, once escapes (%2F) are undone
	EscapedPlus                // the same, with plus signs for blanks
	FieldName                  // between the end of a line and a colon
	Fields                     // a map: its keys as FieldName, its values AsIs
	Pairs                      // a map: keys and values EscapedPlus
	Status                     // a number, behind "HTTP/1.1 "
	Octets                     // a number, at most that of the message's bytes
)
