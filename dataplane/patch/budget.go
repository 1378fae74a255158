package patch

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A definition may take a fifth of a core for as long as it likes, and half a
// second at once. What takes more would hold up every session: it is set aside,
// and the rest go on. CEL's cost bounds one evaluation, this bounds all of them.
const (
	budgetShare = 5                      // one part in so many of the time that goes by
	budgetBurst = 500 * time.Millisecond // beyond its share
	// budgetMost is charged for one evaluation at most: CEL's bound keeps it below.
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

// clock is a definition's clock for its next evaluation. Near its limit, that is
// the processor time of this thread, so that nobody is set aside for having
// waited for a processor; else the cheaper time of day.
func (b *budget) clock() func() time.Duration {
	if b.spent.Load() > int64(b.burst)/2 {
		return threadTime
	}
	return dayTime
}

var began = time.Now()

func dayTime() time.Duration { return time.Since(began) }

func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return dayTime()
	}
	return time.Duration(t.Nano())
}

// charge notes the time of one evaluation; true: now it is too much. A negative
// time is that of an evaluation that changed threads in its middle.
func (b *budget) charge(took time.Duration) bool {
	spent := b.spent.Add(int64(max(0, min(took, budgetMost))))
	if spent <= int64(b.burst)/2 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.at.IsZero() || b.aside.Load() != nil {
		b.at = now
		if b.aside.Load() != nil {
			return false
		}
	}
	earned := int64(now.Sub(b.at)) / budgetShare
	b.at = now
	spent = max(0, b.spent.Load()-earned)
	b.spent.Store(spent)
	if spent <= int64(b.burst) {
		return false
	}
	why := fmt.Sprintf("its conditions took %v beyond a %dth of the time; reload to use it again, or set it to off", time.Duration(spent).Round(time.Millisecond), budgetShare)
	b.aside.Store(&why)
	return true
}
