// Package events keeps what package wire has copied: corrections and all else
// that happened, on the data partition, bounded by number, size and age, and
// searchable. Writing happens behind a queue, so that neither a slow nor a full
// disk holds up who tells of an event.
package events

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"wirepatch/mgmt/store"
	"wirepatch/mgmt/wire"
)

// Limits bound what is kept.
type Limits struct {
	Records uint64
	Bytes   int64
	Age     time.Duration // for which the box has run since
}

// DefaultLimits hold a year of a busy wire.
var DefaultLimits = Limits{Records: 5_000_000, Bytes: 4 << 30, Age: 400 * 24 * time.Hour}

// memoryBytes is what a store in memory may take.
const memoryBytes = 16 << 20

// blockSize is how many records share one entry in the table of times, and are
// given up together.
const blockSize = 2_000

// queueLength is how many records may wait for the disk.
const queueLength = 16_384

// schema: each record is there as JSON, with what is searched for beside it.
// A block's times tell which records a period can hold, whatever the box's clock
// has done. Tally outlives the records that it counts.
var schema = store.Schema{Steps: []string{`
CREATE TABLE record(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, correction INTEGER NOT NULL, kind TEXT NOT NULL,
  definition TEXT NOT NULL, mode TEXT NOT NULL, service TEXT NOT NULL, client TEXT NOT NULL, event BLOB NOT NULL);
CREATE INDEX by_kind ON record(kind);
CREATE INDEX by_definition ON record(definition) WHERE definition != '';
CREATE INDEX by_service ON record(service) WHERE service != '';
CREATE INDEX by_client ON record(client) WHERE client != '';
CREATE VIRTUAL TABLE word USING fts5(text, content='', contentless_delete=1, detail=none, tokenize="unicode61 remove_diacritics 0 tokenchars '-._:/@'");
CREATE TABLE block(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE tally(hour INTEGER, definition TEXT, service TEXT, mode TEXT, action TEXT, n INTEGER NOT NULL,
  PRIMARY KEY(hour, definition, service, mode, action)) WITHOUT ROWID;
CREATE TABLE source(id INTEGER PRIMARY KEY CHECK (id = 1), instance TEXT NOT NULL, event INTEGER NOT NULL);
`}}

// Store holds the records. Its methods are safe for use by many goroutines.
type Store struct {
	path   string
	limits Limits
	log    *slog.Logger
	queue  chan entry
	done   chan struct{} // closed once Run has ended
	lost   atomic.Uint64 // records that were never written
	ran    *store.Ran
	looked time.Duration // of ran, when it was last noted

	mu      sync.RWMutex // held for reading while db is used
	db      *store.DB
	trouble string // "" while records are kept
}

// entry is one record and where it came from: after a restart the next event of
// the same dataplane process is asked for.
type entry struct {
	record   wire.Record
	instance string
	event    uint64
}

// Open opens the store in path. It always gives one; Health says how good.
func Open(path string, limits Limits, log *slog.Logger) (*Store, error) {
	s := &Store{path: path, limits: limits, log: log, queue: make(chan entry, queueLength), done: make(chan struct{}), ran: store.NewRan(), looked: -noteEvery}
	return s, s.open()
}

func (s *Store) open() error {
	db, err := store.Open(s.path, schema)
	if err != nil {
		return err
	}
	s.db, s.trouble = db, db.Trouble
	if db.Trouble != "" {
		s.log.Warn("events", "trouble", db.Trouble)
	}
	return nil
}

// Health is how the store is.
type Health struct {
	Trouble string `json:"trouble"` // "" while all is kept
	Records uint64 `json:"records"`
	Bytes   int64  `json:"bytes"`
	Oldest  uint64 `json:"oldest"` // number of the oldest record
	Lost    uint64 `json:"lost"`   // records that could not be written since start
	Waiting int    `json:"waiting"`
}

// Health asks the store how it is.
func (s *Store) Health() Health {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := Health{Trouble: s.trouble, Lost: s.lost.Load(), Waiting: len(s.queue)}
	var last uint64
	err := s.db.Read.QueryRow("SELECT coalesce(min(seq), 0), coalesce((SELECT max(seq) FROM record), 0) FROM record").Scan(&h.Oldest, &last)
	if err == nil && last > 0 {
		h.Records = last - h.Oldest + 1
	}
	h.Bytes, _ = size(s.db)
	return h
}

// size is what the records take, without what is free within the file.
func size(db *store.DB) (n int64, err error) {
	err = db.Read.QueryRow("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()").Scan(&n)
	return n, err
}

// Resume is where the records of the last run end.
func (s *Store) Resume() wire.Resume {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var r wire.Resume
	// What cannot be read begins anew.
	s.db.Read.QueryRow("SELECT instance, event FROM source").Scan(&r.Instance, &r.Event)
	s.db.Read.QueryRow("SELECT coalesce(max(seq), 0) FROM record").Scan(&r.Seq)
	return r
}
