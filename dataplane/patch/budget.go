package patch

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A definition may take a fifth of a core for as long as it likes, and half a
// second at once. What takes more would hold up every session: it is set aside,
// and the rest go on. CEL's cost bounds one evaluation, this bounds all of them.
const (
	budgetShare = 5                      // one part in so many of the time that goes by
	budgetBurst = 500 * time.Millisecond // beyond its share
	// budgetMost is charged for one evaluation: CEL's bound keeps it below, and
	// what is more was spent waiting for a processor.
	budgetMost = 100 * time.Millisecond
)

// unhurried is for tests, which a slow processor must not fail: a condition may
// take its time.
func unhurried(s *Set) { s.burst = math.MaxInt64 }

// budget is the time that a definition has taken beyond its share.
type budget struct {
	burst time.Duration
	spent atomic.Int64 // not yet lowered by what has gone by since at
	mu    sync.Mutex
	at    time.Time
	aside atomic.Pointer[string] // why it is set aside
}

// charge notes the time of one evaluation; true: now it is too much.
func (b *budget) charge(from, to time.Time) bool {
	spent := b.spent.Add(int64(min(to.Sub(from), budgetMost)))
	if spent <= int64(b.burst) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() || b.aside.Load() != nil {
		b.at = to
		if b.aside.Load() != nil {
			return false
		}
	}
	earned := int64(to.Sub(b.at)) / budgetShare
	b.at = to
	spent = max(0, b.spent.Load()-earned)
	b.spent.Store(spent)
	if spent <= int64(b.burst) {
		return false
	}
	why := fmt.Sprintf("its conditions took %v beyond a %dth of the time; reload to use it again, or set it to off", time.Duration(spent).Round(time.Millisecond), budgetShare)
	b.aside.Store(&why)
	return true
}
