package port

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// TestStandingMachine: an engine that does not beat is given up, but later where
// its processor's clock has not ticked since, as when a virtual machine's host has
// no time for it. The clocks tick without the process.
func TestStandingMachine(t *testing.T) { eachWay(t, testStandingMachine) }

func testStandingMachine(t *testing.T, attach string) {
	bed, p, pins := wired(t, attach, protected)
	from, to := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	// How old the last heartbeat is when a frame of a service that fails open passes:
	// the least of three times, as the test may have to wait for a processor, too.
	givenUp := func() time.Duration {
		least := patience
		for range 3 {
			began := time.Now() // before: the time is counted from the heartbeat
			p.Heartbeat()
			for crossed(t, from, to, handed["IPv4"]) == 0 {
				if time.Since(began) > patience {
					t.Fatal("no frame passes without an engine")
				}
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	if p.engine.ticks == nil {
		t.Fatalf("no clocks run: %v", p.Notes())
	}
	if got := givenUp(); got < StaleAfter || got >= StarvedAfter {
		t.Errorf("with clocks that tick, frames pass after %v; want %v", got, StaleAfter)
	}
	// A next process starts them anew; it ends, and they go on.
	bed.Box.Must(t, p.Close)
	p = open(t, bed, pins, protected)
	if got := givenUp(); got < StaleAfter || got >= StarvedAfter {
		t.Errorf("after a restart, frames pass after %v; want %v", got, StaleAfter)
	}
	if err := os.Remove(filepath.Join(pins, tickMapWpClocks)); err != nil { // which ends them
		t.Fatal(err)
	}
	if got := givenUp(); got < StarvedAfter {
		t.Errorf("with clocks that stand still, frames pass after %v; want %v", got, StarvedAfter)
	}
}

// TestClocksTick: every processor's clock ticks, also that of one that has nothing
// to do. One of three times is enough: a host may have no time for a processor.
func TestClocksTick(t *testing.T) {
	const ticks = 40
	_, p, _ := wired(t, "tcx", protected)
	clocks := func() (now []uint64) {
		for cpu := range runtime.NumCPU() {
			now = append(now, binary.NativeEndian.Uint64(p.engine.ticks[cpu*8:]))
		}
		return now
	}
	var least, most uint64
	for range 3 {
		began := clocks()
		least, most = 0, 0
		for end := time.Now().Add(patience); most < ticks && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			least = ticks
			for i, now := range clocks() {
				least, most = min(least, now-began[i]), max(most, now-began[i])
			}
		}
		if most >= ticks && least >= most/2 {
			return
		}
	}
	t.Errorf("while one processor's clock ticked %d times, another's did %d times", most, least)
}
