package events

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"wirepatch/mgmt/wire"
)

// Query says which records to find. Empty fields leave open.
type Query struct {
	Corrections                     bool   // these only
	Others                          bool   // all but corrections
	Kind, Definition, Mode, Service string // exactly
	Client                          string // address
	Words                           string // all of them, anywhere in what is told of the record
	From, To                        time.Time
	Before                          uint64 // numbers below
	After                           uint64 // numbers above
	OldestFirst                     bool
	Limit                           int
}

// maxLimit bounds one answer.
const maxLimit = 500

// patience is how long one search looks on; what it did not get to is said.
const patience = 700 * time.Millisecond

// Found is the answer to a Query.
type Found struct {
	Records []wire.Record
	// Next is where to go on: as Before, or as After when OldestFirst. 0: all was seen.
	Next uint64
	// Unseen says that the search ended for lack of time, not of places.
	Unseen bool
}

// Search finds records, newest first unless asked otherwise.
func (s *Store) Search(ctx context.Context, q Query) (Found, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var f Found
	if q.Limit <= 0 || q.Limit > maxLimit {
		q.Limit = maxLimit
	}
	spans, err := s.spans(ctx, q)
	if err != nil {
		return f, err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, sp := range spans {
		// One more than asked for tells whether there is more.
		err := s.searchSpan(limited, q, sp, &f)
		if err != nil && limited.Err() != nil && ctx.Err() == nil && (i > 0 || len(f.Records) > 0) {
			f.breakOff(q)
			return f, nil
		}
		if err != nil {
			return f, err
		}
		if len(f.Records) > q.Limit {
			f.Records = f.Records[:q.Limit]
			f.Next = f.Records[q.Limit-1].Seq
			return f, nil
		}
		f.Next = sp.first
		if q.OldestFirst {
			f.Next = sp.last
		}
	}
	f.Next = 0
	return f, nil
}

// breakOff ends a search within a span: what was found in it counts, and the rest
// of it is looked at the next time. A search begins with short spans, so that
// each gets further.
func (f *Found) breakOff(q Query) {
	f.Unseen = true
	if len(f.Records) > q.Limit {
		f.Records = f.Records[:q.Limit]
	}
	n := len(f.Records)
	if n == 0 {
		return
	}
	last := f.Records[n-1].Seq
	if q.OldestFirst {
		f.Next = max(f.Next, last)
	} else if f.Next == 0 || last < f.Next {
		f.Next = last
	}
}

// span is a run of numbers, both ends included.
type span struct{ first, last uint64 }

// spans are the places to look at in their order: neighbouring blocks that the
// period can be in, ever more of them together.
func (s *Store) spans(ctx context.Context, q Query) ([]span, error) {
	order := "DESC"
	if q.OldestFirst {
		order = "ASC"
	}
	from, to := int64(-1<<62), int64(1<<62)
	if !q.From.IsZero() {
		from = q.From.UnixMicro()
	}
	if !q.To.IsZero() {
		to = q.To.UnixMicro()
	}
	rows, err := s.db.Read.QueryContext(ctx, "SELECT id FROM block WHERE last >= ? AND first <= ? ORDER BY id "+order, from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []span
	together := uint64(1)
	for rows.Next() {
		var id uint64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		b := span{max(id*blockSize, q.After+1), (id+1)*blockSize - 1}
		if q.Before > 0 {
			b.last = min(b.last, q.Before-1)
		}
		if b.first > b.last {
			continue
		}
		if n := len(all); n > 0 && adjoins(&all[n-1], b) && all[n-1].last-all[n-1].first < together*blockSize {
			all[n-1] = span{min(all[n-1].first, b.first), max(all[n-1].last, b.last)}
			continue
		}
		all = append(all, b)
		together = min(2*together, 64)
	}
	return all, rows.Err()
}

func adjoins(a *span, b span) bool { return b.last+1 == a.first || a.last+1 == b.first }

func (s *Store) searchSpan(ctx context.Context, q Query, sp span, f *Found) error {
	text, args := q.statement(sp, q.Limit+1-len(f.Records))
	rows, err := s.db.Read.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("search events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var r wire.Record
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		f.Records = append(f.Records, r)
	}
	return rows.Err()
}

// statement is the query within one span.
func (q Query) statement(sp span, limit int) (string, []any) {
	var where []string
	var args []any
	add := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	from, seq := "record", "record.seq"
	if m := match(q.Words); m != "" {
		from, seq = "word CROSS JOIN record ON record.seq = word.rowid", "word.rowid"
		add("word MATCH ?", m)
	}
	add(seq+" BETWEEN ? AND ?", sp.first, sp.last)
	if q.Corrections || q.Others {
		add("correction = ?", q.Corrections)
	}
	for _, c := range []struct{ column, value string }{
		{"definition", q.Definition}, {"client", q.Client}, {"service", q.Service}, {"kind", q.Kind}, {"mode", q.Mode}} {
		if c.value != "" {
			// The second condition lets the partial index be used.
			add(fmt.Sprintf("%[1]s = ? AND %[1]s != ''", c.column), c.value)
		}
	}
	if !q.From.IsZero() {
		add("time >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		add("time <= ?", q.To.UnixMicro())
	}
	order := " DESC"
	if q.OldestFirst {
		order = " ASC"
	}
	return "SELECT event FROM " + from + " WHERE " + strings.Join(where, " AND ") + " ORDER BY " + seq + order + " LIMIT ?", append(args, limit)
}

// Get returns one record; ok is false when there is none of that number.
func (s *Store) Get(ctx context.Context, seq uint64) (r wire.Record, ok bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var text []byte
	err = s.db.Read.QueryRowContext(ctx, "SELECT event FROM record WHERE seq = ?", seq).Scan(&text)
	if err != nil {
		return r, false, noRows(err)
	}
	return r, true, json.Unmarshal(text, &r)
}

func noRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
