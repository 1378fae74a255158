package session

import (
	"math"
	"slices"
)

// Direction says which way bytes of a session travel.
type Direction uint8

// The two directions. The client is the side that opened the session.
const (
	ToServer Direction = iota
	ToClient
)

// Other returns the opposite direction.
func (d Direction) Other() Direction { return d ^ 1 }

func (d Direction) String() string {
	if d == ToServer {
		return "to server"
	}
	return "to client"
}

// Inspector is what a session asks about the bytes it carries: a protocol
// decoder. One Inspector serves one session, both directions, and is never
// called by two goroutines at once.
type Inspector interface {
	// Inspect is shown data, the in-order bytes of one direction that are not
	// decided yet, oldest first, and answers what is to become of them. What it
	// does not release it is shown again, with more behind it, once more has
	// arrived; it should remember how far it has looked. eof says that nothing
	// will follow (the sender's FIN, or the server's reset); then everything must
	// be released or deleted. data is valid only during the call.
	Inspect(dir Direction, data []byte, eof bool) Verdict
}

// Verdict is an Inspector's decision on the bytes it was shown.
type Verdict struct {
	// Release counts the bytes, from the first one shown, that are decided. It
	// may exceed what was shown: so many bytes to come then pass unseen, in
	// whatever order they arrive. Forever releases the rest of the stream.
	Release int64
	// Edits change decided bytes: sorted, not overlapping, within what was shown.
	Edits []Edit
	// Reply is sent the opposite way, behind all that was released there. It is
	// only allowed while nothing there is held and nothing is to pass unseen;
	// behind the FIN of that direction it is dropped.
	Reply []byte
	// End says how the session goes on.
	End End
	// Evidence tells what was corrected, or would have been.
	Evidence []Evidence
}

// Forever as Verdict.Release passes the rest of the direction unseen.
const Forever = math.MaxInt64

// Edit replaces the shown bytes [Start,End) by With. Start == End inserts; an
// empty With deletes.
type Edit struct {
	Start, End int
	With       []byte
}

// Edit adds an edit behind those that are there; one that touches the last is
// made one with it. with stays the caller's if it is not changed any more.
func (v *Verdict) Edit(start, end int, with []byte) {
	if n := len(v.Edits); n > 0 && v.Edits[n-1].End == start {
		last := &v.Edits[n-1]
		last.End = end
		last.With = append(slices.Clip(last.With), with...)
		return
	}
	v.Edits = append(v.Edits, Edit{Start: start, End: end, With: with})
}

// End is how a session goes on after a verdict.
type End uint8

// What may become of the session.
const (
	// Continue leaves the session alive.
	Continue End = iota
	// Close ends the session after what is released and replied: the client sees
	// an orderly end (FIN), the server a reset.
	Close
	// Reset resets the session on both sides.
	Reset
)

// Evidence is one correction, for the log and for the auditor.
type Evidence struct {
	Definition string `json:"definition"`     // id of the definition; "": the decoder's own, on why it gives up
	Revision   int    `json:"revision"`       // revision of the definition
	Rule       int    `json:"rule"`           // index of the rule within it, from 0
	Mode       string `json:"mode"`           // "correct", "shadow"
	Action     string `json:"action"`         // "remove", "set", "replace", "cut", "reject", "drop", "reset", "report"
	Element    string `json:"element"`        // kind of the element, for instance "request.header"
	Before     []byte `json:"before"`         // the element's bytes as they came, at most EvidenceLimit
	After      []byte `json:"after"`          // what stands in their place; for a reject, the reply
	Note       string `json:"note,omitempty"` // what else a reader should know

	// The engine says these:
	ToClient bool `json:"to_client,omitempty"` // the element was on its way from the server
	Datagram bool `json:"datagram,omitempty"`  // over UDP
}

// EvidenceLimit bounds Before and After of one Evidence, in bytes.
const EvidenceLimit = 4096
