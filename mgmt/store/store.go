// Package store opens the management plane's SQLite files. A file that cannot
// be read is put aside and begun anew, and where nothing can be written the
// data live in memory: neither keeps the page from being served. What is lost
// that way is said by whoever uses the file.
package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Schema is the tables of one file.
type Schema struct {
	// Steps make it: each takes a file from one version to the next, and an older
	// file is brought up to date by those that it lacks. A newer one is put aside.
	Steps []string
	// Durable has every transaction on the disk before it returns.
	Durable bool
}

// DB is one open file.
type DB struct {
	Write *sql.DB // of one connection
	Read  *sql.DB
	Path  string // "" in memory
	// Trouble says why it is not the file that was asked for, "" when it is.
	Trouble string
}

// Open opens path, with whatever that takes. Its error is about SQLite itself
// or the schema, never about the disk.
func Open(path string, s Schema) (*DB, error) {
	db, err := open(path, s)
	if err == nil {
		return db, nil
	}
	trouble := err.Error()
	if errors.Is(err, errVersion) && goBack(path, s) == nil {
		// Firmware with a later form did not stay.
		if db, err := open(path, s); err == nil {
			return db, nil
		}
	}
	if Damaged(err) {
		aside := path + ".damaged"
		if err = PutAside(path, aside); err == nil {
			if db, err = open(path, s); err == nil {
				db.Trouble = fmt.Sprintf("%s could not be read (%s); it was put aside as %s and begun anew", path, trouble, aside)
				return db, nil
			}
		}
		trouble += "; " + err.Error()
	}
	if db, err = open("", s); err != nil {
		return nil, err
	}
	db.Trouble = fmt.Sprintf("%s cannot be used (%s); what is recorded lasts until the program ends", path, trouble)
	return db, nil
}

// errVersion is a file of a later version of the program.
var errVersion = errors.New("made by a later version")

func open(path string, s Schema) (*DB, error) {
	db := &DB{Path: path}
	var err error
	if db.Write, err = sql.Open("sqlite", dsn(path, s.Durable, false)); err != nil {
		return nil, err
	}
	db.Write.SetMaxOpenConns(1)
	db.Write.SetConnMaxIdleTime(0)
	if err := db.prepare(s); err != nil {
		db.Write.Close()
		return nil, err
	}
	db.Read = db.Write
	if path == "" {
		return db, nil
	}
	if db.Read, err = sql.Open("sqlite", dsn(path, s.Durable, true)); err != nil {
		db.Write.Close()
		return nil, err
	}
	db.Read.SetMaxOpenConns(3)
	return db, nil
}

func dsn(path string, durable, readOnly bool) string {
	q := url.Values{"_pragma": {"busy_timeout(5000)", "temp_store(MEMORY)", "cache_size(-4096)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	add := func(p string) { q["_pragma"] = append(q["_pragma"], p) }
	if path == "" {
		return "file::memory:?" + q.Encode()
	}
	add("journal_mode(WAL)")
	if durable {
		add("synchronous(FULL)")
	} else {
		add("synchronous(NORMAL)")
	}
	if readOnly {
		add("query_only(1)")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// prepare makes the tables, or brings them up to date.
func (db *DB) prepare(s Schema) error {
	var version int
	if err := db.Write.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version < 0 || version > len(s.Steps) {
		return fmt.Errorf("%w: %d, want %d at most", errVersion, version, len(s.Steps))
	}
	if version == len(s.Steps) {
		return db.readable()
	}
	if s.Durable && db.Path != "" && version > 0 {
		if err := db.keepAs(earlier(db.Path, version)); err != nil {
			return fmt.Errorf("keep the file as it was before: %w", err)
		}
	}
	tx, err := db.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, step := range s.Steps[version:] {
		if _, err := tx.Exec(step); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(s.Steps))); err != nil {
		return err
	}
	return tx.Commit()
}

// readable reads what lies at the root of everything else.
func (db *DB) readable() error {
	var n int
	return db.Write.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n)
}

// Close closes both handles.
func (db *DB) Close() error {
	err := db.Write.Close()
	if db.Read != db.Write {
		err = errors.Join(err, db.Read.Close())
	}
	return err
}

// Damaged says whether err means that the file's content is not to be used, as
// against a disk that is full or gone.
func Damaged(err error) bool {
	if errors.Is(err, errVersion) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// PutAside renames a file and forgets what SQLite kept beside it.
func PutAside(path, aside string) error {
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	return forget(path)
}

// forget removes what SQLite kept beside a file.
func forget(path string) error {
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
