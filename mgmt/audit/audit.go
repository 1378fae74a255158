// Package audit keeps who did what: an append-only log in which each record
// carries the hash of the one before, so that nothing within it can be changed,
// taken out or put in unseen. Cutting off its end is seen by whoever has kept a
// later head: the head goes out with every exported record.
package audit

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"wirepatch/mgmt/store"
)

// Entry is one record, as it is written.
type Entry struct {
	Time    time.Time `json:"time"` // by the box's clock
	Who     string    `json:"who"`  // user, token or program
	Role    string    `json:"role,omitempty"`
	From    string    `json:"from,omitempty"`   // address
	Action  string    `json:"action"`           // "sign-in", "change.approve"
	Object  string    `json:"object,omitempty"` // what it was done to
	Detail  string    `json:"detail,omitempty"` // old and new, secrets left out
	Outcome string    `json:"outcome"`          // "done", "refused", "failed"
}

// Record is an entry in its place.
type Record struct {
	Seq   uint64 `json:"seq"`
	Bytes string `json:"bytes"` // the entry's JSON, exactly as it was hashed
	Hash  string `json:"hash"`  // SHA-256 of the hash before it and Bytes, hexadecimal
}

// Entry reads the record's entry.
func (r Record) Entry() (e Entry, err error) { return e, json.Unmarshal([]byte(r.Bytes), &e) }

// Head is the end of the chain.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// Schema is for a file that holds the log, alone or beside other tables.
// The triggers are against mistakes of programs; against root the chain is.
const Schema = `
CREATE TABLE audit(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
` + deleteTrigger + ";\n"

const deleteTrigger = `CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END`

// genesis stands in for the hash before the first record.
var genesis = hex.EncodeToString(make([]byte, sha256.Size))

// link is the hash of a record.
func link(before string, bytes []byte) string {
	h := sha256.New()
	h.Write([]byte(before))
	h.Write(bytes)
	return hex.EncodeToString(h.Sum(nil))
}

// waiting bounds the entries that wait for a disk that takes them.
const waiting = 1000

// Log is the log. Its methods are safe for use by many goroutines.
type Log struct {
	db   *store.DB
	log  *slog.Logger
	now  func() time.Time
	told func(Record)

	mu      sync.Mutex
	pending []Entry
	missed  int    // entries that found no place even to wait
	trouble string // "" while all is kept
}

// New returns the log in db, which was made with Schema. told is called with
// each record that is kept; it must not wait.
func New(db *store.DB, now func() time.Time, log *slog.Logger, told func(Record)) *Log {
	return &Log{db: db, log: log, now: now, told: told, trouble: db.Trouble}
}

// Add keeps an entry. When the disk refuses, the entry waits in memory for the
// next one: to refuse all work then would also refuse the repair.
func (l *Log) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = l.now().UTC()
	}
	l.log.Info("audit", "who", e.Who, "from", e.From, "action", e.Action, "object", e.Object, "outcome", e.Outcome)
	if len(l.pending) >= waiting {
		l.missed++
	} else {
		l.pending = append(l.pending, e)
	}
	l.catchUp()
}

// catchUp writes what waits. l.mu is held.
func (l *Log) catchUp() {
	if l.missed > 0 && len(l.pending) < waiting {
		l.pending = append(l.pending, Entry{Time: l.now().UTC(), Who: "wirepatch", Action: "audit.gap", Outcome: "failed",
			Detail: fmt.Sprintf("%d entries could not be kept: the disk took none", l.missed)})
		l.missed = 0
	}
	for len(l.pending) > 0 {
		tx, err := l.db.Write.Begin()
		if err == nil {
			var r Record
			if r, err = AddTo(tx, l.pending[0]); err == nil {
				err = tx.Commit()
			}
			tx.Rollback()
			if err == nil {
				l.told(r)
			}
		}
		if err != nil {
			l.trouble = fmt.Sprintf("the audit log cannot be written (%v); %d entries wait in memory", err, len(l.pending))
			return
		}
		l.pending = l.pending[1:]
	}
	l.trouble = l.db.Trouble
}

// AddTo appends an entry within a transaction: what is recorded then happens
// together with its record, or not at all.
func AddTo(tx *sql.Tx, e Entry) (Record, error) {
	bytes, err := json.Marshal(e)
	if err != nil {
		return Record{}, err
	}
	h, err := head(tx.QueryRow(lastRecord))
	if err != nil {
		return Record{}, err
	}
	r := Record{h.Seq + 1, string(bytes), link(h.Hash, bytes)}
	_, err = tx.Exec("INSERT INTO audit(seq, bytes, hash) VALUES (?,?,?)", r.Seq, bytes, r.Hash)
	return r, err
}

const lastRecord = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"

func head(row *sql.Row) (Head, error) {
	h := Head{Hash: genesis}
	if err := row.Scan(&h.Seq, &h.Hash); err != nil && err != sql.ErrNoRows {
		return h, fmt.Errorf("end of the audit log: %w", err)
	}
	return h, nil
}

// Told passes on a record that was added with AddTo, once its transaction is
// done.
func (l *Log) Told(r Record) { l.told(r) }

// Head returns the end of the chain.
func (l *Log) Head() (Head, error) { return head(l.db.Read.QueryRow(lastRecord)) }

// Trouble says why entries are not kept as they should be, "" when they are.
func (l *Log) Trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 || l.missed > 0 {
		l.catchUp()
	}
	return l.trouble
}

// Last returns up to n records below before (0: the newest), newest first.
func (l *Log) Last(before uint64, n int) ([]Record, error) {
	if before == 0 {
		before = 1 << 62
	}
	return l.list("SELECT seq, bytes, hash FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?", before, n)
}

// Since returns up to n records above after, oldest first.
func (l *Log) Since(after uint64, n int) ([]Record, error) {
	return l.list("SELECT seq, bytes, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", after, n)
}

func (l *Log) list(query string, args ...any) ([]Record, error) {
	rows, err := l.db.Read.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer rows.Close()
	var all []Record
	for rows.Next() {
		var r Record
		var bytes []byte
		if err := rows.Scan(&r.Seq, &bytes, &r.Hash); err != nil {
			return nil, err
		}
		r.Bytes = string(bytes)
		all = append(all, r)
	}
	return all, rows.Err()
}
