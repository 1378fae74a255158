package sim

import (
	"flag"
	"fmt"
	"testing"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run this seed only, with a trace")
	runsFlag = flag.Int("runs", 6000, "how many seeds to run; a soak runs some 100,000")
	fromFlag = flag.Uint64("from", 1, "the first seed")
)

func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		report(t, FromSeed(*seedFlag))
		return
	}
	bad := 0
	for i := range *runsFlag {
		c := FromSeed(*fromFlag + uint64(i))
		if failure, _ := Run(c, false); failure != "" {
			report(t, c)
			if bad++; bad >= 5 {
				t.Fatal("too many failures")
			}
		}
	}
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
