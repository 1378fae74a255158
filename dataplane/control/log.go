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
	entries  []entry // a ring
	first    int     // of the oldest
	n        int
	last     uint64 // ID of the newest ever added
	evidence int    // bytes of evidence in entries
	more     chan struct{}
	waited   bool // somebody has taken more
}

// entry is an event, or one of the engine's, which is put into words only when
// somebody asks for it: an engine that corrects every request has many.
type entry struct {
	id      uint64
	at      time.Time
	event   Event
	session session.Event
	engines bool
}

func (n *entry) words() Event {
	e := n.event
	if n.engines {
		e = Describe(n.session)
	}
	e.ID = n.id
	if e.Time.IsZero() {
		e.Time = n.at
	}
	return e
}

func (n *entry) weight() int {
	x := n.event.Evidence
	if n.engines {
		x = &n.session.Evidence
	}
	if x == nil {
		return 0
	}
	return len(x.Before) + len(x.After)
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{more: make(chan struct{})} }

// Add appends e, to which it gives ID and, if it has none, time. The oldest
// events give way.
func (l *Log) Add(e Event) { l.add(entry{event: e}) }

// AddSession is Add for what the engine tells.
func (l *Log) AddSession(e session.Event) { l.add(entry{session: e, engines: true}) }

func (l *Log) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.id, e.at = l.last, time.Now()
	if l.n == logEntries {
		l.drop()
	}
	if at := l.first + l.n; len(l.entries) < logEntries {
		l.entries = append(l.entries, e)
	} else {
		l.entries[at%logEntries] = e
	}
	l.n++
	for l.evidence += e.weight(); l.evidence > logEvidence && l.n > 1; {
		l.drop()
	}
	if l.waited {
		close(l.more)
		l.more, l.waited = make(chan struct{}), false
	}
}

// drop forgets the oldest event.
func (l *Log) drop() {
	e := &l.entries[l.first]
	l.evidence -= e.weight()
	*e = entry{}
	l.first = (l.first + 1) % logEntries
	l.n--
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
	from := l.n - int(min(l.last-id, uint64(l.n)))
	to := min(from+n, l.n)
	out := make([]Event, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, l.entries[(l.first+i)%logEntries].words())
	}
	l.waited = true
	return out, l.more
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
