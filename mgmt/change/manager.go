package change

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/store"
)

// Schema is what the manager keeps, in the file that holds the audit log.
const Schema = `
CREATE TABLE change(id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX change_state ON change(state);
CREATE TABLE draft(id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);
CREATE TABLE policy(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`

// AppliedSchema finds the settings that went into force last without reading all
// that ever did.
const AppliedSchema = `
CREATE INDEX change_applied ON change(julianday(json_extract(CAST(body AS TEXT), '$.applied.at')))
WHERE state = 'done' AND json_extract(CAST(body AS TEXT), '$.kind') IS NULL;
`

const selectLastApplied = `SELECT id, body FROM change INDEXED BY change_applied WHERE state = 'done' AND json_extract(CAST(body AS TEXT), '$.kind') IS NULL
ORDER BY julianday(json_extract(CAST(body AS TEXT), '$.applied.at')) DESC LIMIT 1`

// Keeper is who writes the settings: board/keeper's client.
type Keeper interface {
	Current(context.Context) (keeper.State, error)
	Write(context.Context, keeper.Change) (keeper.State, error)
	Confirm(context.Context) error
	History(context.Context) ([]keeper.Revision, error)
	Export(ctx context.Context, passphrase string, to io.Writer) error
	Import(ctx context.Context, who, passphrase string, file io.Reader, size int64) error
}

// Who takes a step, for the audit log.
type Who struct {
	Name, Role, From string
	// Person is who made the token that takes the step; "" when a person does.
	Person string
	// Hands are those who may act in the name of a person, or of who made the token.
	Hands []auth.Hand
}

// join adds who takes a step, and the person behind a token, to those who did.
func (w Who) join(all []string) []string {
	for _, name := range []string{w.Name, w.Person} {
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// Manager holds the changes. Its methods are safe for use by many goroutines.
type Manager struct {
	DB     *store.DB
	Audit  *audit.Log
	Keeper Keeper
	Wire   func(context.Context) (control.Status, error) // asks the dataplane, now
	Now    func() time.Time
	// Check asks a server what it is, and says what came of it.
	Check func(ctx context.Context, value string) (note string, err error)
	// Frozen names the freeze that holds now, "" where none does. Without it there
	// are none.
	Frozen func() (name string, err error)

	mu sync.Mutex // one step at a time
}

// step runs do in a transaction that ends with a record of the audit log; a
// refusal is recorded too.
func (m *Manager) step(who Who, action, object string, do func(tx *sql.Tx) (detail string, err error)) error {
	entry := audit.Entry{Time: m.Now().UTC(), Who: who.Name, Role: who.Role, From: who.From, Action: action, Object: object, Outcome: "done"}
	var rec audit.Record
	err := func() error {
		tx, err := m.DB.Write.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if entry.Detail, err = do(tx); err != nil {
			return err
		}
		if rec, err = audit.AddTo(tx, entry); err != nil {
			return err
		}
		return tx.Commit()
	}()
	if err != nil {
		entry.Outcome, entry.Detail = "refused", err.Error()
		m.Audit.Add(entry)
		return err
	}
	m.Audit.Told(rec)
	return nil
}

// Draft returns what is pending; nil when nothing is.
func (m *Manager) Draft() (*Draft, error) { return readDraft(m.DB.Read.QueryRow(selectDraft)) }

const selectDraft = "SELECT body FROM draft"

func readDraft(row *sql.Row) (*Draft, error) {
	var body []byte
	err := row.Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read draft: %w", err)
	}
	d := new(Draft)
	return d, json.Unmarshal(body, d)
}

// Edit changes the draft, or begins one. What comes out must be settings that
// the box would take; where it is what is in force anyway, nothing is pending.
func (m *Manager) Edit(ctx context.Context, who Who, what string, edit func(text string) (string, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.Keeper.Current(ctx)
	if err != nil {
		return err
	}
	return m.step(who, "draft.edit", what, func(tx *sql.Tx) (string, error) {
		d, err := readDraft(tx.QueryRow(selectDraft))
		if err != nil {
			return "", err
		}
		if d == nil {
			d = &Draft{Base: now.Text, Text: now.Text, Since: m.Now().UTC()}
		}
		if d.Base != now.Text {
			return "", ErrOutdated
		}
		if d.Text, err = edit(d.Text); err != nil {
			return "", fmt.Errorf("%w: %w", ErrInput, err)
		}
		if len(d.Text) > keeper.MaxText {
			return "", fmt.Errorf("%w: the settings would be larger than %d bytes", ErrInput, keeper.MaxText)
		}
		if _, err := settings.Parse([]byte(d.Text)); err != nil {
			return "", fmt.Errorf("%w: %w", ErrInput, err)
		}
		if d.Text == d.Base {
			_, err := tx.Exec("DELETE FROM draft")
			return "nothing is pending any more", err
		}
		d.Authors, d.Hands = who.join(d.Authors), auth.JoinHands(d.Hands, who.Hands)
		body, err := json.Marshal(d)
		if err != nil {
			return "", err
		}
		_, err = tx.Exec("INSERT INTO draft VALUES (1, ?) ON CONFLICT(id) DO UPDATE SET body = excluded.body", body)
		return fmt.Sprintf("%d lines pending", Changed(Diff(d.Base, d.Text))), err
	})
}

// Discard gives up what is pending.
func (m *Manager) Discard(who Who) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.step(who, "draft.discard", "", func(tx *sql.Tx) (string, error) {
		r, err := tx.Exec("DELETE FROM draft")
		if err == nil {
			if n, _ := r.RowsAffected(); n == 0 {
				err = ErrNoDraft
			}
		}
		return "", err
	})
}

// MaxApprovals is how many others a site can have approve a change.
const MaxApprovals = 2

// Approvals is how many people besides the requester must approve a change.
func (m *Manager) Approvals() (int, error) { return approvals(m.DB.Read.QueryRow(selectApprovals)) }

const selectApprovals = "SELECT value FROM policy WHERE key = 'approvals'"

func approvals(row *sql.Row) (int, error) {
	var v string
	err := row.Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return MaxApprovals, err // not fewer than wanted
	}
	return strconv.Atoi(v)
}

// SetApprovals changes how many must approve. Fewer than now is itself a change
// that as many as now must approve, and is returned. More are wanted of the changes
// that wait, too.
func (m *Manager) SetApprovals(ctx context.Context, who Who, n int) (*Change, error) {
	if n < 0 || n > MaxApprovals {
		return nil, fmt.Errorf("%w: 0 to %d others may have to approve", ErrInput, MaxApprovals)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, err := m.Approvals()
	if err != nil {
		return nil, err
	}
	if n < old {
		return m.propose(ctx, who, OfApprovals, strconv.Itoa(n), fmt.Sprintf("others who must approve: %d → %d", old, n))
	}
	return nil, m.step(who, "policy.approvals", "", func(tx *sql.Tx) (string, error) { return m.setApprovals(tx, n) })
}

// setApprovals does so; m.mu is held.
func (m *Manager) setApprovals(tx *sql.Tx, n int) (string, error) {
	old, err := approvals(tx.QueryRow(selectApprovals))
	if err == nil {
		err = putPolicy(tx, "approvals", strconv.Itoa(n))
	}
	if err == nil && old == 0 {
		err = putPolicy(tx, wantedSince, m.Now().UTC().Format(time.RFC3339Nano))
	}
	if err != nil {
		return "", err
	}
	open, err := m.Open()
	if err != nil {
		return "", err
	}
	for _, c := range open {
		if c.State == Submitted && c.Needed < n {
			c.Needed = n
			if err := save(tx, c); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("%d → %d", old, n), nil
}

// wantedSince is since when approvals are wanted: who was made an approver before
// was part of setting the box up, when one person could do everything anyway.
const wantedSince = "approvals_since"

func putPolicy(tx *sql.Tx, key, value string) error {
	_, err := tx.Exec("INSERT INTO policy VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

// givenBefore is how long before a change accounts must have been given for who gave
// them, and who got them, to be different people: nobody makes an approver for a change
// of their own, or somebody to ask for it, without a day in which others can see it.
const givenBefore = 24 * time.Hour

// Approvable says why somebody cannot approve a change that waits for it; nil: they can.
func (m *Manager) Approvable(who Who, c *Change) error {
	if c.Of(who.Name) {
		return ErrOwn
	}
	if slices.ContainsFunc(c.Approvals, func(a Approval) bool { return a.Who == who.Name }) {
		return ErrTwice
	}
	var text string
	err := m.DB.Read.QueryRow("SELECT value FROM policy WHERE key = ?", wantedSince).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	since, _ := time.Parse(time.RFC3339, text) // one that cannot be read excuses nobody
	counts := func(h auth.Hand) bool {
		return !h.At.Before(since) && h.At.After(c.Requested.Add(-givenBefore))
	}
	of := func(name string) bool {
		return name == "" || c.Of(name) || slices.ContainsFunc(c.Hands, func(h auth.Hand) bool { return counts(h) && (h.Name == name || h.Name == "") })
	}
	if of(who.Name) || slices.ContainsFunc(who.Hands, func(h auth.Hand) bool { return counts(h) && of(h.Name) }) {
		return ErrGiven
	}
	return nil
}

// Get returns one change.
func (m *Manager) Get(id int64) (*Change, error) {
	return readChange(m.DB.Read.QueryRow(selectChange, id))
}

const selectChange = "SELECT id, body FROM change WHERE id = ?"

func readChange(row interface{ Scan(...any) error }) (*Change, error) {
	var id int64
	var body []byte
	err := row.Scan(&id, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read change: %w", err)
	}
	c := new(Change)
	err = json.Unmarshal(body, c)
	c.ID = id
	return c, err
}

// List returns up to n changes, the latest first.
func (m *Manager) List(n int) ([]*Change, error) {
	return m.list("SELECT id, body FROM change ORDER BY id DESC LIMIT ?", n)
}

// Open returns the changes that are submitted or approved.
func (m *Manager) Open() ([]*Change, error) {
	return m.list("SELECT id, body FROM change WHERE state IN ('submitted', 'approved') ORDER BY id")
}

func (m *Manager) list(query string, args ...any) ([]*Change, error) {
	rows, err := m.DB.Read.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	defer rows.Close()
	all := []*Change{}
	for rows.Next() {
		c, err := readChange(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}
