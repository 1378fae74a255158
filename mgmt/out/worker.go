package out

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"wirepatch/mgmt/events"
)

// batch is how many records are read at a time.
const batch = 200

// look is how often an output looks for new records.
const look = 300 * time.Millisecond

// Times to wait for a receiver that is away: doubling, from the one to the other.
const (
	leastWait = 500 * time.Millisecond
	mostWait  = 30 * time.Second
)

// worker is one output at work.
type worker struct {
	sender *Sender
	output Output
	stop   context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	event uint64 // the last record that went out
	audit uint64
	lost  uint64
	err   string
	since time.Time
}

// link is a way to the receiver.
type link interface {
	send(ctx context.Context, all []message) error
	close()
}

func (w *worker) run(ctx context.Context) {
	wait := leastWait
	for ctx.Err() == nil {
		l, err := w.output.dial(ctx, w.sender.Host)
		if err == nil {
			err = w.pump(ctx, l, func() { wait = leastWait })
			l.close()
		}
		if ctx.Err() != nil {
			return
		}
		w.note(err)
		pause(ctx, wait)
		wait = min(2*wait, mostWait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// note keeps what is wrong, and says it once.
func (w *worker) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.err = ""
		return
	}
	if w.err == "" {
		w.since = w.sender.Now()
		w.sender.Log.Warn("output", "name", w.output.Name, "cause", err)
	}
	w.err = err.Error()
}

// pump sends what there is until that fails.
func (w *worker) pump(ctx context.Context, l link, works func()) error {
	for ctx.Err() == nil {
		all, event, aud, lost, err := w.next(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			if p, ok := l.(prober); ok {
				if err := p.alive(); err != nil {
					return err
				}
			}
			works()
			w.note(nil)
			pause(ctx, look)
			continue
		}
		if err := l.send(ctx, all); err != nil {
			return err
		}
		works()
		w.note(nil)
		if err := w.got(event, aud, lost); err != nil {
			return err
		}
	}
	return nil
}

// prober is a link that can tell while idle that its receiver has gone.
type prober interface{ alive() error }

// got remembers how far the output is.
func (w *worker) got(event, aud, lost uint64) error {
	w.mu.Lock()
	w.event, w.audit, w.lost = event, aud, w.lost+lost
	w.mu.Unlock()
	if _, err := w.sender.DB.Write.Exec("UPDATE output SET event = ?, audit = ? WHERE name = ?", event, aud, w.output.Name); err != nil {
		return fmt.Errorf("keep how far it is: %w", err)
	}
	return nil
}

// next reads what is to go out next.
func (w *worker) next(ctx context.Context) (all []message, event, aud, lost uint64, err error) {
	w.mu.Lock()
	event, aud = w.event, w.audit
	w.mu.Unlock()
	if oldest := w.sender.Events.Health().Oldest; oldest > event+1 {
		lost = oldest - event - 1
		all = append(all, gap(lost, w.sender.Now()))
		event = oldest - 1
	}
	found, err := w.sender.Events.Search(ctx, events.Query{After: event, OldestFirst: true, Limit: batch})
	if err != nil {
		return nil, event, aud, lost, err
	}
	for _, r := range found.Records {
		all, event = append(all, ofRecord(r)), r.Seq
	}
	records, err := w.sender.Audit.Since(aud, batch)
	if err != nil {
		return nil, event, aud, lost, err
	}
	if len(records) > 0 && records[0].Seq > aud+1 {
		lost += records[0].Seq - aud - 1
		all = append(all, gap(records[0].Seq-aud-1, w.sender.Now()))
	}
	for _, r := range records {
		all, aud = append(all, ofAudit(r)), r.Seq
	}
	return all, event, aud, lost, nil
}

func (w *worker) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Status{Output: w.output, Event: w.event, Audit: w.audit, Lost: w.lost, Error: w.err, Since: w.since}
}

func sortStatus(all []Status) {
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
}
