package report

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"wirepatch/mgmt/hook"
	"wirepatch/mgmt/store"
)

// Schema is what is kept: schedules, and reports as they were made.
var Schema = store.NamedSchema("schedule") + "CREATE TABLE report(id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, meta BLOB NOT NULL);"

// Bounds of what is kept.
const (
	maxSchedules = 30
	maxKept      = 200
	maxBody      = 32 << 20 // bytes of one report
	deliverFor   = 7 * 24 * time.Hour
	deliverAgain = 15 * time.Minute
)

// Errors besides ErrInput.
var (
	ErrNone = errors.New("there is no such report")
)

// Periods that a schedule makes reports of.
var Periods = []string{"day", "week", "month", "quarter"}

// Schedule has a report be made again and again: at the end of each period, of
// that period.
type Schedule struct {
	Name    string `json:"name"`
	Every   string `json:"every"`
	Kind    Kind   `json:"kind"`
	CVE     string `json:"cve,omitempty"`
	Product string `json:"product,omitempty"`
	Group   string `json:"group,omitempty"`
	Target  string `json:"target,omitempty"` // webhook that gets it; "": it is only kept
	CA      string `json:"ca,omitempty"`
	Secret  string `json:"-"`

	Next  time.Time `json:"next"`
	Error string    `json:"error,omitempty"` // of the last time
}

// stored is a schedule as it lies in the database.
type stored struct {
	Schedule
	Key string `json:"key,omitempty"`
}

// Kept says what of a report is kept, without its content.
type Kept struct {
	ID        int64     `json:"id"`
	Title     string    `json:"title"`
	Kind      Kind      `json:"kind"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Made      time.Time `json:"made"`
	By        string    `json:"by"`                 // schedule or user
	Sum       string    `json:"sha256"`             // of its JSON
	Target    string    `json:"target,omitempty"`   // "": not to be delivered
	Delivered time.Time `json:"delivered"`          // zero: not, or not yet
	Again     time.Time `json:"again"`              // is tried; zero: no more
	Error     string    `json:"error,omitempty"`    // of the last attempt
	Schedule  string    `json:"schedule,omitempty"` // that has target and secret
}

var nameForm = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,63}$`)

func (s Schedule) check() error {
	q := Question{Kind: s.Kind, CVE: s.CVE, Product: s.Product, Group: s.Group, To: time.Unix(1, 0)}
	switch {
	case !nameForm.MatchString(s.Name):
		return faulty("a name is up to 64 letters, digits, blanks, dots and dashes")
	case !slices.Contains(Periods, s.Every):
		return faulty("every: got %.20q, want %s", s.Every, strings.Join(Periods, ", "))
	case len(s.Secret) > 500:
		return faulty("a secret of more than 500 characters")
	}
	if s.Target != "" {
		if u, err := url.Parse(s.Target); err != nil || u.Scheme != "https" || u.Host == "" || len(s.Target) > 1000 {
			return faulty("target: got %.80q, want an address that begins with https://", s.Target)
		}
	}
	if _, err := hook.Roots(s.CA); err != nil {
		return faulty("%v", err)
	}
	return q.Check()
}

// periodBefore is the last whole period that had ended at a time, in UTC.
func periodBefore(every string, now time.Time) (from, to time.Time) {
	y, m, d := now.UTC().Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch every {
	case "week": // they begin on Monday
		to = today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
		return to.AddDate(0, 0, -7), to
	case "month":
		to = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		return to.AddDate(0, -1, 0), to
	case "quarter":
		to = time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
		return to.AddDate(0, -3, 0), to
	}
	return today.AddDate(0, 0, -1), today
}

// nextEnd is when the period that a time lies in ends.
func nextEnd(every string, now time.Time) time.Time {
	_, begin := periodBefore(every, now)
	switch every {
	case "week":
		return begin.AddDate(0, 0, 7)
	case "month":
		return begin.AddDate(0, 1, 0)
	case "quarter":
		return begin.AddDate(0, 3, 0)
	}
	return begin.AddDate(0, 0, 1)
}

// Keeper keeps schedules and reports.
type Keeper struct {
	DB  *store.DB
	Now func() time.Time
	// Make makes a report of what the box knows.
	Make func(ctx context.Context, q Question) (*Report, error)

	mu sync.Mutex
}

// Schedules returns all schedules by name, without secrets.
func (k *Keeper) Schedules() ([]Schedule, error) {
	all, err := k.schedules().All()
	out := []Schedule{}
	for _, s := range all {
		out = append(out, s.Schedule)
	}
	return out, err
}

func (k *Keeper) schedules() store.Named[stored] {
	return store.Named[stored]{DB: k.DB, Table: "schedule"}
}

// Put adds a schedule or changes it.
func (k *Keeper) Put(s Schedule) error {
	if err := s.check(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.schedules().Others(s.Name)
	if err != nil {
		return err
	}
	if n >= maxSchedules {
		return faulty("more than %d schedules", maxSchedules)
	}
	s.Next, s.Error = nextEnd(s.Every, k.Now()), ""
	return k.schedules().Put(s.Name, stored{s, s.Secret})
}

// Remove forgets a schedule; its reports stay, and those that were not delivered
// yet will not be.
func (k *Keeper) Remove(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, err := k.schedules().Remove(name)
	if err == nil && !found {
		err = ErrNone
	}
	return err
}

// Keep keeps a report that somebody has asked for.
func (k *Keeper) Keep(r *Report, by string) (Kept, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keep(r, Kept{By: by})
}

func (k *Keeper) keep(r *Report, m Kept) (Kept, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return m, err
	}
	if len(body) > maxBody {
		return m, faulty("the report is larger than %d MiB; ask for a group, product or vulnerability", maxBody>>20)
	}
	m.Title, m.Kind, m.From, m.To, m.Made, m.Sum = r.Title, r.Kind, r.From, r.To, r.Made, sum(body)
	tx, err := k.DB.Write.Begin()
	if err != nil {
		return m, err
	}
	defer tx.Rollback()
	res, err := tx.Exec("INSERT INTO report(body, meta) VALUES (?, '{}')", body)
	if err != nil {
		return m, err
	}
	if m.ID, err = res.LastInsertId(); err != nil {
		return m, err
	}
	if err := note(tx, m); err != nil {
		return m, err
	}
	if _, err := tx.Exec("DELETE FROM report WHERE id NOT IN (SELECT id FROM report ORDER BY id DESC LIMIT ?)", maxKept); err != nil {
		return m, err
	}
	return m, tx.Commit()
}

// note writes down what is known about a kept report.
func note(db interface {
	Exec(string, ...any) (sql.Result, error)
}, m Kept) error {
	meta, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = db.Exec("UPDATE report SET meta = ? WHERE id = ?", meta, m.ID)
	return err
}

// List returns what is kept, the latest first.
func (k *Keeper) List() ([]Kept, error) {
	rows, err := k.DB.Read.Query("SELECT meta FROM report ORDER BY id DESC")
	if err != nil {
		return nil, fmt.Errorf("read reports: %w", err)
	}
	defer rows.Close()
	all := []Kept{}
	for rows.Next() {
		var meta []byte
		if err := rows.Scan(&meta); err != nil {
			return nil, err
		}
		var m Kept
		if err := json.Unmarshal(meta, &m); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// Get returns a report as it was made.
func (k *Keeper) Get(id int64) (*Report, error) {
	var body []byte
	err := k.DB.Read.QueryRow("SELECT body FROM report WHERE id = ?", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	r := new(Report)
	return r, json.Unmarshal(body, r)
}
