package store

import (
	"path/filepath"
	"testing"
	"time"
)

// Age is what the box has run for since, over all its starts.
func TestRan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := mustOpen(t, path, schema)
	var elapsed time.Duration
	r := &Ran{Elapsed: func() time.Duration { return elapsed }}
	steps := []struct {
		run    time.Duration // since the last step
		again  bool          // after a restart of the program
		last   uint64
		want   uint64 // the last that two days of running lie behind
		second uint64 // the same of another kind, whose numbers are ten times as high
	}{
		{0, false, 5, 0, 0},
		{23 * time.Hour, false, 6, 0, 0},
		{2 * time.Hour, false, 7, 0, 0},         // the second day begins
		{23 * time.Hour, true, 8, 0, 0},         // the third
		{23*time.Hour + 1800e9, false, 9, 0, 0}, // just before the fourth
		{time.Hour, true, 10, 5, 50},
		{30 * time.Minute, false, 11, 5, 50},
		{day, false, 12, 7, 70},
		{10 * day, false, 13, 12, 120},
	}
	for i, s := range steps {
		if s.again {
			db.Close()
			db, elapsed = mustOpen(t, path, schema), 0
			r = &Ran{Elapsed: func() time.Duration { return elapsed }}
		}
		elapsed += s.run
		for what, n := range map[string]uint64{"a": 1, "b": 10} {
			if err := r.Note(db, what, s.last*n); err != nil {
				t.Fatal(err)
			}
		}
		for what, want := range map[string]uint64{"a": s.want, "b": s.second} {
			if got, err := r.Older(db, what, 2*day); got != want || err != nil {
				t.Errorf("step %d: Older(%s) = %d, %v; want %d", i, what, got, err, want)
			}
		}
	}
	if got, err := r.Older(db, "a", 400*day); got != 0 || err != nil {
		t.Errorf("older than what the box has run: %d, %v; want none", got, err)
	}
}
