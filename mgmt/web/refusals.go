package web

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Of one user's refusals so many a minute are written to the audit log one by one:
// nobody is to push others' records out of it.
const refusalsWritten = 30

// refusals counts, by user, what was refused in this minute.
type refusals struct {
	mu sync.Mutex
	of map[string]*refusal
}

type refusal struct {
	since  time.Time
	n      int
	unsaid int
}

// note counts one; write says whether it is to be written, and unsaid how many
// were not in the minute before.
func (r *refusals) note(who string, now time.Time) (write bool, unsaid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]*refusal{}
	}
	u := r.of[who]
	if u == nil {
		u = &refusal{since: now}
		r.of[who] = u
	}
	if since := now.Sub(u.since); since < 0 || since >= time.Minute {
		unsaid = u.unsaid
		*u = refusal{since: now}
	}
	if u.n++; u.n > refusalsWritten {
		u.unsaid++
		return false, 0
	}
	return true, unsaid
}

// refused records that somebody wanted what their role may not do.
func (s *Site) refused(r *http.Request, v visit, what string) {
	write, unsaid := s.refusals.note(v.who, s.Now())
	if unsaid > 0 {
		s.audit(r, v, "refused", "", fmt.Sprintf("%d more refusals were not written", unsaid), outcomeRefused)
	}
	if write {
		s.audit(r, v, "refused", what, "", outcomeRefused)
	}
}
