package wire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
)

// Interval is the time between two polls.
const Interval = time.Second

// answerTime is how long the dataplane may take to answer.
const answerTime = 5 * time.Second

// Poller keeps the copy. Its methods are safe for use by many goroutines;
// Poll is called by one.
type Poller struct {
	dataplane *control.Client
	boxPath   string
	now       func() time.Time
	keep      func(r Record, instance string, event uint64)

	// Of the polling goroutine alone:
	last     counters
	instance string // of the dataplane process that since counts in
	since    uint64

	mu      sync.Mutex
	state   State
	journal journal
}

// New returns a Poller of the dataplane at the unix socket and of init's file
// at boxPath.
func New(socket, boxPath string, now func() time.Time) *Poller {
	return &Poller{dataplane: control.Dial(socket), boxPath: boxPath, now: now, keep: func(Record, string, uint64) {}}
}

// Resume is where an earlier run of this program ended.
type Resume struct {
	Seq      uint64 // the last record's
	Instance string // the dataplane process that was asked last
	Event    uint64 // its last event that became a record
}

// Resume goes on where an earlier run ended, with its last records; keep is told
// of each new record and must not wait. To be called before the first poll.
func (p *Poller) Resume(r Resume, last []Record, keep func(rec Record, instance string, event uint64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instance, p.since, p.keep = r.Instance, r.Event, keep
	p.journal.seq = r.Seq
	for _, rec := range last {
		p.journal.put(rec)
	}
}

// Note adds an event of the management plane's own.
func (p *Poller) Note(kind, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("management", kind, text, p.now())
}

func (p *Poller) note(source, kind, text string, at time.Time) {
	p.keep(p.journal.add(source, control.Event{Time: at, Kind: kind, Text: text}), "", 0)
}

// Run polls until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		p.Poll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Poll asks once, all there is to ask. Box first: that the dataplane ended
// comes before what its successor has to tell.
func (p *Poller) Poll(ctx context.Context) {
	box, boxErr := state.Read(p.boxPath)
	p.takeBox(box, boxErr)

	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	before := p.instance
	events, status, err := p.ask(ctx)
	if err != nil {
		p.takeSilence(err)
		return
	}
	p.takeAnswer(status, events, before != "" && before != p.instance)
}

// State returns the copy.
func (p *Poller) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Time = p.now()
	s.Dataplane.History = slices.Clone(s.Dataplane.History)
	s.Dataplane.Minutes = slices.Clone(s.Dataplane.Minutes)
	return s
}

// Corrections returns the last n corrections, newest first.
func (p *Poller) Corrections(n int) []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return newest(p.journal.corrections, n)
}

// Events returns the last n events that are not corrections, newest first.
func (p *Poller) Events(n int) []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return newest(p.journal.events, n)
}

// Since returns up to n records of either kind with a number above seq,
// oldest first.
func (p *Poller) Since(seq uint64, n int) []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.journal.since(seq, n)
}

// ask gets the events and the status. The status comes last: only when it is
// still of the process that p.since counts in, the events are of that process.
func (p *Poller) ask(ctx context.Context) ([]control.Event, *control.Status, error) {
	for range 3 {
		var events []control.Event
		if p.instance != "" {
			var err error
			if events, err = p.drain(ctx); err != nil {
				return nil, nil, err
			}
		}
		status, err := p.dataplane.Status(ctx)
		if err != nil {
			return nil, nil, err
		}
		if status.Instance == p.instance {
			return events, &status, nil
		}
		p.instance, p.since = status.Instance, 0
	}
	return nil, nil, fmt.Errorf("the dataplane restarts faster than it can be asked")
}

// answers bounds how many answers full of events one poll takes: more than the
// dataplane keeps.
const answers = 16

func (p *Poller) drain(ctx context.Context) (all []control.Event, _ error) {
	since := p.since
	for range answers {
		events, err := p.dataplane.Events(ctx, since, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
		if len(events) < control.MaxEvents {
			break
		}
		since = events[len(events)-1].ID
	}
	return all, nil
}

// takeAnswer keeps what the dataplane said; another says that it is no longer
// the process that answered before.
func (p *Poller) takeAnswer(status *control.Status, events []control.Event, another bool) {
	now := p.now()
	next := counters{now, status.Ports}
	rates := ratesBetween(p.last, next)
	p.last = next

	p.mu.Lock()
	defer p.mu.Unlock()
	d := &p.state.Dataplane
	switch {
	case d.Answers && another:
		p.note("management", "restart", "another dataplane process answers", now)
	case !d.Answers && !d.Seen.IsZero():
		p.note("management", "restart", "the dataplane answers again", now)
	}
	if !d.Answers {
		d.Answers, d.Error, d.Since = true, "", now
	}
	p.takeEvents(events)
	before := uint64(0)
	if d.Status != nil {
		before = d.Status.Corrections
	}
	d.Minutes = countMinute(d.Minutes, before, status.Corrections, d.Status != nil, now)
	d.Seen, d.Status, d.Rates = now, status, rates
	if rates != nil {
		d.History = pushSample(d.History, sample(rates, now.UTC()))
	}
}

func (p *Poller) takeEvents(events []control.Event) {
	for _, e := range events {
		if e.ID <= p.since {
			continue
		}
		if lost := e.ID - p.since - 1; lost > 0 && p.since > 0 {
			p.note("management", "lost", fmt.Sprintf("%d events came faster than they could be copied and are lost", lost), p.now())
		}
		p.since = e.ID
		p.keep(p.journal.add("dataplane", e), p.instance, e.ID)
	}
}

func (p *Poller) takeSilence(err error) {
	p.last = counters{} // a rate over the gap would be wrong
	p.mu.Lock()
	defer p.mu.Unlock()
	d := &p.state.Dataplane
	if d.Answers || d.Since.IsZero() {
		if d.Answers {
			p.note("management", "restart", "the dataplane does not answer any more: "+cause(err), p.now())
		}
		d.Answers, d.Since = false, p.now()
	}
	d.Error, d.Rates = cause(err), nil
	d.History = pushSample(d.History, Sample{At: p.now().UTC()})
}

func pushSample(h []Sample, s Sample) []Sample {
	if len(h) >= HistoryLength {
		h = slices.Delete(h, 0, len(h)-HistoryLength+1)
	}
	return append(h, s)
}

func (p *Poller) takeBox(box *state.Box, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.state.BoxError = err.Error() // the last state that was read stays
		return
	}
	for _, proc := range box.Processes {
		if proc.Restarts > restarts(p.state.Box, proc.Name) {
			p.note("box", "restart", endText(proc), proc.ExitedAt)
		}
	}
	p.state.Box, p.state.BoxError = box, ""
}

func restarts(box *state.Box, name string) int {
	if box == nil {
		return 0
	}
	for _, proc := range box.Processes {
		if proc.Name == name {
			return proc.Restarts
		}
	}
	return 0
}

func endText(p state.Process) string {
	cause := p.LastExit
	if cause == "" {
		cause = "cause unknown"
	}
	return fmt.Sprintf("%s ended (%s); init starts it again, restart %d since power-on", p.Name, cause, p.Restarts)
}
