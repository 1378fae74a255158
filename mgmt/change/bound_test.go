package change

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/store"
)

// aged is a manager with n changes, of which the third waits for its approval, and
// the fifth went into force last.
func aged(t *testing.T, n int) *Manager {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "r.db"), store.Schema{Steps: []string{audit.Schema, Schema, AppliedSchema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	m := &Manager{DB: db, Audit: audit.New(db, func() time.Time { return now }, slog.New(slog.DiscardHandler), func(audit.Record) {}), Now: func() time.Time { return now }}
	for i := range n {
		c := &Change{State: Rejected, Reason: "r", Base: strings.Repeat("b", 1000), Text: strings.Repeat("t", 1000)}
		switch i + 1 {
		case 3:
			c.State = Submitted
		case 4, 5:
			c.State, c.Applied = Done, Step{"a", now.Add(time.Duration(i) * time.Minute), ""}
		}
		err := m.step(Who{Name: "a"}, "change.submit", "", func(tx *sql.Tx) (string, error) {
			state := c.State
			if err := enter(tx, c); err != nil {
				return "", err
			}
			c.State = state
			return "", save(tx, c)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// The oldest changes make room, but for those that wait and the one that can be
// undone; the audit log says which went.
func TestBound(t *testing.T) {
	const room = 1 << 40
	for _, tt := range []struct {
		name   string
		limits Limits
		run    time.Duration // that the box runs behind the changes
		want   int           // that are kept
	}{
		{"within", Limits{Changes: 30, Bytes: room, Life: 48 * time.Hour}, 0, 30},
		{"number", Limits{Changes: 20, Bytes: room, Life: 48 * time.Hour}, 0, 18},
		{"size", Limits{Changes: 1000, Bytes: 30_000, Life: 48 * time.Hour}, 0, -1},
		{"age", Limits{Changes: 1000, Bytes: room, Life: 48 * time.Hour}, 73 * time.Hour, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := aged(t, 30)
			const waits = 3
			var ran time.Duration
			clock := &store.Ran{Elapsed: func() time.Duration { return ran }}
			for _, ran = range []time.Duration{0, tt.run} {
				old, err := m.older(clock, tt.limits.Life)
				if err == nil {
					err = m.Bound(tt.limits, old)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			all, err := m.List(1000)
			if err != nil {
				t.Fatal(err)
			}
			var ids []int64
			size := 0
			for _, c := range all {
				ids, size = append(ids, c.ID), size+len(c.Base)+len(c.Text)
			}
			if tt.want >= 0 && len(ids) != tt.want || int64(size) > tt.limits.Bytes || tt.want < 0 && len(ids) < 5 {
				t.Errorf("%d changes of %d bytes are kept; want %d", len(ids), size, tt.want)
			}
			last, err := m.LastApplied()
			if err != nil || !slices.Contains(ids, waits) || !slices.Contains(ids, last.ID) || m.Undoable(last) != nil {
				t.Errorf("kept: %v; want %d, which waits, and the last that was applied", ids, waits)
			}
			log, err := m.Audit.Since(0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			cut := fmt.Sprintf("%d of them were given up", 30-len(ids))
			if said := strings.Contains(log[len(log)-1].Bytes, cut); said != (len(ids) < 30) {
				t.Errorf("the audit log ends with %s; want %q: %v", log[len(log)-1].Bytes, cut, len(ids) < 30)
			}
		})
	}
}
