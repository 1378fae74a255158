package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wirepatch/mgmt/store"
)

// The log is bounded by the number of its records, and by for how long the box has
// run since they were written; not by their times, which are the box's clock's:
// whoever led that astray could have evidence thrown away. The
// oldest records are removed in one transaction with a new record that says which
// they were, and the hash of the last of them. So the chain begins behind that
// hash, and whoever exported the removed part in time can show that it ended there.

// cutAction is the record that says so; its Detail is the Head of what was removed.
const cutAction = "audit.cut"

// Most is how many records are kept where there is room for them.
const Most = 1_000_000

// recordSize is what a record takes on the disk, with room to spare.
const recordSize = 1 << 10

// MostOn is how many records are kept on a disk of so many bytes: at most an
// eighth of it is for them.
func MostOn(bytes int64) uint64 { return uint64(min(Most, max(1000, bytes/8/recordSize))) }

// Life is for how long the box runs with a record before it is given up.
const Life = 10 * 365 * 24 * time.Hour

// Keep removes the oldest records whenever there are more than most, or some have
// reached the end of their life, until ctx ends.
func (l *Log) Keep(ctx context.Context, most uint64, ran *store.Ran) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		old, err := l.older(ran)
		if err = errors.Join(err, l.Bound(most, old)); err != nil {
			l.log.Warn("the audit log is not bounded", "cause", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// older is the last record that has reached the end of its life.
func (l *Log) older(ran *store.Ran) (uint64, error) {
	end, err := l.Head()
	if err == nil {
		err = ran.Note(l.db, "audit", end.Seq)
	}
	if err != nil {
		return 0, err
	}
	return ran.Older(l.db, "audit", Life)
}

// Bound removes the oldest records where there are more than most, and some more,
// so that it need not do so at each record; and those up to old.
func (l *Log) Bound(most, old uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	tx, err := l.db.Write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var first uint64
	end, err := head(tx.QueryRow(lastRecord))
	if err == nil && end.Seq > 0 {
		err = tx.QueryRow("SELECT seq FROM audit ORDER BY seq LIMIT 1").Scan(&first)
	}
	if err != nil || first == 0 {
		return err
	}
	upto, why := Head{Seq: min(old, end.Seq-1)}, fmt.Sprintf("the box has run for %d days since", Life/(24*time.Hour))
	if end.Seq-first+1 > most {
		if n := end.Seq - most*9/10; n > upto.Seq {
			upto.Seq, why = n, fmt.Sprintf("there were more than %d", most)
		}
	}
	if upto.Seq < first {
		return nil
	}
	if err := tx.QueryRow("SELECT hash FROM audit WHERE seq = ?", upto.Seq).Scan(&upto.Hash); err != nil {
		return fmt.Errorf("audit record %d: %w", upto.Seq, err)
	}
	for _, q := range []string{"DROP TRIGGER audit_delete", "DELETE FROM audit WHERE seq <= " + strconv.FormatUint(upto.Seq, 10), deleteTrigger} {
		if _, err := tx.Exec(q); err != nil {
			return fmt.Errorf("remove audit records %d to %d: %w", first, upto.Seq, err)
		}
	}
	r, err := AddTo(tx, Entry{Time: l.now().UTC(), Who: "wirepatch", Action: cutAction, Object: fmt.Sprintf("records %d to %d were removed: %s", first, upto.Seq, why), Detail: upto.String(), Outcome: "done"})
	if err == nil {
		err = tx.Commit()
	}
	if err == nil {
		l.told(r)
	}
	return err
}

// First is the number of the oldest record that is kept.
func (l *Log) First() (uint64, error) {
	list, err := l.Since(0, 1)
	if err != nil || len(list) == 0 {
		return 1, err
	}
	return list[0].Seq, nil
}

// beginning is where a chain begins whose oldest records were removed.
type beginning struct {
	first Record // which follows what was removed
	found bool   // a record says that it was, and with which end
	end   Head
}

// proved looks whether a record says what was removed before the first one.
func (b *beginning) proved(r Record) error {
	if b.first.Seq == 0 || b.found || !strings.Contains(r.Bytes, cutAction) {
		return nil
	}
	e, err := r.Entry()
	if err != nil || e.Action != cutAction || !strings.HasPrefix(e.Detail, strconv.FormatUint(b.first.Seq-1, 10)+":") {
		return nil
	}
	_, b.end.Hash, _ = strings.Cut(e.Detail, ":")
	if want := link(b.end.Hash, []byte(b.first.Bytes)); want != b.first.Hash {
		return fmt.Errorf("record %d does not follow what was removed before it: its hash is %s, and %s stands there", b.first.Seq, want, b.first.Hash)
	}
	b.found, b.end.Seq = true, b.first.Seq-1
	return nil
}
