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
