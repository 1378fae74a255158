package events

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/store"
	"wirepatch/mgmt/wire"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, path string, limits Limits) *Store {
	t.Helper()
	s, err := Open(path, limits, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sample is record n of a made-up wire: one of ten is no correction.
func sample(n uint64) wire.Record {
	e := control.Event{ID: n, Time: start.Add(time.Duration(n) * time.Second), Kind: "correction", Service: fmt.Sprintf("web%d", n%3),
		Client: fmt.Sprintf("192.0.2.%d:4000", n%200), Server: "10.77.0.2:80", Text: "header X-Forwarded-Prefix cut"}
	if n%10 == 0 {
		e.Kind, e.Text, e.Client, e.Server = "link", fmt.Sprintf("port A: no link, change %d.", n), "", ""
	} else {
		e.Evidence = &session.Evidence{Definition: fmt.Sprintf("WP-2023-%d", n%7), Mode: "correct", Action: "set", Element: "request.header",
			Before: []byte("X-Forwarded-Prefix: https://evil.example"), After: []byte("X-Forwarded-Prefix: evilexample")}
	}
	return wire.Record{Seq: n, Source: "dataplane", Event: e}
}

func fill(t testing.TB, s *Store, first, last uint64) {
	t.Helper()
	for first <= last {
		var all []entry
		for ; first <= last && len(all) < 10_000; first++ {
			all = append(all, entry{sample(first), "one", first})
		}
		if err := s.insert(all); err != nil {
			t.Fatal(err)
		}
	}
}

func seqs(f Found) (all []uint64) {
	for _, r := range f.Records {
		all = append(all, r.Seq)
	}
	return all
}

func TestSearch(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "e.db"), DefaultLimits)
	fill(t, s, 1, 5_000)
	for name, tt := range map[string]struct {
		q     Query
		first uint64
		n     int
		all   bool // that there are
	}{
		"newest":            {Query{Limit: 3}, 5_000, 3, false},
		"oldest":            {Query{OldestFirst: true, Limit: 3}, 1, 3, false},
		"before":            {Query{Before: 2_001, Limit: 2}, 2_000, 2, false},
		"after":             {Query{After: 3_999, OldestFirst: true, Limit: 2}, 4_000, 2, false},
		"at the end":        {Query{After: 4_999}, 5_000, 1, true},
		"corrections":       {Query{Corrections: true, Limit: 1}, 4_999, 1, false},
		"others":            {Query{Others: true, Before: 100}, 90, 9, true},
		"kind":              {Query{Kind: "link", Limit: 1}, 5_000, 1, false},
		"definition":        {Query{Definition: "WP-2023-3", Limit: 5, Before: 12}, 3, 1, true},
		"no such":           {Query{Definition: "WP-2023-9"}, 0, 0, true},
		"service, client":   {Query{Service: "web1", Client: "192.0.2.7", Before: 1000}, 607, 2, true},
		"period":            {Query{From: start.Add(4_000 * time.Second), To: start.Add(4_003 * time.Second)}, 4_003, 4, true},
		"period long ago":   {Query{To: start}, 0, 0, true},
		"word":              {Query{Words: "Forwarded", Limit: 1}, 4_999, 1, false},
		"word as it stands": {Query{Words: "request.header 192.0.2.7", Before: 500}, 407, 3, true},
		"begun word":        {Query{Words: "4990 chang"}, 4_990, 1, true},
		"hostile words":     {Query{Words: `" OR 1 --* NEAR( ^`}, 0, 0, true},
	} {
		f, err := s.Search(t.Context(), tt.q)
		if err != nil || len(f.Records) != tt.n || tt.n > 0 && f.Records[0].Seq != tt.first || (f.Next == 0) != tt.all {
			t.Errorf("%s: %v next %d, %v; want %d from %d on, all %v", name, seqs(f), f.Next, err, tt.n, tt.first, tt.all)
		}
	}
	r, ok, err := s.Get(t.Context(), 4_999)
	if err != nil || !ok || string(r.Evidence.Before) != "X-Forwarded-Prefix: https://evil.example" {
		t.Errorf("Get = %+v, %v, %v; want the bytes", r, ok, err)
	}
	if _, ok, err := s.Get(t.Context(), 1<<40); ok || err != nil {
		t.Errorf("Get of none = %v, %v; want none", ok, err)
	}
}

// Each page of a search goes on where the last ended, without gap or repetition.
func TestPages(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "e.db"), DefaultLimits)
	fill(t, s, 1, 4_200)
	n, q := 0, Query{Definition: "WP-2023-5", Limit: 100}
	last := uint64(1 << 40)
	for {
		f, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Records {
			if r.Seq >= last {
				t.Fatalf("record %d after %d", r.Seq, last)
			}
			last, n = r.Seq, n+1
		}
		if f.Next == 0 {
			break
		}
		q.Before = f.Next
	}
	if n != 540 {
		t.Errorf("%d records in all; want 540", n)
	}
	got, err := s.Tallies(t.Context(), start, start.Add(24*time.Hour))
	sum := uint64(0)
	for _, v := range got {
		sum += v.Count
	}
	if err != nil || len(got) != 21 || sum != 3_780 {
		t.Errorf("Tallies = %d of %d corrections, %v; want 21 of 3780", len(got), sum, err)
	}
}

func TestBounded(t *testing.T) {
	for name, limits := range map[string]Limits{
		"number": {Records: 4_000, Bytes: 1 << 40, Age: time.Hour * 1e5},
		"size":   {Records: 1 << 40, Bytes: 3 << 20, Age: time.Hour * 1e5},
		"age":    {Records: 1 << 40, Bytes: 1 << 40, Age: 24 * time.Hour},
	} {
		s := open(t, filepath.Join(t.TempDir(), "e.db"), limits)
		fill(t, s, 1, 9_000)
		var ran time.Duration
		s.ran, s.looked = &store.Ran{Elapsed: func() time.Duration { return ran }}, -noteEvery
		if err := s.prune(); err != nil {
			t.Fatal(err)
		}
		ran = 2*limits.Age + 24*time.Hour
		fill(t, s, 9_001, 9_100)
		if err := s.prune(); err != nil {
			t.Fatal(err)
		}
		h := s.Health()
		if h.Oldest%blockSize != 0 || h.Oldest == 0 || h.Bytes > limits.Bytes || h.Records > limits.Records {
			t.Errorf("%s: %+v; want whole blocks given up", name, h)
		}
		f, err := s.Search(t.Context(), Query{Words: "forwarded", OldestFirst: true, Limit: 1})
		if err != nil || len(f.Records) != 1 || f.Records[0].Seq < h.Oldest {
			t.Errorf("%s: the oldest found is %v, %v; want %d or later", name, seqs(f), err, h.Oldest)
		}
		if got, _ := s.Tallies(t.Context(), start, start.Add(time.Hour)); len(got) == 0 {
			t.Errorf("%s: the tallies are given up too; want them kept", name)
		}
	}
}

// A clock that jumps ahead by years makes nothing old; time that the box runs does.
func TestClockMakesNothingOld(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "e.db"), Limits{Records: 1 << 40, Bytes: 1 << 40, Age: 24 * time.Hour})
	var ran time.Duration
	s.ran = &store.Ran{Elapsed: func() time.Duration { return ran }}
	oldest := func(when string, want uint64) {
		t.Helper()
		if err := s.prune(); err != nil {
			t.Fatal(err)
		}
		if got := s.Health().Oldest; got != want {
			t.Errorf("%s: the oldest is %d; want %d", when, got, want)
		}
	}
	fill(t, s, 1, 3_000)
	ahead := start
	start = start.AddDate(30, 0, 0) // as a forged answer of a time server has it
	fill(t, s, 3_001, 9_000)
	start = ahead
	oldest("the clock was thirty years ahead", 1)
	ran += 47 * time.Hour
	oldest("not yet two days", 1)
	ran += 2 * time.Hour
	oldest("more than a day, in whole days", 8_000)
}

// Room is made also while it cannot be noted for how long the box has run.
func TestRoomWithoutNote(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "e.db"), Limits{Records: 4_000, Bytes: 1 << 40, Age: 24 * time.Hour})
	if _, err := s.db.Write.Exec("CREATE TABLE ran(no INTEGER)"); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 1, 9_000)
	if err := s.prune(); err == nil {
		t.Error("prune = nil; want it said that nothing was noted")
	}
	if h := s.Health(); h.Records > 4_000 {
		t.Errorf("%d records are kept; want 4000 at most", h.Records)
	}
}

func TestTalliesBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "e.db"), DefaultLimits)
	for hour := range 24 * 20 {
		if _, err := s.db.Write.Exec("INSERT INTO tally VALUES (?, 'WP-1', 'a', 'correct', 'set', 3)", start.Unix()/3600/24*24+int64(hour)); err != nil {
			t.Fatal(err)
		}
	}
	sum := func() (n, rows uint64) {
		t.Helper()
		list, err := s.Hours(t.Context(), start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range list {
			n += h.Count
		}
		return n, uint64(len(list))
	}
	for _, tt := range []struct {
		most      int
		sum, rows uint64
	}{{480, 1440, 480}, {479, 1440, 250}, {100, 270, 90}} { // ten days by the day; then what is newest
		if err := s.boundTallies(tt.most); err != nil {
			t.Fatal(err)
		}
		if n, rows := sum(); n != tt.sum || rows != tt.rows {
			t.Errorf("at most %d: %d corrections in %d rows; want %d in %d", tt.most, n, rows, tt.sum, tt.rows)
		}
	}
}

// run starts the writer and returns what stops it.
func run(t *testing.T, s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go s.Run(ctx)
	return func() { cancel(); s.Wait() }
}

func TestGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "e.db")
	s := open(t, path, DefaultLimits)
	stop := run(t, s)
	for n := uint64(1); n <= 50; n++ {
		s.Keep(sample(n), "one", n+100)
	}
	stop() // what waits is written first
	s = open(t, path, DefaultLimits)
	if got, want := s.Resume(), (wire.Resume{Seq: 50, Instance: "one", Event: 150}); got != want {
		t.Errorf("Resume = %+v; want %+v", got, want)
	}
}

// A file that goes bad while it is in use is begun anew; what comes then is kept.
func TestDamagedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "e.db")
	s := open(t, path, DefaultLimits)
	fill(t, s, 1, 3000)
	if _, err := s.db.Write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("\xa5", 200*4096)), 4096); err != nil {
		t.Fatal(err)
	}
	s.db.Write.SetMaxIdleConns(0) // forget pages that were read
	s.db.Write.SetMaxIdleConns(1)
	for n := uint64(3001); n < 3200; n++ {
		s.write([]entry{{sample(n), "one", n}})
	}
	h := s.Health()
	if !strings.Contains(h.Trouble, "damaged") || h.Records == 0 || h.Lost == 0 {
		t.Errorf("Health = %+v; want the damage said, and later records kept", h)
	}
}

// A full disk loses records, says so, and nothing else; with room again they
// are kept again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s := open(t, filepath.Join(dir, "e.db"), DefaultLimits)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	n := uint64(1)
	for ; s.lost.Load() == 0 && n < 50_000; n += 100 {
		var all []entry
		for i := range uint64(100) {
			all = append(all, entry{sample(n + i), "one", n + i})
		}
		s.write(all)
	}
	if h := s.Health(); !strings.Contains(h.Trouble, "cannot be written") || h.Records == 0 {
		t.Fatalf("disk full after %d: %+v; want it said, and the earlier ones there", n, h)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.write([]entry{{sample(n), "one", n}})
	if _, ok, err := s.Get(t.Context(), n); !ok || err != nil || s.Health().Trouble != "" {
		t.Errorf("with room again: %v, %v, %q; want the record kept and no trouble", ok, err, s.Health().Trouble)
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`WP-2023-1 "request.header" 192.0.2.7:80`)
	f.Add("\x00\xff*^{}:-- NEAR/2 AND OR NOT")
	s := open(f, "", DefaultLimits)
	fill(f, s, 1, 50)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := s.Search(t.Context(), Query{Words: text}); err != nil {
			t.Errorf("Search for %q: %v", text, err)
		}
		r := sample(1)
		r.Text = text
		if err := s.insert([]entry{{r, "", 0}}); err != nil {
			t.Errorf("keep %q: %v", text, err)
		}
	})
}

// A search that is broken off goes on where it was, and misses nothing.
func TestBreakOff(t *testing.T) {
	for _, tt := range []struct {
		f    Found
		q    Query
		next uint64
	}{
		{Found{Next: 4000}, Query{Limit: 5}, 4000},
		{Found{Next: 4000, Records: []wire.Record{{Seq: 5000}, {Seq: 4500}}}, Query{Limit: 5}, 4000},
		{Found{Next: 4000, Records: []wire.Record{{Seq: 5000}, {Seq: 3999}}}, Query{Limit: 5}, 3999},
		{Found{Records: []wire.Record{{Seq: 5000}}}, Query{Limit: 5}, 5000},
		{Found{Next: 4000, Records: []wire.Record{{Seq: 3000}, {Seq: 4001}}}, Query{Limit: 5, OldestFirst: true}, 4001},
		{Found{Next: 4000, Records: []wire.Record{{Seq: 3000}}}, Query{Limit: 5, OldestFirst: true}, 4000},
		{Found{Next: 4000, Records: []wire.Record{{Seq: 3999}, {Seq: 3998}}}, Query{Limit: 1}, 3999},
	} {
		f := tt.f
		if f.breakOff(tt.q); f.Next != tt.next || !f.Unseen || len(f.Records) > tt.q.Limit {
			t.Errorf("breakOff of %v, next %d: %v, next %d; want next %d", seqs(tt.f), tt.f.Next, seqs(f), f.Next, tt.next)
		}
	}
}
