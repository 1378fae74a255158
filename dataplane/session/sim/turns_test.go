package sim

import "testing"

// inTurns is a run whose ends speak in turns, so that the ports follow much of
// what they say, and whose messages are often corrected.
func inTurns(seed uint64) Config {
	c := FromSeed(seed)
	c.Lend, c.Turns, c.Hostile = true, true, 0
	c.Simple = []float64{.5, .8, 1}[seed%3]
	c.Choices = Choices{Hold: 300, Edit: .5, Delete: c.Choices.Delete, Reply: c.Choices.Reply, Part: c.Choices.Part}
	c.Reload.At = 0
	c.Ends[0].Bytes, c.Ends[1].Bytes = 8000, 60000
	for i := range c.Ends {
		c.Ends[i].Writes, c.Ends[i].AbortAt = 30, 0
	}
	return c
}

// TestTurns: the first two seeds stalled when the rest of a head that had gone on
// below was lost.
func TestTurns(t *testing.T) {
	for i := range uint64(200) {
		seed := 50_200 + i
		if i < 2 {
			seed = []uint64{50032, 50138}[i]
		}
		if failure, _ := Run(inTurns(seed), false); failure != "" {
			t.Errorf("seed %d: %s", seed, failure)
		}
	}
}
