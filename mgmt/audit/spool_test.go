package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Entries of the console come into the log in their order, once, and survive
// that the page's program does not run; what is damaged leaves a record.
func TestSpool(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := Spool{Dir: filepath.Join(t.TempDir(), "audit"), Now: func() time.Time { now = now.Add(time.Second); return now }}
	l, _ := open(t, t.TempDir())
	if err := l.Collect(s); err != nil {
		t.Errorf("Collect without a folder = %v; want nil", err)
	}
	for _, what := range []string{"one", "two", "three"} {
		if err := s.Add(Entry{Who: "console", Action: what, Outcome: "done"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "9.entry"), []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "unfinished.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Collect(s); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range export(t, l) {
		e, err := r.Entry()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Action)
	}
	if len(got) != 4 || got[0] != "one" || got[1] != "two" || got[2] != "three" || got[3] != "audit.gap" {
		t.Errorf("the log has %q; want the three in their order and one gap", got)
	}
	for range maxSpooled {
		if err := s.Add(Entry{Action: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add(Entry{Action: "x"}); err == nil {
		t.Error("Add beyond the bound = nil; want an error")
	}
}
