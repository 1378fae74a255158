package control

import (
	"context"
	"sync"
	"time"

	"wirepatch/dataplane/session"
)

// Bounds of a Log: entries, and bytes of evidence within them.
const (
	logEntries  = 4096
	logEvidence = 16 << 20
)

// Log keeps the last events. It is safe for concurrent use.
type Log struct {
	mu       sync.Mutex
	events   []Event // oldest first
	last     uint64  // ID of the newest ever added
	evidence int     // bytes of evidence in events
	more     chan struct{}
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{more: make(chan struct{})} }

// Add appends e, to which it gives ID and, if it has none, time. The oldest
// events give way.
func (l *Log) Add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.ID = l.last
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.events = append(l.events, e)
	l.evidence += weight(e.Evidence)
	for len(l.events) > logEntries || l.evidence > logEvidence && len(l.events) > 1 {
		l.evidence -= weight(l.events[0].Evidence)
		l.events[0] = Event{}
		l.events = l.events[1:]
	}
	close(l.more)
	l.more = make(chan struct{})
}

func weight(e *session.Evidence) int {
	if e == nil {
		return 0
	}
	return len(e.Before) + len(e.After)
}

// Last returns the ID of the newest event, 0 before the first.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Since returns the oldest n events with an ID above id. An id that this log
// has not reached is one of an earlier process: then all events are new.
func (l *Log) Since(id uint64, n int) []Event {
	events, _ := l.since(id, n)
	return events
}

func (l *Log) since(id uint64, n int) ([]Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id > l.last {
		id = 0
	}
	from := len(l.events) - int(min(l.last-id, uint64(len(l.events))))
	to := min(from+n, len(l.events))
	return append([]Event{}, l.events[from:to]...), l.more
}

// Wait is Since, but blocks until there is an event or ctx is done.
func (l *Log) Wait(ctx context.Context, id uint64, n int) []Event {
	for {
		events, more := l.since(id, n)
		if len(events) > 0 {
			return events
		}
		select {
		case <-more:
		case <-ctx.Done():
			return events
		}
	}
}
