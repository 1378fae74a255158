package events

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"wirepatch/mgmt/store"
	"wirepatch/mgmt/wire"
)

// batch is how many records are written in one transaction at most.
const batch = 2_000

// gather is how long a transaction waits for more records.
const gather = 200 * time.Millisecond

// Keep takes a record to be written. It never waits: when the disk is too slow
// the record is counted as lost.
func (s *Store) Keep(r wire.Record, instance string, event uint64) {
	select {
	case s.queue <- entry{r, instance, event}:
	default:
		s.lost.Add(1)
	}
}

// Run writes until ctx ends, then what is still waiting, and closes the store.
func (s *Store) Run(ctx context.Context) {
	defer close(s.done)
	tidy := time.NewTicker(10 * time.Second)
	defer tidy.Stop()
	for {
		select {
		case e := <-s.queue:
			s.write(s.fill(ctx, e))
		case <-tidy.C:
			s.report(s.prune())
		case <-ctx.Done():
			s.flush()
			s.mu.Lock()
			defer s.mu.Unlock()
			s.db.Close()
			return
		}
	}
}

// Wait waits until Run has ended.
func (s *Store) Wait() { <-s.done }

func (s *Store) flush() {
	for {
		select {
		case e := <-s.queue:
			s.write([]entry{e})
		default:
			return
		}
	}
}

// fill gathers what comes within a moment of e.
func (s *Store) fill(ctx context.Context, e entry) []entry {
	all := []entry{e}
	t := time.NewTimer(gather)
	defer t.Stop()
	for len(all) < batch {
		select {
		case e := <-s.queue:
			all = append(all, e)
		case <-t.C:
			return all
		case <-ctx.Done():
			return all
		}
	}
	return all
}

func (s *Store) write(all []entry) {
	err := s.insert(all)
	if err != nil {
		s.lost.Add(uint64(len(all)))
	}
	s.report(err)
}

// report takes note of how writing went. A damaged file is put aside at once.
func (s *Store) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && s.db.Trouble == "":
		s.trouble = ""
	case err == nil:
	case store.Damaged(err) && s.db.Path != "":
		s.begin(err)
	default:
		if s.trouble == "" {
			s.log.Warn("events are not kept", "cause", err)
		}
		s.trouble = fmt.Sprintf("events cannot be written to disk and are lost at the next restart: %v", err)
	}
}

// begin exchanges a damaged file for a new one.
func (s *Store) begin(cause error) {
	s.log.Error("the file of events is damaged", "cause", cause)
	s.db.Close()
	if err := errors.Join(store.PutAside(s.path, s.path+".damaged"), s.open()); err != nil {
		s.log.Error("the file of events cannot be begun anew", "cause", err)
		s.trouble = err.Error()
		return
	}
	s.db.Trouble = fmt.Sprintf("the file of events was damaged (%v); it was put aside as %s.damaged and begun anew", cause, s.path)
	s.trouble = s.db.Trouble
}

const (
	insertRecord = "INSERT OR REPLACE INTO record(seq, time, correction, kind, definition, mode, service, client, event) VALUES (?,?,?,?,?,?,?,?,?)"
	insertWord   = "INSERT INTO word(rowid, text) VALUES (?,?)"
	insertBlock  = "INSERT INTO block VALUES (?1,?2,?2) ON CONFLICT(id) DO UPDATE SET first = min(first, ?2), last = max(last, ?2)"
	insertTally  = "INSERT INTO tally VALUES (?,?,?,?,?,1) ON CONFLICT DO UPDATE SET n = n + 1"
	insertSource = "INSERT INTO source VALUES (1,?,?) ON CONFLICT(id) DO UPDATE SET instance = excluded.instance, event = excluded.event"
)

// insert writes records in one transaction.
func (s *Store) insert(all []entry) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tx, err := s.db.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	statements := map[string]*sql.Stmt{}
	add := func(query string, args ...any) {
		if err == nil && statements[query] == nil {
			statements[query], err = tx.Prepare(query) // closed with the transaction
		}
		if err == nil {
			_, err = statements[query].Exec(args...)
		}
	}
	for _, e := range all {
		r := e.record
		text, jsonErr := json.Marshal(r)
		if jsonErr != nil {
			return jsonErr
		}
		at := r.Time.UnixMicro()
		var definition, mode string
		if v := r.Evidence; v != nil {
			definition, mode = v.Definition, v.Mode
			add(insertTally, r.Time.Unix()/3600, v.Definition, r.Service, v.Mode, v.Action)
		}
		add(insertRecord, r.Seq, at, r.IsCorrection(), r.Kind, definition, mode, r.Service, host(r.Client), text)
		add(insertWord, r.Seq, words(r))
		add(insertBlock, r.Seq/blockSize, at)
		if e.instance != "" {
			add(insertSource, e.instance, e.event)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// host is the address of "address:port".
func host(s string) string {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().String()
	}
	return s
}

// noteEvery is how often it is noted for how long the box has run.
const noteEvery = 10 * time.Minute

// prune gives up the oldest blocks while a limit is passed. A block's age is what the
// box has run for since its last record, not what the box's clock says of it.
func (s *Store) prune() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	limit := s.limits.Bytes
	if s.db.Path == "" {
		limit = min(limit, memoryBytes)
	}
	old, noted := s.older() // a full disk takes no note; making room is then all the more needed
	for range 100 {
		var first, last uint64
		err := s.db.Read.QueryRow("SELECT min(seq), (SELECT max(seq) FROM record) FROM record HAVING min(seq) IS NOT NULL").Scan(&first, &last)
		if err != nil {
			return noRows(err)
		}
		bytes, err := size(s.db)
		if err != nil {
			return err
		}
		next := (first/blockSize + 1) * blockSize
		if last-first < s.limits.Records && bytes <= limit && next > old {
			break
		}
		if err := s.drop(next); err != nil {
			return err
		}
	}
	return noted
}

// older is the number of the last record that has reached the limit of age. From time
// to time it notes for how long the box has run, and bounds the tallies.
func (s *Store) older() (uint64, error) {
	if now := s.ran.Elapsed(); now-s.looked >= noteEvery {
		var last uint64
		if err := s.db.Read.QueryRow("SELECT coalesce(max(seq), 0) FROM record").Scan(&last); err != nil {
			return 0, err
		}
		if err := s.ran.Note(s.db, "event", last); err != nil {
			return 0, err
		}
		if err := s.boundTallies(mostTallies); err != nil {
			return 0, err
		}
		s.looked = now
	}
	return s.ran.Older(s.db, "event", s.limits.Age)
}

// drop deletes the records below seq.
func (s *Store) drop(seq uint64) error {
	tx, err := s.db.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, q := range []string{
		"DELETE FROM word WHERE rowid IN (SELECT seq FROM record WHERE seq < ?)",
		"DELETE FROM record WHERE seq < ?",
	} {
		if _, err := tx.Exec(q, seq); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("DELETE FROM block WHERE id < ?", seq/blockSize); err != nil {
		return err
	}
	return tx.Commit()
}
