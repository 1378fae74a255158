package store

import (
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// ranTables keep for how long the box has run, and the number of the last record of
// each kind at the first look of each such day. They are made where they are missing:
// firmware that does not know them does not mind.
const ranTables = `
CREATE TABLE IF NOT EXISTS ran(id INTEGER PRIMARY KEY CHECK (id = 1), seconds INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ran_day(day INTEGER NOT NULL, what TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY(day, what)) WITHOUT ROWID;
`

const day = 24 * time.Hour

// Ran tells the age of records by how long the box has run since they were written.
// The date plays no part in it: whoever leads the box's clock astray makes nothing
// older. While the box is off nothing ages, so what a limit of age gives up is always
// at least that old. One Ran serves all that lies in a file.
type Ran struct {
	Elapsed func() time.Duration // since some moment of this run, by a clock that nobody sets

	mu   sync.Mutex
	seen time.Duration // of Elapsed, what is counted already
}

// NewRan counts from now on.
func NewRan() *Ran {
	began := time.Now()
	return &Ran{Elapsed: func() time.Duration { return time.Since(began) }} // by the monotonic clock
}

// Note adds the time since the last look to what the box has run, and remembers
// which record was the last of its kind.
func (r *Ran) Note(db *DB, what string, last uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := db.Write.Exec(ranTables); err != nil {
		return fmt.Errorf("keep how long the box has run: %w", err)
	}
	tx, err := db.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	more := (r.Elapsed() - r.seen).Truncate(time.Second)
	var ran int64
	err = tx.QueryRow("INSERT INTO ran VALUES (1, ?1) ON CONFLICT(id) DO UPDATE SET seconds = seconds + ?1 RETURNING seconds", int64(more/time.Second)).Scan(&ran)
	if err == nil {
		_, err = tx.Exec("INSERT INTO ran_day VALUES (?,?,?) ON CONFLICT DO NOTHING", time.Duration(ran)*time.Second/day, what, last)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("keep how long the box has run: %w", err)
	}
	r.seen += more
	return nil
}

// Older is the number of the last record of a kind since which the box has run for
// that long at least; 0: there is none.
func (r *Ran) Older(db *DB, what string, age time.Duration) (last uint64, err error) {
	const query = "SELECT coalesce(max(last), 0) FROM ran_day WHERE what = ? AND day < (SELECT seconds FROM ran) / 86400 - ?"
	if err := db.Read.QueryRow(query, what, (age+day-1)/day).Scan(&last); err != nil && err != sql.ErrNoRows {
		return 0, fmt.Errorf("read how long the box has run: %w", err)
	}
	return last, nil
}
