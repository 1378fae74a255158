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
// was sent or corrected.
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
	load := newBusy(t, bed, sessions)
	var mu sync.Mutex
	told := map[string]bool{}
	ctx, done := context.WithCancel(t.Context())
	var listener sync.WaitGroup
	listener.Go(func() {
		b.listen(ctx, func(e control.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == "reset" {
				told[e.Client] = true
			}
		})
	})
	var killed []time.Time
	for i := range *kills {
		load.progress(t, 3*sessions)
		if i%3 == 2 {
			b.cmd.Process.Signal(syscall.SIGSTOP)
			load.progress(t, sessions) // past the engine
			b.cmd.Process.Signal(syscall.SIGCONT)
			continue
		}
		killed = append(killed, time.Now())
		b.end(syscall.SIGKILL)
		load.progress(t, sessions)
		b.start(t)
	}
	load.progress(t, 3*sessions)
	load.finish()
	last := b.events(t)
	done()
	listener.Wait()
	for _, e := range last {
		told[e.Client] = told[e.Client] || e.Kind == "reset"
	}
	s := b.status(t)
	bypassed := s.Ports[0].Bypassed
	t.Logf("%d exchanges; triggers: %d corrected, %d passed while the engine was gone; %d sessions reset, %d told; %+v", load.exchanges.Load(),
		load.corrected[1], load.corrected[0], len(load.resets), len(told), s.Sessions)
	for _, err := range load.failures {
		t.Error(err)
	}
	// What a process says within its last moments may die with it.
	untellable := func(at time.Time) bool {
		return slices.ContainsFunc(killed, func(k time.Time) bool { return k.Sub(at).Abs() < time.Second/2 })
	}
	for from, r := range load.resets {
		switch {
		case !told[from] && !untellable(r.at):
			t.Errorf("the session from %s (edited %t) was lost, and nothing tells of it", from, r.edited)
		case !r.edited:
			t.Errorf("the session from %s was reset, though it had no edits", from)
		}
	}
	if load.corrected[1] == 0 || bypassed == 0 {
		t.Errorf("%d triggers were corrected, %d packets went past the engine; want some of both", load.corrected[1], bypassed)
	}
}
