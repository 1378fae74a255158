package change

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/mgmt/auth"
)

// Request is what somebody wants done with the draft.
type Request struct {
	Seen     string // sum of the draft's text that whoever asks has looked at; "" for any
	Reason   string
	From, To time.Time // its window; zero: at once
	Urgent   bool      // in spite of a freeze
}

// Submit makes the draft a change. Where nobody else must approve and the window
// is now, it is applied.
func (m *Manager) Submit(ctx context.Context, who Who, r Request) (*Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to := r.From, r.To
	c := &Change{State: Submitted, Reason: strings.TrimSpace(r.Reason), Requester: who.Name, Requested: m.Now().UTC(), From: from.UTC(), To: to.UTC(), Urgent: r.Urgent}
	err := m.step(who, "change.submit", "", func(tx *sql.Tx) (string, error) {
		d, err := readDraft(tx.QueryRow(selectDraft))
		switch {
		case err != nil:
			return "", err
		case d == nil:
			return "", ErrNoDraft
		case r.Seen != "" && r.Seen != keeper.Sum(d.Text):
			return "", ErrPlan
		case c.Reason == "" || len(c.Reason) > 2000:
			return "", fmt.Errorf("%w: say why, in up to 2000 characters", ErrInput)
		case from.IsZero() != to.IsZero() || !from.IsZero() && (!to.After(from) || !to.After(m.Now())):
			return "", fmt.Errorf("%w: a window has a beginning and, later, an end that is to come", ErrInput)
		case !from.IsZero() && to.Sub(from) < applyTime:
			return "", fmt.Errorf("%w: a change may take %s, so its window must be as long", ErrInput, applyTime)
		}
		c.Base, c.Text, c.Authors, c.Hands = d.Base, d.Text, who.join(d.Authors), auth.JoinHands(d.Hands, who.Hands)
		if err := enter(tx, c); err != nil {
			return "", err
		}
		if _, err := tx.Exec("DELETE FROM draft"); err != nil {
			return "", err
		}
		return fmt.Sprintf("change %d, plan %s: %s", c.ID, c.Plan, c.Reason), save(tx, c)
	})
	if err != nil {
		return nil, err
	}
	return c, m.applyIfDue(ctx, who, c)
}

// enter gives a change its number, its plan, and how many must approve it.
func enter(tx *sql.Tx, c *Change) (err error) {
	if c.Needed, err = approvals(tx.QueryRow(selectApprovals)); err != nil {
		return err
	}
	c.Plan = planOf(c)
	if c.Needed == 0 {
		c.State = Approved
	}
	r, err := tx.Exec("INSERT INTO change(state, body) VALUES (?, '{}')", c.State)
	if err != nil {
		return err
	}
	c.ID, err = r.LastInsertId()
	return err
}

// Propose asks for something that is not in the settings: it is done at once,
// or when as many as must have approved it.
func (m *Manager) Propose(ctx context.Context, who Who, kind Kind, value, reason string) (*Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.propose(ctx, who, kind, value, reason)
}

// propose does so; m.mu is held.
func (m *Manager) propose(ctx context.Context, who Who, kind Kind, value, reason string) (*Change, error) {
	c := &Change{State: Submitted, Kind: kind, Value: value, Reason: strings.TrimSpace(reason), Requester: who.Name, Authors: who.join(nil), Hands: who.Hands, Requested: m.Now().UTC()}
	if c.Reason == "" || len(c.Reason) > 2000 || len(value) > 500 {
		return nil, fmt.Errorf("%w: say why, in up to 2000 characters", ErrInput)
	}
	err := m.step(who, "change.submit", "", func(tx *sql.Tx) (string, error) {
		if err := enter(tx, c); err != nil {
			return "", err
		}
		return fmt.Sprintf("change %d, plan %s, %s %s: %s", c.ID, c.Plan, c.Kind, c.Value, c.Reason), save(tx, c)
	})
	if err != nil {
		return nil, err
	}
	return c, m.applyIfDue(ctx, who, c)
}

func save(tx *sql.Tx, c *Change) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE change SET state = ?, body = ? WHERE id = ?", c.State, body, c.ID)
	return err
}

// move takes one step of a change that is in one of the states from.
func (m *Manager) move(who Who, action string, id int64, from []State, do func(c *Change) (string, error)) (*Change, error) {
	var c *Change
	err := m.step(who, action, fmt.Sprintf("change %d", id), func(tx *sql.Tx) (detail string, err error) {
		if c, err = readChange(tx.QueryRow(selectChange, id)); err != nil {
			return "", err
		}
		if !slices.Contains(from, c.State) {
			return "", fmt.Errorf("%w: it is %s", ErrState, c.State)
		}
		if detail, err = do(c); err != nil {
			return "", err
		}
		return detail, save(tx, c)
	})
	return c, err
}

// Approve is one person's yes to the plan of a change. With the last one it is
// approved, and applied when its window is now.
func (m *Manager) Approve(ctx context.Context, who Who, id int64, plan string) (*Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.move(who, "change.approve", id, []State{Submitted}, func(c *Change) (string, error) {
		if err := m.Approvable(who, c); err != nil {
			return "", err
		}
		switch {
		case plan != c.Plan || planOf(c) != c.Plan:
			return "", ErrPlan
		case m.Now().Sub(c.Requested) > ApprovalLife:
			return "", fmt.Errorf("%w: it has waited for more than %d days", ErrOutdated, ApprovalLife/(24*time.Hour))
		}
		c.Approvals = append(c.Approvals, Approval{who.Name, m.Now().UTC(), plan})
		if len(c.Approvals) >= c.Needed {
			c.State = Approved
		}
		return "plan " + plan, nil
	})
	if err != nil {
		return nil, err
	}
	return c, m.applyIfDue(ctx, who, c)
}

// Reject is another's no.
func (m *Manager) Reject(who Who, id int64, note string) (*Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.move(who, "change.reject", id, []State{Submitted}, func(c *Change) (string, error) {
		c.State, c.Closed = Rejected, Step{who.Name, m.Now().UTC(), note}
		return note, nil
	})
}

// Withdraw takes a change back that is not applied yet.
func (m *Manager) Withdraw(who Who, id int64) (*Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.move(who, "change.withdraw", id, []State{Submitted, Approved}, func(c *Change) (string, error) {
		c.State, c.Closed = Withdrawn, Step{who.Name, m.Now().UTC(), ""}
		return "", nil
	})
}

// applyTime is how long a change may take to be in force.
const applyTime = 160 * time.Second

// applyIfDue applies an approved change whose time is now.
func (m *Manager) applyIfDue(ctx context.Context, who Who, c *Change) error {
	if c.State != Approved || !c.From.IsZero() && m.Now().Before(c.From) {
		return nil
	}
	if !c.To.IsZero() && m.Now().After(c.To) {
		return m.end(who, c, Missed, "its window has passed")
	}
	if left := c.To.Sub(m.Now()); !c.To.IsZero() && left < applyTime {
		return m.end(who, c, Missed, fmt.Sprintf("what is left of its window, %s, is less than the %s that a change may take", left.Round(time.Second), applyTime))
	}
	freeze, err := m.frozen(c)
	if err != nil || freeze != "" && !c.Urgent {
		return err // it waits for the end of the freeze
	}
	despite := ""
	if freeze != "" {
		despite = "urgent, in spite of the freeze " + freeze + "; "
	}
	// A browser that goes away must not leave half a change.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	// Intent before, result after: a power cut in between leaves a record of both
	// or of the first.
	m.Audit.Add(intent(m, who, "change.apply", c, "begins"))
	switch c.Kind {
	case OfApprovals:
		return m.applyApprovals(who, c)
	case OfCheck:
		return m.applyCheck(ctx, who, c)
	}
	now, err := m.Keeper.Current(ctx)
	if err == nil && now.Text != c.Text { // the same: an earlier run was ended between writing and saying so
		_, err = m.Keeper.Write(ctx, keeper.Change{Text: c.Text, Base: keeper.Sum(c.Base), Who: who.Name, Reason: fmt.Sprintf("change %d: %s", c.ID, c.Reason)})
	}
	switch {
	case errors.Is(err, keeper.ErrBase):
		return errors.Join(fmt.Errorf("%w: change %d", ErrOutdated, c.ID), m.end(who, c, Failed, ErrOutdated.Error()))
	case err != nil:
		return errors.Join(err, m.end(who, c, Failed, err.Error()))
	}
	found := m.verify(ctx, c.Text)
	if found != "" {
		return m.end(who, c, Done, despite+"in force, but not as planned: "+found)
	}
	return m.end(who, c, Done, despite+"verified: the wire has the services and modes of the plan")
}

// frozen names the freeze that keeps a change waiting. How many must approve is
// no change of the wire, and is not kept.
func (m *Manager) frozen(c *Change) (string, error) {
	if m.Frozen == nil || c.Kind == OfApprovals {
		return "", nil
	}
	return m.Frozen()
}

func (m *Manager) end(who Who, c *Change, state State, note string) error {
	done, err := m.move(who, "change."+string(state), c.ID, []State{Approved}, func(c *Change) (string, error) {
		c.State, c.Applied = state, Step{who.Name, m.Now().UTC(), note}
		return note, nil
	})
	if err == nil {
		*c = *done
	}
	return err
}

// UndoLife is for how long a change can be undone without approval where changes
// need one: the way back from a harmful change must be open, but who undoes one
// change after the other must not get to what was before the box protected anything.
const UndoLife = 7 * 24 * time.Hour

// Undo puts back what was in force before a change, as long as nothing was
// changed after it. It needs no approval: the way back must be open.
func (m *Manager) Undo(ctx context.Context, who Who, id int64) (*Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.Get(id)
	if err != nil {
		return nil, err
	}
	if err := m.Undoable(c); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	m.Audit.Add(intent(m, who, "change.undo", c, "begins"))
	_, err = m.Keeper.Write(ctx, keeper.Change{Text: c.Base, Base: keeper.Sum(c.Text), Who: who.Name, Reason: fmt.Sprintf("change %d undone", c.ID)})
	if errors.Is(err, keeper.ErrBase) {
		return nil, ErrOutdated
	}
	if err != nil {
		return nil, err
	}
	note := "verified: the wire is as before"
	if found := m.verify(ctx, c.Base); found != "" {
		note = "not as before: " + found
	}
	return m.move(who, "change.undone", id, []State{Done}, func(c *Change) (string, error) {
		c.State, c.Undone = Undone, Step{who.Name, m.Now().UTC(), note}
		return note, nil
	})
}

// LastApplied is the change that made the settings what they are; ErrNone: none did.
func (m *Manager) LastApplied() (*Change, error) {
	return readChange(m.DB.Read.QueryRow(selectLastApplied))
}

// Undoable says why a change cannot be undone; nil: it can.
func (m *Manager) Undoable(c *Change) error {
	if c.State != Done || c.Kind != "" {
		return fmt.Errorf("%w: it is %s", ErrState, c.State)
	}
	last, err := m.LastApplied()
	if err != nil {
		return err
	}
	// The settings may be the same again: what was before the change is older still.
	if last.ID != c.ID && last.Applied.At.After(c.Applied.At) {
		return fmt.Errorf("%w: change %d came after it", ErrOutdated, last.ID)
	}
	n, err := m.Approvals()
	if err == nil && n > 0 && m.Now().Sub(c.Applied.At) > UndoLife {
		err = fmt.Errorf("%w: it has been in force for more than %d days; put the settings before it in the draft and have that approved", ErrState, UndoLife/(24*time.Hour))
	}
	return err
}

// Confirm lets a change of the management port stay.
func (m *Manager) Confirm(ctx context.Context, who Who) error {
	err := m.Keeper.Confirm(ctx)
	if err != nil {
		return err
	}
	return m.step(who, "settings.confirm", "", func(*sql.Tx) (string, error) { return "", nil })
}

// scheduler acts in the name of those who approved.
var scheduler = Who{Name: "window"}

// Run applies approved changes in their windows until ctx ends.
func (m *Manager) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := m.Due(ctx); err != nil {
				failed(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Due applies the approved changes whose time is now.
func (m *Manager) Due(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	open, err := m.list("SELECT id, body FROM change WHERE state = 'approved' ORDER BY id")
	errs := []error{err, m.noticeTakenBack(ctx)}
	for _, c := range open {
		errs = append(errs, m.applyIfDue(ctx, scheduler, c))
	}
	return errors.Join(errs...)
}
