package sim

// simplify drops what is not needed for c to fail, greedily.
func simplify(c Config) Config {
	for again := true; again; {
		again = false
		for _, f := range simpler {
			d := c
			f(&d)
			if d == c {
				continue
			}
			if failure, _ := Run(d, false); failure != "" {
				c, again = d, true
			}
		}
	}
	return c
}

var simpler = func() []func(*Config) {
	out := []func(*Config){
		func(c *Config) { c.Hostile = 0 }, func(c *Config) { c.Inject = 0 }, func(c *Config) { c.V6 = false },
		func(c *Config) { c.VLAN = 0 }, func(c *Config) { c.Shrink = 0 }, func(c *Config) { c.Held = 0 }, func(c *Config) { c.Total = 0 }, func(c *Config) { c.Carry = 0 },
		func(c *Config) { c.Simple, c.Strike = 0, 0 }, func(c *Config) { c.Turns = false }, func(c *Config) { c.Lend, c.Simple, c.Strike = false, 0, 0 }, func(c *Config) { c.Strike = 0 },
		func(c *Config) { c.Choices.Reply = 0 }, func(c *Config) { c.Choices.Close = 0 }, func(c *Config) { c.Choices.Reset = 0 },
		func(c *Config) { c.Choices.Part = 0 }, func(c *Config) { c.Choices.Unseen = 0 }, func(c *Config) { c.Choices.Forever = 0 },
		func(c *Config) { c.Choices.Delete = 0 }, func(c *Config) { c.Choices.Edit = 0 }, func(c *Config) { c.Choices.Hold = 0 },
	}
	out = append(out, func(c *Config) { c.Reload = Reload{} }, func(c *Config) { c.Closed = false })
	for i := range 2 {
		out = append(out,
			func(c *Config) { c.Halts[i] = Halt{} }, func(c *Config) { c.Halts[i].Kill = false }, func(c *Config) { c.Halts[i].For /= 2 },
			func(c *Config) { c.Halts[i].At -= c.Halts[i].At / 4 },
			func(c *Config) { c.Ends[i].Bytes = 0 }, func(c *Config) { c.Ends[i].Bytes /= 2 }, func(c *Config) { c.Ends[i].Bytes -= (c.Ends[i].Bytes + 9) / 10 },
			func(c *Config) { c.Ends[i].AbortAt = 0 }, func(c *Config) { c.Ends[i].Urgent = 0 }, func(c *Config) { c.Ends[i].SYNData = 0 },
			func(c *Config) { c.Ends[i].IPOptions = false }, func(c *Config) { c.Ends[i].Garbage = false }, func(c *Config) { c.Ends[i].GSO = false },
			func(c *Config) { c.Ends[i].Tiny = false }, func(c *Config) { c.Ends[i].Stamps = false }, func(c *Config) { c.Ends[i].SACK = false },
			func(c *Config) { c.Ends[i].Nagle = false }, func(c *Config) { c.Ends[i].ReadEvery = 0 }, func(c *Config) { c.Ends[i].Buffer = 65535 },
			func(c *Config) { c.Ends[i].Scale = -1 }, func(c *Config) { c.Ends[i].Writes = 1 }, func(c *Config) { c.Ends[i].Pause = 0 },
			func(c *Config) { c.Ends[i].AfterPeer = false }, func(c *Config) { c.Ends[i].MSS = 1460 }, func(c *Config) { c.Ends[i].DelayACK = 0 },
			func(c *Config) { c.Ends[i].ISN = 1000 },
		)
		for _, l := range []func(*Config) *Link{func(c *Config) *Link { return &c.In[i] }, func(c *Config) *Link { return &c.Out[i] }} {
			out = append(out,
				func(c *Config) { l(c).Loss = 0 }, func(c *Config) { l(c).Dup = 0 }, func(c *Config) { l(c).Reorder = 0 }, func(c *Config) { l(c).Corrupt = 0 },
				func(c *Config) { l(c).Delay = 10000 })
		}
	}
	return out
}()
