package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A definitions update may hold up a session that is under way by this much.
const mostStall = 50 * time.Millisecond

// TestDefinitionsUpdate loads all the definitions that there are anew, as an
// update does, while a session is busy: it keeps its bytes, is corrected without
// a gap, and is not held up for longer than it may be. How long it is held up
// while nothing is loaded is measured in the same run, for the computer may have
// more to do.
func TestDefinitionsUpdate(t *testing.T) { eachWay(t, testDefinitionsUpdate) }

func testDefinitionsUpdate(t *testing.T, attach string) {
	b := newBoxWith(t, attach, settingsText, filepath.Join("..", "..", "definitions"))
	if err := os.CopyFS(b.definitions, os.DirFS("testdata/definitions")); err != nil {
		t.Fatal(err)
	}
	packs := [2]string{b.definitions + ".1", b.definitions + ".2"}
	if err := os.Rename(b.definitions, packs[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(packs[1], os.DirFS(packs[0])); err != nil {
		t.Fatal(err)
	}
	load := func(pack string) {
		next := b.definitions + ".new"
		if err := os.Symlink(pack, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, b.definitions); err != nil {
			t.Fatal(err)
		}
		if err := b.control.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	startNginx(t, b.Server)
	load(packs[0])
	s := newBusy(t, b)
	var quiet, loading []time.Duration
	for i := range 9 {
		began := time.Now()
		load(packs[(i+1)%2])
		took := time.Since(began)
		loading = append(loading, s.worst())
		// For as long, nothing happens.
		<-time.After(took)
		quiet = append(quiet, s.worst())
	}
	n := s.stop(t)
	slices.Sort(quiet)
	slices.Sort(loading)
	without, with := quiet[len(quiet)/2], loading[len(loading)/2]
	t.Logf("%d requests of one session; the longest wait during an update is %v (median of %d; at most %v), without %v (at most %v)",
		n, with, len(loading), loading[len(loading)-1], without, quiet[len(quiet)-1])
	if with > mostStall && with > 3*without {
		t.Errorf("an update holds a session up for %v; want %v at most, with %v when there is none", with, mostStall, without)
	}
}

// busy is a session that asks all the time; not quite without a pause, for the
// server ends one after 100,000 requests.
type busy struct {
	longest atomic.Int64
	ending  atomic.Bool
	ended   chan error
	n       int
}

func newBusy(t *testing.T, b *box) *busy {
	t.Helper()
	s := &busy{ended: make(chan error, 1)}
	c := dial(t, b.Client, "10.77.0.2:80")
	go func() { s.ended <- s.run(c) }()
	return s
}

func (s *busy) run(c *conn) error {
	pace := time.NewTicker(500 * time.Microsecond)
	defer pace.Stop()
	last := time.Now()
	for ; !s.ending.Load(); s.n++ {
		<-pace.C
		got, err := c.try("/echo", fmt.Sprintf("X-Kept: %d\r\nX-Removed: yes\r\n", s.n), nil)
		if want := fmt.Sprintf("removed=[] kept=[%d]", s.n); err != nil || !strings.Contains(got, want) {
			return fmt.Errorf("request %d: %q, %v; want %s", s.n, got, err, want)
		}
		now := time.Now()
		if d := int64(now.Sub(last)); d > s.longest.Load() {
			s.longest.Store(d)
		}
		last = now
	}
	return nil
}

// worst is the longest wait for an answer since it was last asked for.
func (s *busy) worst() time.Duration { return time.Duration(s.longest.Swap(0)) }

func (s *busy) stop(t *testing.T) int {
	t.Helper()
	s.ending.Store(true)
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	return s.n
}
