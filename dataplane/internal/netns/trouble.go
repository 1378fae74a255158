package netns

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// Trouble is what a path does to TCP segments: probabilities, from 0 to 1, by
// frame, and times. Other frames pass as they are.
type Trouble struct {
	Loss, Duplicate, Corrupt, Reorder float64
	Fragment                          float64       // cut into IP fragments; only frames that are as on a wire
	Mark                              float64       // congestion is told (RFC 3168) in packets whose sender can hear of it
	Delay                             time.Duration // of all
	Late                              time.Duration // at most, of those that are reordered
}

func (tr Trouble) String() string {
	return fmt.Sprintf("loss %.1f%% duplicate %.1f%% corrupt %.1f%% reorder %.1f%% fragment %.1f%% mark %.1f%% delay %v late %v",
		tr.Loss*100, tr.Duplicate*100, tr.Corrupt*100, tr.Reorder*100, tr.Fragment*100, tr.Mark*100, tr.Delay, tr.Late)
}

// Done counts what a path did.
type Done struct {
	Frames, Lost, Duplicated, Corrupted, Reordered, Fragmented, Marked atomic.Uint64
}

func (d *Done) String() string {
	return fmt.Sprintf("%d frames, %d lost, %d duplicated, %d corrupted, %d reordered, %d fragmented, %d marked",
		d.Frames.Load(), d.Lost.Load(), d.Duplicated.Load(), d.Corrupted.Load(), d.Reordered.Load(), d.Fragmented.Load(), d.Marked.Load())
}

// BadBed describes a bed whose paths are in trouble.
type BadBed struct {
	MTU     int
	Offload bool // segmentation and checksums are left undone where they can be
	Seed    uint64
	Trouble [2]Trouble // between client and box, between box and server
}

// NewBadBed makes a bed like NewBed's, with a relay of the test's own in the
// place of each cable. Its end hosts have no segmentation or checksum offload
// unless it says so.
func NewBadBed(t testing.TB, c BadBed) (*Bed, *Done) {
	t.Helper()
	b := &Bed{Client: New(t), Box: New(t), Server: New(t), Attach: "tcx"}
	done := &Done{}
	c0 := tap(t, b.Client, "c0", ClientMAC, c.MTU, c.Offload)
	b0 := tap(t, b.Box, "b0", "02:00:00:00:00:b0", c.MTU, c.Offload)
	b1 := tap(t, b.Box, "b1", "02:00:00:00:00:b1", c.MTU, c.Offload)
	s0 := tap(t, b.Server, "s0", ServerMAC, c.MTU, c.Offload)
	for i, p := range [][2]*os.File{{c0, b0}, {b0, c0}, {b1, s0}, {s0, b1}} {
		r := &relay{from: p[0], to: p[1], trouble: c.Trouble[i/2], done: done, rng: rand.New(rand.NewPCG(c.Seed, uint64(i))), wake: make(chan struct{}, 1)}
		go r.read()
		go r.deliver()
	}
	b.address(t)
	return b, done
}
