package control

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Bounds of a rehearsal.
const (
	DefaultRehearsal = time.Second
	MinRehearsal     = 600 * time.Millisecond // the ports must notice
	MaxRehearsal     = 5 * time.Second
	// maxStandstill is for how long rehearsals may stop the engine within
	// standstillSpan: one after the other they would switch inspection off, without
	// the approvals that a bypass may need.
	maxStandstill  = 12 * time.Second
	standstillSpan = 10 * time.Minute
)

// standstills are the rehearsals of late.
type standstills struct {
	mu  sync.Mutex
	all []standstill
}

type standstill struct {
	at time.Time
	d  time.Duration
}

// take says how long to wait until inspection may stand still for d; 0: it may now,
// and that is counted.
func (s *standstills) take(now time.Time, d time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(st standstill) bool { return now.Sub(st.at) >= standstillSpan })
	sum := d
	for _, st := range s.all {
		sum += st.d
	}
	for _, st := range s.all { // the oldest first
		if sum <= maxStandstill {
			break
		}
		if sum -= st.d; sum <= maxStandstill {
			return standstillSpan - now.Sub(st.at)
		}
	}
	s.all = append(s.all, standstill{now, d})
	return 0
}

// Rehearser is a Source that can show what would happen if the engine died.
type Rehearser interface {
	// Rehearse lets the engine stand still for so long, and tells what the
	// kernel did meanwhile.
	Rehearse(ctx context.Context, d time.Duration) (Rehearsal, error)
}

// Rehearsal is what happened while the engine stood still. Packets are counted
// from the moment on at which the ports gave it up.
type Rehearsal struct {
	StoppedMS int64              `json:"stopped_ms"` // how long the engine stood still
	NoticedMS int64              `json:"noticed_ms"` // after how long the ports give it up
	Waiting   uint64             `json:"waiting"`    // packets that went up to the engine before
	Bypassed  uint64             `json:"bypassed"`   // packets of protected services that passed uninspected, fragments included
	Dropped   uint64             `json:"dropped"`    // that were held back: of fail-closed services, and of sessions with unsettled edits
	Services  []RehearsedService `json:"services"`
	Sessions  RehearsedSessions  `json:"sessions"`
}

// RehearsedService is what happened to one protected service.
type RehearsedService struct {
	Name    string `json:"name"`
	Fail    string `json:"fail"` // policy that the kernel applied: "open", "closed"
	Passed  uint64 `json:"passed"`
	Dropped uint64 `json:"dropped"`
}

// RehearsedSessions is what became of the sessions.
type RehearsedSessions struct {
	Open      uint64 `json:"open"`       // before
	StartOver bool   `json:"start_over"` // packets had gone past the engine, so it knew its sessions no more
	Adopted   int    `json:"adopted"`    // edited and settled: they go on with translated numbers
	Doomed    int    `json:"doomed"`     // with unsettled edits: if the engine had died, they would be reset
	PickedUp  uint64 `json:"picked_up"`  // in their middle, within a second afterwards
}

// Rehearse has the dataplane show what would happen if the engine died now; it
// takes d and a second.
func (c *Client) Rehearse(ctx context.Context, d time.Duration) (Rehearsal, error) {
	var r Rehearsal
	return r, c.do(ctx, d+2*answerTime, http.MethodPost, fmt.Sprintf("/v1/rehearse?ms=%d", d.Milliseconds()), &r)
}

func (s *Server) rehearse(w http.ResponseWriter, r *http.Request) {
	source, ok := s.source.(Rehearser)
	if !ok {
		http.Error(w, "this dataplane has no rehearsal", http.StatusNotImplemented)
		return
	}
	ms, err := number(r, "ms", 31)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d := time.Duration(ms) * time.Millisecond
	if ms == 0 {
		d = DefaultRehearsal
	}
	if d < MinRehearsal || d > MaxRehearsal {
		http.Error(w, fmt.Sprintf("ms: got %d, want %d to %d", ms, MinRehearsal.Milliseconds(), MaxRehearsal.Milliseconds()), http.StatusBadRequest)
		return
	}
	if wait := s.stood.take(time.Now(), d); wait > 0 {
		http.Error(w, fmt.Sprintf("inspection has stood still for long enough in the last %v; wait %v for the next rehearsal", standstillSpan, wait.Round(time.Second)), http.StatusTooManyRequests)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), d+answerTime)
	defer cancel()
	report, err := source.Rehearse(ctx, d)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, report)
}
