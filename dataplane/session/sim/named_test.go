package sim

import "testing"

// TestNagleWithOneSegment is a sender that may not go on before its only
// segment is acknowledged, whose message is held until it is whole (I6).
func TestNagleWithOneSegment(t *testing.T) {
	c := Config{Seed: 1, Choices: Choices{Hold: 20000}}
	for i := range c.Ends {
		c.Ends[i] = End{MSS: 536, Scale: -1, Buffer: 65535, Window0: 1, MaxWindow: 1, Nagle: true, KeepAlive: true, DelayACK: 40 * ms,
			Bytes: 30000, Writes: 40, Pause: ms, ISN: 1<<32 - 5000}
		c.In[i].Delay, c.Out[i].Delay = ms, ms
	}
	for seed := range uint64(50) {
		c.Seed = seed
		s := newRun(c, false)
		s.loop()
		s.verify()
		if s.failure != "" {
			t.Fatalf("seed %d: %s", seed, s.failure)
		}
	}
}

// TestFailedOnce runs seeds that showed a fault once.
func TestFailedOnce(t *testing.T) {
	for seed, fault := range map[uint64]string{
		30698: "what was inserted behind the last byte, more than a window, made the next one look stray",
	} {
		if failure, _ := Run(FromSeed(seed), false); failure != "" {
			t.Errorf("seed %d (%s): %s", seed, fault, failure)
		}
	}
}
