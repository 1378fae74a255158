package audit

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/mgmt/store"
)

func open(t testing.TB, dir string) (*Log, string) {
	t.Helper()
	path := filepath.Join(dir, "records.db")
	db, err := store.Open(path, store.Schema{Steps: []string{Schema}, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return New(db, time.Now, slog.New(slog.DiscardHandler), func(Record) {}), path
}

func fill(l *Log, n int) {
	for i := range n {
		l.Add(Entry{Who: "anna", Action: "change.approve", Object: fmt.Sprint(i), Outcome: "done"})
	}
}

func export(t *testing.T, l *Log) []Record {
	t.Helper()
	all, err := l.Since(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVerify(t *testing.T) {
	l, path := open(t, t.TempDir())
	fill(l, 5)
	middle := export(t, l)[2]
	fill(l, 5)
	head, err := l.Head()
	if err != nil || head.Seq != 10 || l.Trouble() != "" {
		t.Fatalf("Head = %v, %v, trouble %q; want record 10", head, err, l.Trouble())
	}
	for _, known := range []string{"", Head{middle.Seq, middle.Hash}.String(), head.String()} {
		if got, err := Verify(path, known); err != nil || got != head {
			t.Errorf("Verify(%q) = %v, %v; want %v", known, got, err, head)
		}
	}
	if e, err := middle.Entry(); err != nil || e.Object != "2" || e.Time.IsZero() {
		t.Errorf("Entry = %+v, %v; want the third", e, err)
	}
}

// Whatever is done to an exported log is found.
func TestTampering(t *testing.T) {
	l, _ := open(t, t.TempDir())
	fill(l, 10)
	good := export(t, l)
	head := Head{good[9].Seq, good[9].Hash}.String()
	rehash := func(all []Record) []Record {
		before := genesis
		for i := range all {
			all[i].Seq, all[i].Hash = uint64(i+1), link(before, []byte(all[i].Bytes))
			before = all[i].Hash
		}
		return all
	}
	for name, tt := range map[string]struct {
		change func([]Record) []Record
		want   string
	}{
		"nothing":        {func(a []Record) []Record { return a }, ""},
		"a byte changed": {func(a []Record) []Record { a[4].Bytes = strings.Replace(a[4].Bytes, "anna", "anne", 1); return a }, "record 5 was changed"},
		"one taken out":  {func(a []Record) []Record { return slices.Delete(a, 3, 4) }, "record 5 follows record 3"},
		"two swapped":    {func(a []Record) []Record { a[3], a[4] = a[4], a[3]; return a }, "record 5 follows record 3"},
		"end cut off":    {func(a []Record) []Record { return a[:7] }, "its end was cut off"},
		"beginning gone": {func(a []Record) []Record { return a[2:] }, "its beginning was cut off"},
		"made anew":      {func(a []Record) []Record { a[0].Bytes = "{}"; return rehash(a) }, "the log was made anew"},
		"nothing left":   {func([]Record) []Record { return nil }, "its end was cut off"},
	} {
		var text strings.Builder
		for _, r := range tt.change(slices.Clone(good)) {
			b, _ := json.Marshal(r)
			fmt.Fprintf(&text, "%s\n", b)
		}
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Verify(path, head)
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}

func TestAppendOnly(t *testing.T) {
	l, _ := open(t, t.TempDir())
	fill(l, 3)
	for _, q := range []string{"UPDATE audit SET bytes = '{}' WHERE seq = 2", "DELETE FROM audit WHERE seq = 2", "DELETE FROM audit"} {
		if _, err := l.db.Write.Exec(q); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s = %v; want it refused", q, err)
		}
	}
}

// A full disk keeps entries waiting, and they are written when there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	l, path := open(t, dir)
	fill(l, 5)
	ballast := filepath.Join(dir, "ballast")
	os.WriteFile(ballast, make([]byte, 5<<20+512<<10), 0o600)
	for range 300 {
		l.Add(Entry{Who: "anna", Action: "sign-in", Detail: strings.Repeat("x", 3000), Outcome: "done"})
	}
	if got := l.Trouble(); !strings.Contains(got, "wait in memory") {
		t.Fatalf("Trouble = %q; want it said that entries wait", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	l.Trouble()
	waiting := len(l.pending)
	head, err := Verify(path, "")
	if err != nil || int(head.Seq)+waiting != 305 || waiting == 300 {
		t.Errorf("with room again: %v, %v, %d waiting; want all 305 accounted for", head, err, waiting)
	}
}

// Records that the box has run with for their life go, whatever the clock says.
func TestLife(t *testing.T) {
	l, path := open(t, t.TempDir())
	var ran time.Duration
	clock := &store.Ran{Elapsed: func() time.Duration { return ran }}
	for _, tt := range []struct {
		ran   time.Duration
		first uint64
	}{{0, 1}, {Life, 1}, {Life + 49*time.Hour, 41}, {Life + 60*time.Hour, 41}} {
		fill(l, 40)
		ran = tt.ran
		old, err := l.older(clock)
		if err == nil {
			err = l.Bound(1000, old)
		}
		if first, err2 := l.First(); err != nil || err2 != nil || first != tt.first {
			t.Errorf("after %v the first record is %d, %v, %v; want %d", tt.ran, first, err, err2, tt.first)
		}
	}
	if _, err := Verify(path, ""); err != nil {
		t.Error(err)
	}
}

// A log that has become too long loses its oldest records, and says so in the
// chain; what is left can still be verified, and joined with what was exported.
func TestBound(t *testing.T) {
	l, path := open(t, t.TempDir())
	for _, n := range []int{40, 60, 35, 35} { // three times over the bound of 100
		fill(l, n)
		if err := l.Bound(100, 0); err != nil {
			t.Fatal(err)
		}
	}
	all := export(t, l)
	first, err := l.First()
	if err != nil || len(all) > 100 || len(all) < 90 || first != all[0].Seq || first < 60 {
		t.Fatalf("%d records from %d on, %v; want at most 100", len(all), first, err)
	}
	head, err := Verify(path, Head{all[20].Seq, all[20].Hash}.String())
	if err != nil || head.Seq != all[len(all)-1].Seq {
		t.Errorf("Verify = %v, %v; want it intact", head, err)
	}
	if _, err := l.db.Write.Exec("DELETE FROM audit WHERE seq = 160"); err == nil {
		t.Error("after a cut records can be deleted")
	}
	write := func(all []Record) string {
		t.Helper()
		var text strings.Builder
		for _, r := range all {
			b, _ := json.Marshal(r)
			fmt.Fprintf(&text, "%s\n", b)
		}
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got, err := Verify(write(all), ""); err != nil || got != head {
		t.Errorf("an export of it: %v, %v; want %v", got, err, head)
	}
	changed := slices.Clone(all)
	changed[0].Bytes = strings.Replace(changed[0].Bytes, "anna", "anne", 1)
	if changed[0].Bytes == all[0].Bytes {
		t.Fatal("the first record is not one of the test's")
	}
	for name, tt := range map[string]struct {
		all  []Record
		head string
		want string
	}{
		"first one changed": {changed, "", "does not follow what was removed before it"},
		"more cut off":      {all[1:], "", "its beginning was cut off"},
		"one taken out":     {slices.Delete(slices.Clone(all), 5, 6), "", "was taken out"},
		"an early head":     {all, "3:" + genesis, "check an export that has it, which must end at"},
	} {
		if _, err := Verify(write(tt.all), tt.head); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"seq":1,"bytes":"{}","hash":"00"}` + "\n"))
	f.Add([]byte("SQLite format 3\x00 and no database"))
	path := filepath.Join(f.TempDir(), "log")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		Verify(path, "")
	})
}
