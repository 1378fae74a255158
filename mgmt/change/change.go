// Package change carries changes of the appliance's settings from a draft to
// their effect: drafted, submitted, approved by others where the site wants
// that, applied at once or in a window, verified on the running wire, and undone
// where that is asked for. Each step is one record of the audit log, in the same
// transaction. What it may not write itself it asks board/keeper for.
package change

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/mgmt/auth"
)

// State of a change. Each arrow is a method:
//
//	submitted → approved → done → undone
//	    │          ├→ failed       refused by the wire, or not as planned
//	    │          └→ missed       its window has passed
//	    ├→ rejected
//	    └→ withdrawn
type State string

// The states.
const (
	Submitted State = "submitted"
	Approved  State = "approved" // waits for its window
	Done      State = "done"
	Failed    State = "failed"
	Missed    State = "missed"
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn"
	Undone    State = "undone"
)

// ApprovalLife is how long a change may wait for its approvals: what was judged
// may be another matter later.
const ApprovalLife = 14 * 24 * time.Hour

// Kind of what a change is of.
type Kind string

// Kinds besides the settings.
const (
	OfApprovals Kind = "approvals" // how many must approve
	OfCheck     Kind = "check"     // a question to a server, which of its versions it is
)

// Change is one change of the settings, or another step that may want approval.
type Change struct {
	ID        int64  `json:"id"`
	State     State  `json:"state"`
	Reason    string `json:"reason"`
	Requester string `json:"requester"`
	// Authors are all whose work it is: who edited, who asked, and the people behind
	// their tokens. None of them can approve it.
	Authors []string `json:"authors,omitempty"`
	// Hands are those who may have acted in their names.
	Hands     []auth.Hand `json:"hands,omitempty"`
	Requested time.Time   `json:"requested"`
	// The plan: from this text to that one. Plan is its hash; what was approved
	// is that and nothing else.
	// Kind is what the change is of: "" the settings; else Value is what is to be,
	// and Base and Text are empty.
	Kind   Kind   `json:"kind,omitempty"`
	Value  string `json:"value,omitempty"`
	Base   string `json:"base"`
	Text   string `json:"text"`
	Plan   string `json:"plan"`
	Needed int    `json:"needed"` // approvals by others, as the policy was, and not fewer than it came to want meanwhile
	// From and To are the window; zero: at once.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Urgent goes into force in spite of a freeze; approvals bind to that, too.
	Urgent    bool       `json:"urgent,omitempty"`
	Approvals []Approval `json:"approvals"`
	Closed    Step       `json:"closed"`  // rejected or withdrawn
	Applied   Step       `json:"applied"` // done, failed or missed; Note says what was verified
	Undone    Step       `json:"undone"`
}

// Approval is one person's yes to a plan.
type Approval struct {
	Who  string    `json:"who"`
	At   time.Time `json:"at"`
	Plan string    `json:"plan"`
}

// Step says who took a step, when, and what there is to say.
type Step struct {
	Who  string    `json:"who"`
	At   time.Time `json:"at"`
	Note string    `json:"note"`
}

// Draft is what is being edited: one for the whole box, so that nobody works
// against another unseen.
type Draft struct {
	Base    string      `json:"base"` // text that it began from
	Text    string      `json:"text"`
	Authors []string    `json:"authors"` // those behind tokens, too
	Hands   []auth.Hand `json:"hands,omitempty"`
	Since   time.Time   `json:"since"`
}

// What may stand in the way. The text is shown to the user.
var (
	ErrNone     = errors.New("there is no such change")
	ErrNoDraft  = errors.New("nothing is pending")
	ErrState    = errors.New("the change is not in a state in which that can be done")
	ErrOwn      = errors.New("whoever asked for a change or edited it, also by a token, cannot approve it; another must")
	ErrGiven    = errors.New("since this change, or less than a day before, who asked for it or edited it gave you your account, role, password or key, or you gave them theirs, or one person gave both; another must approve it")
	ErrTwice    = errors.New("you have approved this change already")
	ErrOutdated = errors.New("the settings have been changed since; discard this and begin anew")
	ErrPlan     = errors.New("the change is not the one that you looked at; look again")
	ErrInput    = errors.New("this cannot be taken")
)

// Of says whether a change is somebody's own.
func (c *Change) Of(name string) bool {
	return name != "" && c.Requester == name || slices.Contains(c.Authors, name)
}

// planOf is the hash that approvals bind to.
func planOf(c *Change) string {
	h := sha256.New()
	parts := []string{c.Base, c.Text, c.Reason, c.From.UTC().Format(time.RFC3339), c.To.UTC().Format(time.RFC3339)}
	if c.Kind != "" {
		parts = append(parts, string(c.Kind), c.Value)
	}
	if c.Urgent {
		parts = append(parts, "urgent")
	}
	for _, s := range parts {
		sum := sha256.Sum256([]byte(s))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Line is one line of the difference between two texts.
type Line = keeper.Line

// Diff compares two texts line by line.
func Diff(old, new string) []Line { return keeper.Diff(old, new) }

// Changed counts the lines that differ.
func Changed(lines []Line) (n int) {
	for _, l := range lines {
		if l.Sign != " " {
			n++
		}
	}
	return n
}
