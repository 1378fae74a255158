package patch

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/protocol"
)

// A definition may take a fifth of a core for as long as it likes, and some
// seconds at once. What takes more would hold up every session. Where few clients
// cause it, they are kept from the definition, their sessions reset: else whoever
// sends dear values could switch it off. Only what many clients cause has it set
// aside, for a while, and the rest go on. CEL's cost bounds one evaluation, this
// bounds all of them.
const (
	budgetShare = 5               // one part in so many of the time that goes by
	budgetBurst = 4 * time.Second // beyond its share
	// Parts of the burst: from the first on it is noted which clients cause the
	// cost, from the second on those that cause much of it are limited.
	budgetNear     = 16
	budgetPressing = 8
	// budgetMost is charged for one evaluation at most: CEL's bound keeps it below.
	budgetMost = 100 * time.Millisecond
	// budgetMessage is what one message may take, of all definitions.
	budgetMessage = 250 * time.Millisecond
	// asideFor is how long a definition is set aside.
	asideFor = time.Minute
	// tellEvery is how often it is told that clients are limited.
	tellEvery = time.Minute
)

// limits are those of a Set, and its clocks.
type limits struct {
	burst, message time.Duration
	day, thread    func() time.Duration
}

var defaultLimits = limits{budgetBurst, budgetMessage, dayTime, threadTime}

// unhurried is for tests, which a slow processor must not fail: a condition may
// take its time.
func unhurried(s *Set) { s.limits.burst, s.limits.message = math.MaxInt64, math.MaxInt64 }

// budget is the time that a definition has taken beyond its share.
type budget struct {
	*limits
	spent   atomic.Int64           // not yet lowered by what has gone by since at
	aside   atomic.Pointer[string] // why it is set aside
	mu      sync.Mutex
	at      time.Duration
	until   time.Duration // it is set aside
	clients *clientCosts  // nil: it never came near its limit
	told    time.Duration // when it was told that a client is limited
}

// standing is what a budget has to say about an evaluation.
type standing int

const (
	judged  standing = iota // evaluate it
	limited                 // not for this client
	first                   // limited, and it is to be told
	out                     // the definition is set aside
)

// clock is a definition's clock for its next evaluation. Near a limit, that is
// the processor time of this thread, so that nobody pays for having waited for a
// processor; else the cheaper time of day.
func (b *budget) clock(message time.Duration) func() time.Duration {
	if b.spent.Load() > int64(b.burst)/budgetNear || message > b.message/2 {
		return b.thread
	}
	return b.day
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

// stands says whether a message may be judged.
func (b *budget) stands(m *protocol.Message) standing {
	if b.spent.Load() <= int64(b.burst)/budgetPressing && b.aside.Load() == nil {
		return judged
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.day()
	if b.aside.Load() != nil {
		if now < b.until {
			return out
		}
		b.aside.Store(nil)
		b.spent.Store(0)
		b.at = now
		return judged
	}
	if b.settle(now) <= int64(b.burst)/budgetPressing || b.clients == nil {
		return judged
	}
	c := b.clients.find(clientOf(m))
	if c == nil || c.settle(now) <= clientBurst {
		return judged
	}
	if b.told == 0 || now-b.told >= tellEvery {
		b.told = now
		return first
	}
	return limited
}

// settle lowers what was spent by what has been earned meanwhile.
func (b *budget) settle(now time.Duration) int64 {
	spent := max(0, b.spent.Load()-int64(now-b.at)/budgetShare)
	b.spent.Store(spent)
	b.at = now
	return spent
}

// charge notes the time of one evaluation; true: now it is too much. A negative
// time is that of an evaluation that changed threads in its middle.
func (b *budget) charge(m *protocol.Message, took time.Duration) bool {
	took = max(0, min(took, budgetMost))
	if b.spent.Add(int64(took)) <= int64(b.burst)/budgetNear {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.day()
	if b.aside.Load() != nil {
		return false
	}
	spent := b.settle(now)
	if b.clients == nil {
		b.clients = new(clientCosts)
	}
	b.clients.charge(clientOf(m), now, took)
	if spent <= int64(b.burst) {
		return false
	}
	why := fmt.Sprintf("its conditions took %v beyond a %dth of the time, for many clients; it is tried again in %v, or set it to off", time.Duration(spent).Round(time.Millisecond), budgetShare, asideFor)
	b.aside.Store(&why)
	b.until = now + asideFor
	return true
}

// why says why it is set aside; "" when it is not.
func (b *budget) why() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if why := b.aside.Load(); why != nil && b.day() < b.until {
		return *why
	}
	return ""
}
