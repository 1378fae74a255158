package sim

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run this seed only, with a trace")
	runsFlag = flag.Int("runs", 24000, "how many seeds to run; make soak runs a million")
	fromFlag = flag.Uint64("from", 1, "the first seed")
)

func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		report(t, FromSeed(*seedFlag))
		return
	}
	var next, bad atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(*runsFlag) && bad.Load() < 5; i = next.Add(1) {
				c := FromSeed(*fromFlag + uint64(i) - 1)
				if failure, _ := Run(c, false); failure != "" {
					bad.Add(1)
					report(t, c)
				}
			}
		})
	}
	workers.Wait()
}

// report runs c again and again with less of what makes it hard, and prints
// the simplest run that still fails.
func report(t *testing.T, c Config) {
	t.Helper()
	if failure, _ := Run(c, false); failure == "" {
		return
	}
	c = simplify(c)
	failure, log := Run(c, true)
	t.Errorf("seed %d: %s\n%s\n%s", c.Seed, failure, fmt.Sprintf("%+v", c), log)
}
