package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

type testClock struct{ t time.Time }

func (c *testClock) now() time.Time          { return c.t }
func (c *testClock) advance(d time.Duration) { c.t = c.t.Add(d) }

func newClock() *testClock { return &testClock{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)} } // a dead clock

var guesser, owner = netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("192.0.2.1")

func TestThrottleDoubles(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	for i := range freeAttempts {
		if w := th.Attempt(guesser, ""); w != 0 {
			t.Fatalf("attempt %d: wait %v; want none", i+1, w)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		want *= time.Second
		got := th.Attempt(guesser, "")
		if got != want {
			t.Fatalf("wait = %v; want %v", got, want)
		}
		c.advance(got - time.Nanosecond)
		if w := th.Attempt(guesser, ""); w != time.Nanosecond {
			t.Fatalf("just before: wait = %v; want 1ns (refused attempts must not prolong)", w)
		}
		c.advance(time.Nanosecond)
		if w := th.Attempt(guesser, ""); w != 0 {
			t.Fatalf("after waiting: %v; want none", w)
		}
	}
	if w := th.Attempt(owner, ""); w != 0 {
		t.Errorf("another address waits %v; want none", w)
	}
	c.advance(forgetAfter + time.Second)
	if w := th.Attempt(guesser, ""); w != 0 {
		t.Errorf("after %v: wait %v; want none", forgetAfter, w)
	}
}

func TestThrottleSuccessClears(t *testing.T) {
	th := NewThrottle(newClock().now)
	for range 3 {
		for range freeAttempts {
			if w := th.Attempt(owner, ""); w != 0 {
				t.Fatalf("wait = %v; want none", w)
			}
		}
		th.Success(owner, "")
	}
}

// One who has an account guesses at another's: signing in between is no fresh start.
func TestThrottleForgivesTheSameNameOnly(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	guesses := 0
	for range 1000 {
		for th.Attempt(guesser, "admin") == 0 {
			guesses++
			if th.Attempt(guesser, "mallory") == 0 {
				th.Success(guesser, "mallory")
			}
		}
		c.advance(time.Second)
	}
	if guesses > 20 {
		t.Errorf("%d guesses in 1000 s; want the waits to double", guesses)
	}
	c.advance(maxWait)
	for range 2 * freeAttempts {
		if w := th.Attempt(guesser, "admin"); w != 0 {
			t.Fatalf("the owner, who types the right password, waits %v", w)
		}
		th.Success(guesser, "admin")
	}
}

func TestThrottleOverall(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	th.Attempt(owner, "")
	th.Success(owner, "")
	let := 0
	for i := range 100_000 {
		a := netip.MustParseAddr(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		if th.Attempt(a, "") == 0 {
			let++
		}
		c.advance(time.Millisecond)
	}
	if limit := burst + int(100*time.Second/perToken); let > limit {
		t.Errorf("%d attempts from as many addresses let through; want at most %d", let, limit)
	}
	if len(th.sources) > maxSources || len(th.friends) > maxFriend {
		t.Errorf("remembers %d addresses and %d friends; want at most %d, %d", len(th.sources), len(th.friends), maxSources, maxFriend)
	}
	if w := th.Attempt(owner, ""); w != 0 {
		t.Errorf("the owner waits %v during a flood; want none", w)
	}
}

func TestThrottleMemory(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	for i := range 3 * maxSources {
		c.advance(perToken)
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		th.Attempt(a, "")
		th.Success(a, "")
		th.Attempt(a, "")
	}
	if len(th.sources) > maxSources || len(th.friends) > maxFriend {
		t.Errorf("remembers %d addresses and %d friends; want at most %d, %d", len(th.sources), len(th.friends), maxSources, maxFriend)
	}
}

func TestSourceOf(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8::1": "2001:db8::/64",
		"2001:db8::ffff:1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := sourceOf(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("sourceOf(%s) = %s; want %s", in, got, want)
		}
	}
	sourceOf(netip.Addr{}) // must not panic
}
