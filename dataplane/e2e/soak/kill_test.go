package soak

import (
	"context"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

// TestKilled kills the program and holds it up while sessions are busy. A
// session without edits, or whose edits are settled, goes on; what is not
// settled may be reset, and then that is told; nothing arrives otherwise than it
// was sent or corrected. What the ends have lost is what the engine has counted.
func TestKilled(t *testing.T) {
	t.Run("tcx", func(t *testing.T) {
		bed, _ := netns.NewBadBed(t, netns.BadBed{MTU: 1500, Offload: true, Seed: *seed})
		testKilled(t, bed)
	})
	t.Run("xdp", func(t *testing.T) {
		bed := netns.NewBed(t)
		bed.AttachBy(t, "xdp")
		testKilled(t, bed)
	})
}

func testKilled(t *testing.T, bed *netns.Bed) {
	const sessions = 1000
	r := round{sack: true, timestamps: true, scaling: true}
	r.prepare(t, bed)
	bed.Client.Must(t, func() error { // those that were reset linger
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("20000 60999"), 0)
	})
	b := newBox(t, bed, "heads", "open")
	load := newBusy(t, b, sessions)
	var mu sync.Mutex
	told := map[string]time.Time{} // of sessions that were reset, by the client's address
	hear := func(events ...control.Event) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range events {
			if e.Kind == "reset" {
				told[e.Client] = e.Time
			}
		}
	}
	ctx, done := context.WithCancel(t.Context())
	var listener sync.WaitGroup
	listener.Go(func() {
		b.listen(ctx, func(e control.Event) { hear(e) })
	})
	var lost, others uint64 // as the processes have counted them, one after the other
	count := func() (asked time.Time) {
		b.settled(t)
		asked = time.Now()
		s := b.status(t).Sessions
		hear(b.recent(t)...)
		lost, others = lost+s.Lost, others+s.Reset
		return asked
	}
	// A machine that is too busy for the engine stops it, too. What that costs between
	// our question and the process's end it has told, but its figure ends with it.
	var late [][2]time.Time
	for i := range *kills {
		load.progress(t, 3*sessions)
		if i%3 == 2 {
			b.settled(t)
			b.cmd.Process.Signal(syscall.SIGSTOP)
			load.progress(t, sessions) // past the engine
			b.cmd.Process.Signal(syscall.SIGCONT)
			continue
		}
		asked := count()
		b.end(syscall.SIGKILL)
		late = append(late, [2]time.Time{asked, time.Now()})
		load.progress(t, sessions)
		b.start(t)
	}
	load.progress(t, 3*sessions)
	b.settled(t)
	load.finish()
	last := b.events(t)
	done()
	listener.Wait()
	hear(last...)
	count()
	uncounted := uint64(0)
	for _, at := range told {
		if slices.ContainsFunc(late, func(w [2]time.Time) bool { return at.After(w[0]) && at.Before(w[1]) }) {
			uncounted++
		}
	}
	bypassed := b.status(t).Ports[0].Bypassed
	t.Logf("%d exchanges; triggers: %d corrected, %d passed while the engine was gone; %d sessions lost, %d and %d counted", load.exchanges.Load(),
		load.corrected[1], load.corrected[0], len(load.resets), lost, others)
	for _, err := range load.failures {
		t.Error(err)
	}
	if len(load.failures) > 0 {
		s := b.status(t)
		t.Logf("client: %s\nserver: %s\nengine: %+v\nports: %+v", discarded(bed.Client), discarded(bed.Server), s.Sessions, s.Ports)
	}
	for _, r := range load.resets {
		switch {
		case told[r.from].IsZero():
			t.Errorf("the session from %s (edited %t) was lost, and nothing tells of it", r.from, r.edited)
		case !r.edited:
			t.Errorf("the session from %s was lost, though it had no edits", r.from)
		}
	}
	if n := uint64(len(load.resets)); lost > n || lost+uncounted < n || others != 0 {
		t.Errorf("%d sessions were lost; the engine has counted %d with unsettled edits, and at most %d more, and %d that it has reset for other reasons", n, lost, uncounted, others)
	}
	if b.status(t).Ports[0].Translated == 0 {
		t.Error("nothing of edited sessions was translated in the kernel")
	}
	if load.corrected[1] == 0 || bypassed == 0 {
		t.Errorf("%d triggers were corrected, %d packets went past the engine; want some of both", load.corrected[1], bypassed)
	}
}

// settled waits until the engine has reset what it has to, and returns its figures.
func (b *box) settled(t *testing.T) control.Sessions {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		s := b.status(t).Sessions
		if s.Doomed == 0 {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("%d sessions are yet to be reset after %v", s.Doomed, patience)
		}
	}
}
