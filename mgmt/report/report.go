// Package report puts together what an auditor or a manager asks for: what is
// exposed, whether what should be patched is, what the inline patches did, who
// changed what. A report is a plain value, made from what the box knows at one
// moment; how it is written (page, PDF, CSV, JSON) is apart from what is in it.
package report

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/change"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/inventory"
)

// Kind of a report.
type Kind string

// The kinds.
const (
	Exposure   Kind = "exposure"   // what is open, and what there is to do
	Compliance Kind = "compliance" // is what should be patched really patched
	Effect     Kind = "effect"     // what the inline patches did
	Changes    Kind = "changes"    // who changed what, by whose leave
)

// Kinds are all of them, in the order of the page.
var Kinds = []Kind{Exposure, Compliance, Effect, Changes}

// ErrInput is what is wrong with what was handed in.
var ErrInput = errors.New("this cannot be taken")

func faulty(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInput}, a...)...)
}

// Question is what a report is to say.
type Question struct {
	Kind    Kind      `json:"kind"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	CVE     string    `json:"cve,omitempty"`     // compliance: the fix that is asked about
	Product string    `json:"product,omitempty"` // compliance: the product whose versions are asked about
	Group   string    `json:"group,omitempty"`   // of servers; "": all
}

// Check says what is wrong with a question.
func (q Question) Check() error {
	switch {
	case !slices.Contains(Kinds, q.Kind):
		return faulty("kind: got %.20q, want exposure, compliance, effect or changes", q.Kind)
	case !q.To.After(q.From):
		return faulty("the period ends before it begins")
	case len(q.CVE)+len(q.Product)+len(q.Group) > 500:
		return faulty("a vulnerability, product or group is too long")
	}
	return nil
}

// Known is what a report is made from.
type Known struct {
	Host, Firmware string
	Now            time.Time
	View           *inventory.View
	History        []inventory.Standing // up to the end of the period
	Tallies        []events.Tally       // of the period
	Hours          []events.Hour        // the same by the hour, oldest first
	Changes        []*change.Change
	Approvals      int
	Head           string // of the audit log
}

// Report is one report.
type Report struct {
	Question
	Title    string    `json:"title"`
	Host     string    `json:"host"`
	Firmware string    `json:"firmware"`
	Made     time.Time `json:"made"`
	Head     string    `json:"audit_head"` // of the audit log, when it was made
	Sections []Section `json:"sections"`
}

// Section is a table with a heading.
type Section struct {
	Title   string     `json:"title"`
	Text    string     `json:"text,omitempty"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`

	// Step is set where the rows follow each other in time: how many seconds they are
	// apart. The first column is then a time in StepFormat, the others are counts.
	Step int64 `json:"step,omitempty"`
}

// StepFormat is how times are written where rows follow each other in time.
const StepFormat = "2006-01-02 15:04"

// Make answers a question.
func Make(q Question, k Known) (*Report, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	r := &Report{Question: q, Host: k.Host, Firmware: k.Firmware, Made: k.Now.UTC(), Head: k.Head}
	switch q.Kind {
	case Exposure:
		r.Title, r.Sections = "Exposure", exposure(q, k)
	case Compliance:
		r.Title, r.Sections = "Compliance", compliance(q, k)
	case Effect:
		r.Title, r.Sections = "Effect", effect(q, k)
	case Changes:
		r.Title, r.Sections = "Changes", changes(q, k)
	}
	return r, nil
}

// Period is the time that the report is about, in words.
func (r *Report) Period() string {
	return r.From.UTC().Format(time.DateOnly) + " to " + r.To.UTC().Format(time.DateOnly)
}

// of picks the exposures that a question is about.
func (q Question) of(all []inventory.Exposure) (list []inventory.Exposure) {
	for _, e := range all {
		if (q.CVE == "" || e.CVE == q.CVE) && (q.Group == "" || e.Group == q.Group) && (q.Product == "" || strings.EqualFold(e.Component.Name, q.Product)) {
			list = append(list, e)
		}
	}
	return list
}

func server(e inventory.Exposure) string {
	return strings.TrimSpace(e.Address.String() + " " + e.Server)
}

func software(c inventory.Component) string {
	if c.Version == "" {
		return c.Name + ", version not known"
	}
	return c.Name + " " + c.Version
}

func number(n int) string { return strconv.Itoa(n) }

// share is a part of a whole.
func share(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}
