package auth

import (
	"net/netip"
	"sync"
	"time"
)

// Throttling. Every attempt counts as failed until it is known to be right,
// so that many at once gain nothing.
const (
	freeAttempts = 5                // of one address, before it has to wait
	maxWait      = 5 * time.Minute  // of one address; the wait doubles up to this
	forgetAfter  = 30 * time.Minute // without an attempt, an address starts anew
	maxSources   = 1024             // addresses remembered

	burst     = 50              // attempts of all strangers together
	perToken  = 2 * time.Second // then one more in this time
	maxFriend = 32              // addresses remembered that have signed in
)

// Throttle slows down guessing, per address and overall. The overall limit is
// for addresses that never signed in, so that a flood of strangers does not
// keep the owner out. Its memory is bounded.
type Throttle struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[netip.Prefix]source
	friends map[netip.Prefix]time.Time // when they last signed in
	credit  time.Duration              // of all strangers; an attempt costs perToken
	filled  time.Time
}

type source struct {
	failed int            // in all names
	names  map[string]int // in each
	last   time.Time      // of the last attempt that was let through
}

// NewThrottle returns a Throttle that takes the time from now.
func NewThrottle(now func() time.Time) *Throttle {
	return &Throttle{
		now:     now,
		sources: map[netip.Prefix]source{},
		friends: map[netip.Prefix]time.Time{},
		credit:  burst * perToken,
		filled:  now(),
	}
}

// Attempt asks to make one attempt from addr in the name of a user, "" for none
// that there is. It returns 0 when that is allowed, otherwise how long to wait.
func (t *Throttle) Attempt(addr netip.Addr, name string) time.Duration {
	key := sourceOf(addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	s := t.sources[key]
	if now.Sub(s.last) > forgetAfter {
		s = source{}
	}
	if s.names == nil {
		s.names = map[string]int{}
	}
	if wait := waitAfter(s.failed) - now.Sub(s.last); s.failed > 0 && wait > 0 {
		return wait
	}
	if _, known := t.friends[key]; !known {
		if wait := t.take(now); wait > 0 {
			return wait
		}
	}
	s.failed++
	s.names[name]++
	s.last = now
	t.remember(key, s, now)
	return 0
}

// Success tells that the last attempt from addr in this name was right. It forgives
// what was tried in the same name alone: who has an account could otherwise sign in
// between guesses at another's, and guess as fast as they liked.
func (t *Throttle) Success(addr netip.Addr, name string) {
	key := sourceOf(addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.sources[key]; ok {
		s.failed -= s.names[name]
		delete(s.names, name)
		if t.sources[key] = s; s.failed == 0 {
			delete(t.sources, key)
		}
	}
	if _, known := t.friends[key]; !known && len(t.friends) >= maxFriend {
		dropOldest(t.friends, func(at time.Time) time.Time { return at })
	}
	t.friends[key] = t.now()
}

func waitAfter(failed int) time.Duration {
	n := failed - freeAttempts
	switch {
	case n < 0:
		return 0
	case n > 10:
		return maxWait
	}
	return min(time.Second<<n, maxWait)
}

// take pays for one attempt of a stranger, or says when there will be enough.
func (t *Throttle) take(now time.Time) time.Duration {
	t.credit = min(burst*perToken, t.credit+now.Sub(t.filled))
	t.filled = now
	if t.credit < perToken {
		return perToken - t.credit
	}
	t.credit -= perToken
	return 0
}

func (t *Throttle) remember(key netip.Prefix, s source, now time.Time) {
	if _, known := t.sources[key]; !known && len(t.sources) >= maxSources {
		for k, v := range t.sources {
			if now.Sub(v.last) > forgetAfter {
				delete(t.sources, k)
			}
		}
		if len(t.sources) >= maxSources {
			// Who is forgotten this way still meets the overall limit.
			dropOldest(t.sources, func(s source) time.Time { return s.last })
		}
	}
	t.sources[key] = s
}

func dropOldest[V any](m map[netip.Prefix]V, at func(V) time.Time) {
	var oldest netip.Prefix
	var when time.Time
	for k, v := range m {
		if when.IsZero() || at(v).Before(when) {
			oldest, when = k, at(v)
		}
	}
	delete(m, oldest)
}

// sourceOf groups what one guesser can easily own: an IPv4 address, an IPv6
// /64.
func sourceOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero Prefix for an invalid address
	return p
}
