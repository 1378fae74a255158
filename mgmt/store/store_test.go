package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var schema = Schema{Steps: []string{"CREATE TABLE t(n INTEGER)"}}

func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.Read.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mustOpen(t *testing.T, path string, s Schema) *DB {
	t.Helper()
	db, err := Open(path, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Write.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d.db")
	for want := 1; want < 3; want++ {
		db := mustOpen(t, path, schema)
		if got := count(t, db); got != want || db.Trouble != "" {
			t.Errorf("opened %d times it holds %d rows, trouble %q", want, got, db.Trouble)
		}
		if _, err := db.Read.Exec("INSERT INTO t VALUES (1)"); err == nil {
			t.Error("the reading handle writes; want an error")
		}
		db.Close()
	}
}

// A file of an earlier version keeps what it holds.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	mustOpen(t, path, schema).Close()
	db := mustOpen(t, path, Schema{Steps: append(schema.Steps, "CREATE TABLE u(n INTEGER)", "INSERT INTO u VALUES (7)")})
	if got := count(t, db); got != 2 || db.Trouble != "" {
		t.Errorf("brought up to date it holds %d rows, trouble %q; want 2", got, db.Trouble)
	}
	var n int
	if err := db.Read.QueryRow("SELECT n FROM u").Scan(&n); err != nil || n != 7 {
		t.Errorf("the new table holds %d, %v; want 7", n, err)
	}
}

// Whatever the disk holds or refuses, there is a store, and it says so.
func TestTrouble(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.db")
	mustOpen(t, other, Schema{Steps: append(schema.Steps, "CREATE TABLE later(n)")}).Close()
	torn := filepath.Join(dir, "torn.db")
	mustOpen(t, torn, schema).Close()
	text, err := os.ReadFile(torn)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(text); i++ {
		text[i] = 0xa5
	}
	if err := os.WriteFile(torn, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		garbage:                         "put aside",
		other:                           "put aside",
		torn:                            "put aside",
		filepath.Join(dir, "no/folder"): "lasts until the program ends",
		dir:                             "lasts until the program ends",
	} {
		db := mustOpen(t, path, schema)
		if got := count(t, db); got != 1 || !strings.Contains(db.Trouble, want) {
			t.Errorf("%s: %d rows, trouble %q; want 1 and %q", path, got, db.Trouble, want)
		}
		if _, err := os.Stat(path + ".damaged"); want == "put aside" && err != nil {
			t.Errorf("%s: %v; want the file put aside", path, err)
		}
	}
}

// A durable file that later firmware has brought up to date is there for the
// firmware before as that left it, and the later one begins from it again.
func TestGoBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old := Schema{Steps: schema.Steps, Durable: true}
	later := Schema{Steps: append(schema.Steps, "CREATE TABLE later(n)"), Durable: true}
	mustOpen(t, path, old).Close()
	for i, s := range []Schema{later, later, old, later, old, old} {
		db := mustOpen(t, path, s)
		if db.Trouble != "" {
			t.Errorf("opening %d: trouble %q", i, db.Trouble)
		}
		want := []int{2, 3, 2, 3, 3, 4}[i]
		if got := count(t, db); got != want {
			t.Errorf("opening %d: it holds %d rows; want %d", i, got, want)
		}
		db.Close()
	}
}

// Whatever step of going back is the last, there is a file with the name.
func TestGoBackLeavesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	later := Schema{Steps: append(schema.Steps, "CREATE TABLE later(n)"), Durable: true}
	mustOpen(t, path, later).Close()
	// A folder cannot take the file's place.
	if err := os.Mkdir(earlier(path, len(schema.Steps)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := goBack(path, schema); err == nil {
		t.Error("goBack to a folder = nil")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after the step before the last: %v", err)
	}
}
