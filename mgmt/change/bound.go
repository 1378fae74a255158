package change

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/store"
)

// Limits bound the changes that are kept.
type Limits struct {
	Changes int
	Bytes   int64         // of their texts
	Life    time.Duration // for which the box runs with a change
}

// LimitsOn are those on a disk of so many bytes: at most a sixteenth of it is for
// changes, which hold the settings before and after.
func LimitsOn(bytes int64) Limits {
	return Limits{Changes: 10_000, Bytes: min(256<<20, max(8<<20, bytes/16)), Life: audit.Life}
}

// Keep gives up the oldest changes whenever a limit is passed, until ctx ends.
func (m *Manager) Keep(ctx context.Context, limits Limits, ran *store.Ran, failed func(error)) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		old, err := m.older(ran, limits.Life)
		if err = errors.Join(err, m.Bound(limits, old)); err != nil {
			failed(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// older is the last change that has reached the end of its life.
func (m *Manager) older(ran *store.Ran, life time.Duration) (uint64, error) {
	var last uint64
	err := m.DB.Read.QueryRow("SELECT coalesce(max(id), 0) FROM change").Scan(&last)
	if err == nil {
		err = ran.Note(m.DB, "change", last)
	}
	if err != nil {
		return 0, err
	}
	return ran.Older(m.DB, "change", life)
}

// Bound gives up the oldest changes where there are more, or larger ones, than the
// limits say, and some more, so that it need not do so at each change; and those up
// to old. Those that wait stay, and the one that can be undone. What went is said in
// the audit log, which has each of its steps.
func (m *Manager) Bound(limits Limits, old uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids, err := m.surplus(limits, old)
	if err != nil || len(ids) == 0 {
		return err
	}
	object := fmt.Sprintf("changes %d to %d", ids[0], ids[len(ids)-1])
	return m.step(Who{Name: "wirepatch"}, "change.cut", object, func(tx *sql.Tx) (string, error) {
		for _, id := range ids {
			if _, err := tx.Exec("DELETE FROM change WHERE id = ?", id); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%d of them were given up, the oldest that neither wait nor can be undone; the audit log has their steps", len(ids)), nil
	})
}

// surplus are the changes to give up, oldest first.
func (m *Manager) surplus(limits Limits, old uint64) (ids []int64, err error) {
	last, err := m.LastApplied()
	if errors.Is(err, ErrNone) {
		last, err = &Change{}, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := m.DB.Read.Query("SELECT id, length(body), state IN ('submitted', 'approved') FROM change ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	type kept struct {
		id, bytes int64
		waits     bool
	}
	var all []kept
	var bytes int64
	for rows.Next() {
		var k kept
		if err := rows.Scan(&k.id, &k.bytes, &k.waits); err != nil {
			return nil, err
		}
		all, bytes = append(all, k), bytes+k.bytes
	}
	n := len(all)
	over := n > limits.Changes || bytes > limits.Bytes
	for _, k := range all {
		if k.waits || k.id == last.ID || !(over && (n > limits.Changes*9/10 || bytes > limits.Bytes*9/10) || uint64(k.id) <= old) {
			continue
		}
		ids, n, bytes = append(ids, k.id), n-1, bytes-k.bytes
	}
	return ids, rows.Err()
}
