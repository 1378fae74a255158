package events

import (
	"context"
	"time"
)

// Tally is how many corrections of one kind there were.
type Tally struct {
	Definition string `json:"definition"`
	Service    string `json:"service"`
	Mode       string `json:"mode"`
	Action     string `json:"action"`
	Count      uint64 `json:"count"`
}

// Tallies counts the corrections of a period, to the hour. The counts outlive
// the records.
func (s *Store) Tallies(ctx context.Context, from, to time.Time) ([]Tally, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows, err := s.db.Read.QueryContext(ctx, `SELECT definition, service, mode, action, sum(n) FROM tally
		WHERE hour BETWEEN ? AND ? GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`, from.Unix()/3600, to.Unix()/3600)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Tally
	for rows.Next() {
		var t Tally
		if err := rows.Scan(&t.Definition, &t.Service, &t.Mode, &t.Action, &t.Count); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// mostTallies bounds the counts.
const mostTallies = 1_000_000

// boundTallies has the older half of the counts by the hour become counts by the
// day, and gives up the oldest where that is not enough.
func (s *Store) boundTallies(most int) error {
	tx, err := s.db.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM tally").Scan(&n); err != nil || n <= most {
		return err
	}
	var half, oldest int64
	err = tx.QueryRow("SELECT hour FROM tally ORDER BY hour LIMIT 1 OFFSET ?", n/2).Scan(&half)
	for _, q := range []string{
		"INSERT INTO tally SELECT hour / 24 * 24, definition, service, mode, action, sum(n) FROM tally WHERE hour < ? AND hour % 24 != 0 GROUP BY 1, 2, 3, 4, 5 ON CONFLICT DO UPDATE SET n = n + excluded.n",
		"DELETE FROM tally WHERE hour < ? AND hour % 24 != 0",
	} {
		if err == nil {
			_, err = tx.Exec(q, half/24*24)
		}
	}
	if err == nil {
		err = tx.QueryRow("SELECT count(*) FROM tally").Scan(&n)
	}
	if err == nil && n > most {
		if err = tx.QueryRow("SELECT hour FROM tally ORDER BY hour LIMIT 1 OFFSET ?", n-most*9/10).Scan(&oldest); err == nil {
			_, err = tx.Exec("DELETE FROM tally WHERE hour < ?", oldest)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Hour is how many corrections of a mode there were within an hour.
type Hour struct {
	At    time.Time `json:"at"`
	Mode  string    `json:"mode"`
	Count uint64    `json:"count"`
}

// Hours counts the corrections of a period by the hour, oldest first.
func (s *Store) Hours(ctx context.Context, from, to time.Time) ([]Hour, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows, err := s.db.Read.QueryContext(ctx, "SELECT hour, mode, sum(n) FROM tally WHERE hour BETWEEN ? AND ? GROUP BY 1, 2 ORDER BY 1, 2", from.Unix()/3600, to.Unix()/3600)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Hour
	for rows.Next() {
		var h Hour
		var hour int64
		if err := rows.Scan(&hour, &h.Mode, &h.Count); err != nil {
			return nil, err
		}
		h.At = time.Unix(hour*3600, 0).UTC()
		all = append(all, h)
	}
	return all, rows.Err()
}
