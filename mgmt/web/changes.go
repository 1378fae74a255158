package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/visible"
)

// pending is the bar on every page: what waits for somebody.
type pending struct {
	Lines   int // of the draft that differ
	Authors []string
	Since   moment
	Open    int    // changes that wait for an approval or their window
	Confirm moment // a change of the management port is taken back then
	Edit    bool   // the visitor may discard and submit
}

// pending asks what is pending; nil when nothing is.
func (s *Site) pending(v visit) *pending {
	p := &pending{Edit: v.role.In(editors)}
	if d, err := s.Changes.Draft(); err == nil && d != nil {
		p.Lines, p.Authors, p.Since = change.Changed(change.Diff(d.Base, d.Text)), d.Authors, at(d.Since)
	}
	if open, err := s.Changes.Open(); err == nil {
		p.Open = len(open)
	}
	ctx, cancel := context.WithTimeout(context.Background(), keeperTime)
	defer cancel()
	if now, err := s.Changes.Keeper.Current(ctx); err == nil {
		p.Confirm = at(now.Confirm)
	}
	if p.Lines == 0 && p.Open == 0 && p.Confirm == (moment{}) {
		return nil
	}
	return p
}

// keeperTime is how long a page waits for init.
const keeperTime = 2 * time.Second

// changeList is the page of changes.
type changeList struct {
	Draft     *draftView
	Rows      []changeRow
	Approvals int
	Cycles    []cycleRow
	Freezes   []freezeRow
	Frozen    *freezeRow // the one that holds now
	Problem   string
}

type draftView struct {
	Lines   []change.Line
	Authors []string
	Since   moment
	Base    string // hash, against which the form is sent
}

// shownLines is what a change is judged by: invisible characters, and those that
// turn the direction of writing, would have it read otherwise than the box does.
func (v visit) shownLines(base, text string) []change.Line {
	all := change.Diff(base, text)
	for i := range all {
		all[i].Text = visible.Line(v.masked(all[i].Text))
	}
	return all
}

type changeRow struct {
	ID                   int64
	State, Class, Reason string
	Requester            string
	Kind, Value          string
	Requested, From, To  moment
	Approvals, Needed    int
	Ended                moment
	Note                 string
}

func rowOfChange(c *change.Change) changeRow {
	r := changeRow{ID: c.ID, State: string(c.State), Class: stateClass[c.State], Reason: visible.Line(c.Reason), Requester: c.Requester, Requested: at(c.Requested),
		From: at(c.From), To: at(c.To), Approvals: len(c.Approvals), Needed: c.Needed}
	r.Kind, r.Value = string(c.Kind), visible.Line(c.Value)
	for _, st := range []change.Step{c.Closed, c.Applied, c.Undone} {
		if !st.At.IsZero() {
			r.Ended, r.Note = at(st.At), visible.Line(st.Note)
		}
	}
	return r
}

var stateClass = map[change.State]string{change.Done: "good", change.Failed: "bad", change.Missed: "bad", change.Rejected: "bad", change.Submitted: "warn", change.Approved: "warn", change.Undone: "quiet", change.Withdrawn: "quiet"}

// shownChanges is how many changes the page lists.
const shownChanges = 200

func (s *Site) changesPage(w http.ResponseWriter, _ *http.Request, v visit) {
	var l changeList
	all, err := s.Changes.List(shownChanges)
	if err != nil {
		l.Problem = err.Error()
	}
	for _, c := range all {
		l.Rows = append(l.Rows, rowOfChange(c))
	}
	if d, err := s.Changes.Draft(); err == nil && d != nil {
		l.Draft = &draftView{v.shownLines(d.Base, d.Text), d.Authors, at(d.Since), keeper.Sum(d.Text)}
	}
	l.Approvals, _ = s.Changes.Approvals()
	if l.Cycles, err = s.cycleRows(); err != nil {
		l.Problem = visible.Line(err.Error())
	}
	if l.Freezes, l.Frozen, err = s.freezeRows(); err != nil {
		l.Problem = visible.Line(err.Error())
	}
	s.show(w, v, http.StatusOK, "changes", "Changes", l)
}

// changeView is one change, and what the visitor may do with it.
type changeView struct {
	changeRow
	Plan                                        string
	Lines                                       []change.Line
	List                                        []approvalRow
	Closed                                      stepRow
	Applied                                     stepRow
	Undone                                      stepRow
	MayApprove, MayReject, MayWithdraw, MayUndo bool
	InForce                                     bool
	Urgent                                      bool
	Frozen                                      *freezeRow // which it waits for
}

type approvalRow struct {
	Who string
	At  moment
}

type stepRow struct {
	Who, Note string
	At        moment
}

func rowOfStep(s change.Step) stepRow { return stepRow{s.Who, visible.Line(s.Note), at(s.At)} }

func (s *Site) changePage(w http.ResponseWriter, r *http.Request, v visit) {
	c, ok := s.changeOf(w, r, v)
	if !ok {
		return
	}
	view := changeView{changeRow: rowOfChange(c), Plan: c.Plan, Lines: v.shownLines(c.Base, c.Text), Closed: rowOfStep(c.Closed), Applied: rowOfStep(c.Applied), Undone: rowOfStep(c.Undone)}
	for _, a := range c.Approvals {
		view.List = append(view.List, approvalRow{a.Who, at(a.At)})
	}
	if now, err := s.Changes.Keeper.Current(r.Context()); err == nil {
		view.InForce = now.Text == c.Text && c.Kind == ""
	}
	if view.Urgent = c.Urgent; c.State == change.Approved && !c.Urgent {
		_, view.Frozen, _ = s.freezeRows() // where they cannot be read the change waits, and the page Changes says why
	}
	view.MayApprove = c.State == change.Submitted && v.role.In(approvers) && s.Changes.Approvable(whoOf(r, v), c) == nil
	view.MayReject = c.State == change.Submitted && v.role.In(approvers)
	view.MayWithdraw = (c.State == change.Submitted || c.State == change.Approved) && v.role.In(editors)
	view.MayUndo = c.State == change.Done && v.role.In(editors) && view.InForce && s.Changes.Undoable(c) == nil
	s.show(w, v, http.StatusOK, "change", fmt.Sprintf("Change %d", c.ID), view)
}

func (s *Site) changeOf(w http.ResponseWriter, r *http.Request, v visit) (*change.Change, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	var c *change.Change
	if err == nil {
		c, err = s.Changes.Get(id)
	}
	if err != nil {
		s.fail(w, r, v, http.StatusNotFound, "No such change", "There is no change of this number.", "All are listed on the page Changes.")
		return nil, false
	}
	return c, true
}

// ChangesInfo is the answer to GET /api/v1/changes.
type ChangesInfo struct {
	Draft     *change.Draft    `json:"draft"`
	Approvals int              `json:"approvals"` // people besides the requester
	Changes   []*change.Change `json:"changes"`
}

func (s *Site) apiChanges(w http.ResponseWriter, _ *http.Request, v visit) {
	all, err := s.Changes.List(shownChanges)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	d, err := s.Changes.Draft()
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	for i, c := range all {
		all[i] = v.maskedChange(c)
	}
	n, _ := s.Changes.Approvals()
	writeJSON(w, http.StatusOK, ChangesInfo{v.maskedDraft(d), n, all})
}

func (s *Site) apiChange(w http.ResponseWriter, r *http.Request, v visit) {
	if c, ok := s.changeOf(w, r, v); ok {
		writeJSON(w, http.StatusOK, v.maskedChange(c))
	}
}

// whoOf is the visitor, for the records of a change.
func whoOf(r *http.Request, v visit) change.Who {
	return change.Who{Name: v.who, Role: v.role.String(), From: from(r).String(), Person: v.person, Hands: v.hands}
}

// step makes an action of a step that the manager records itself.
func (s *Site) step(do func(r *http.Request, v visit, in url.Values) (done, error)) doing {
	return func(r *http.Request, v visit, in url.Values) (done, error) {
		d, err := do(r, v, in)
		d.recorded = true
		return d, err
	}
}

func (s *Site) discard(r *http.Request, v visit, _ url.Values) (done, error) {
	return done{}, s.Changes.Discard(whoOf(r, v))
}

func (s *Site) submit(r *http.Request, v visit, in url.Values) (done, error) {
	begin, err1 := parseTime(in.Get("from"))
	end, err2 := parseTime(in.Get("to"))
	if err := errors.Join(err1, err2); err != nil {
		return done{}, faulty("%v", err)
	}
	if name := in.Get("cycle"); name != "" {
		var err error
		if begin, end, err = s.windowOf(name); err != nil {
			return done{}, err
		}
	}
	c, err := s.Changes.Submit(r.Context(), whoOf(r, v), change.Request{Seen: in.Get("draft"), Reason: in.Get("reason"), From: begin, To: end, Urgent: in.Get("urgent") == "yes"})
	return doneChange(v, c), err
}

func doneChange(v visit, c *change.Change) done {
	if c == nil {
		return done{}
	}
	return done{Back: fmt.Sprintf("/changes/%d", c.ID), Result: v.maskedChange(c)}
}

// idOf reads the number of the change that is meant.
func idOf(in url.Values) (int64, error) {
	id, err := strconv.ParseInt(in.Get("id"), 10, 64)
	if err != nil {
		return 0, faulty("id must be the number of a change")
	}
	return id, nil
}

func (s *Site) approve(r *http.Request, v visit, in url.Values) (done, error) {
	id, err := idOf(in)
	if err != nil {
		return done{}, err
	}
	c, err := s.Changes.Approve(r.Context(), whoOf(r, v), id, in.Get("plan"))
	return doneChange(v, c), err
}

func (s *Site) reject(r *http.Request, v visit, in url.Values) (done, error) {
	id, err := idOf(in)
	if err != nil {
		return done{}, err
	}
	c, err := s.Changes.Reject(whoOf(r, v), id, in.Get("note"))
	return doneChange(v, c), err
}

func (s *Site) withdraw(r *http.Request, v visit, in url.Values) (done, error) {
	id, err := idOf(in)
	if err != nil {
		return done{}, err
	}
	c, err := s.Changes.Withdraw(whoOf(r, v), id)
	return doneChange(v, c), err
}

func (s *Site) undo(r *http.Request, v visit, in url.Values) (done, error) {
	id, err := idOf(in)
	if err != nil {
		return done{}, err
	}
	c, err := s.Changes.Undo(r.Context(), whoOf(r, v), id)
	return doneChange(v, c), err
}

func (s *Site) confirmSettings(r *http.Request, v visit, _ url.Values) (done, error) {
	return done{}, s.Changes.Confirm(r.Context(), whoOf(r, v))
}

func (s *Site) setApprovals(r *http.Request, v visit, in url.Values) (done, error) {
	n, err := strconv.Atoi(in.Get("approvals"))
	if err != nil {
		return done{}, faulty("approvals must be 0, 1 or 2")
	}
	c, err := s.Changes.SetApprovals(r.Context(), whoOf(r, v), n)
	return doneChange(v, c), err
}
