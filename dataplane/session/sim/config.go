package sim

import (
	"math/rand/v2"

	"wirepatch/dataplane/session"
)

// End says how one endpoint behaves.
type End struct {
	MSS, Scale, Buffer int // Scale -1: no window scaling
	Window0, MaxWindow int // congestion window, segments
	SACK, Stamps       bool
	Nagle, Tiny        bool // Tiny: some segments of one to three bytes
	GSO                bool
	KeepAlive, Garbage bool
	IPOptions          bool
	Urgent             float64
	DelayACK           int64
	ReadEvery          int64 // 0: the application reads at once
	ReadN              int
	ISN, Stamp0        uint32
	SYNData            int

	Bytes, Writes int
	Pause         int64 // the longest between two writes
	AfterPeer     bool  // closes only after the peer has
	AbortAt       int64 // resets; 0: never
}

// Link is what the network does to frames, as probabilities.
type Link struct {
	Delay                       int64
	Loss, Dup, Reorder, Corrupt float64
}

// Choices say what the Inspector decides, as probabilities of each decision.
type Choices struct {
	Hold                                 int // the most it waits for, bytes; 0: releases at once
	Edit, Delete, Unseen, Forever, Reply float64
	Close, Reset, Part                   float64
}

// Config is one run.
type Config struct {
	Seed    uint64
	V6      bool
	VLAN    uint16
	Ends    [2]End  // by the direction they send in
	In, Out [2]Link // to the engine, and from it, by direction
	Choices Choices
	Hostile float64 // retransmissions with other content
	Inject  float64 // forged segments from outside the window
	Held    int     // limit, 0: the default
	Total   int
	Carry   int     // 0: the ports carry nothing past the engine
	Lend    bool    // the ports follow the session where they can
	Simple  float64 // messages that they let go on by themselves
	Strike  float64 // requests of these that they take something out of
	Turns   bool    // the ends write in turns, once the other has all
	Policy  session.Policy
	Shrink  int64 // when the path gets narrower; 0: never
	Path    int   // the size it then carries, IP header included
	Halts   [2]Halt
	Closed  bool // while the engine does nothing, nothing passes
	Reload  Reload
}

// FromSeed draws a configuration.
func FromSeed(seed uint64) Config {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	chance := func(p float64) bool { return r.Float64() < p }
	pick := func(v ...int) int { return v[r.IntN(len(v))] }
	c := Config{Seed: seed, V6: chance(.3)}
	if chance(.2) {
		c.VLAN = uint16(1 + r.IntN(4094))
	}
	for i := range c.Ends {
		e := &c.Ends[i]
		*e = End{
			MSS: pick(1460, 1460, 1440, 1200, 536, 100), Scale: pick(-1, 0, 3, 7, 14),
			Buffer: pick(65535, 65535, 1<<20, 20000, 3000, 700), Window0: pick(1, 2, 10), MaxWindow: pick(1, 4, 40, 400),
			SACK: chance(.7), Stamps: chance(.7), Nagle: chance(.5), Tiny: chance(.15), GSO: chance(.4),
			KeepAlive: true, Garbage: chance(.3), IPOptions: chance(.1),
			DelayACK: int64(pick(0, 0, 40)) * ms, ISN: r.Uint32(), Stamp0: r.Uint32(),
			Bytes: pick(0, 100, 3000, 3000, 20000, 60000), Writes: 1 + r.IntN(20), Pause: int64(pick(0, 1, 20, 300)) * ms,
			AfterPeer: i == 1 && chance(.4),
		}
		if chance(.4) {
			e.ISN = -uint32(r.IntN(3000))
		}
		if chance(.3) {
			e.Stamp0 = -uint32(r.IntN(3000))
		}
		if e.Scale > 7 && e.Buffer < 1<<16 {
			e.Scale = 2
		}
		if chance(.25) {
			e.ReadEvery, e.ReadN = int64(pick(1, 10, 100))*ms, pick(50, 1000, 5000)
			e.ReadN = max(e.ReadN, int(int64(70000)*e.ReadEvery/(60000*ms)))
		}
		if chance(.1) {
			e.Urgent = .1
		}
		if chance(.07) {
			e.AbortAt = 1 + r.Int64N(500*ms)
		}
		if i == 0 && chance(.1) {
			e.SYNData = 1 + r.IntN(500)
		}
	}
	clean := chance(.3)
	for i := range c.In {
		for _, l := range []*Link{&c.In[i], &c.Out[i]} {
			l.Delay = int64(pick(10, 100, 1000, 20000)) * 1000
			if clean || chance(.3) {
				continue
			}
			l.Loss = float64(pick(0, 0, 1, 5, 20)) / 100
			l.Dup = float64(pick(0, 0, 1, 10)) / 100
			l.Reorder = float64(pick(0, 0, 5, 30)) / 100
			l.Corrupt = float64(pick(0, 0, 2)) / 100
		}
	}
	c.Choices = choices(r)
	c.bound(c.Choices)
	if chance(.15) && c.Choices.Unseen == 0 && c.Choices.Forever == 0 {
		c.Hostile = .2
	}
	if chance(.15) {
		c.Inject = .1
	}
	if chance(.08) {
		c.Held = 500
		c.Policy = session.Policy(r.IntN(2))
	}
	if chance(.04) {
		c.Total = 3000
		c.Policy = session.Policy(r.IntN(2))
	}
	if c.Policy == session.PolicyPass && c.Held+c.Total > 0 {
		c.Hostile = 0 // what is not inspected is not protected
	}
	if chance(.05) {
		c.Shrink, c.Path = 1+r.Int64N(300*ms), 600
		if c.V6 {
			c.Path = 1300
		}
	}
	if chance(.5) && c.Inject == 0 { // lanes do not look for forgeries: the ends do
		c.Carry = pick(1, 100, 2000)
	}
	c.drawHalts(r)
	c.bound(c.Reload.Then)
	if chance(.6) {
		c.Lend = true
		if c.Hostile == 0 { // a changed repetition of what only the ports saw resets the session
			c.Simple = float64(pick(0, 8, 10)) / 10
		}
		c.Turns = chance(.7)
		if c.Simple > 0 {
			c.Strike = float64(pick(0, 5, 10)) / 10
		}
	}
	return c
}

// bound lets the ends send no more than can be decided in small pieces, each
// perhaps answered, within the time that a run may take.
func (c *Config) bound(by Choices) {
	if by.Hold > 0 && by.Hold <= 10 {
		c.Ends[0].Bytes, c.Ends[1].Bytes = min(c.Ends[0].Bytes, 3000), min(c.Ends[1].Bytes, 3000)
	}
}

func choices(r *rand.Rand) Choices {
	var c Choices
	chance := func(p float64) bool { return r.Float64() < p }
	if chance(.25) {
		return c
	}
	c.Hold = []int{1, 10, 300, 3000, 20000}[r.IntN(5)]
	if chance(.7) {
		c.Edit = []float64{.1, .5}[r.IntN(2)]
	}
	if chance(.4) {
		c.Delete = .2
	}
	if chance(.3) {
		c.Unseen = .3
	}
	if chance(.1) {
		c.Forever = .05
	}
	if chance(.3) {
		c.Reply = .2
	}
	if chance(.5) {
		c.Part = .3
	}
	if chance(.07) {
		c.Close = .1
	}
	if chance(.05) {
		c.Reset = .1
	}
	return c
}
