package sim

import (
	"bytes"
	"math/rand/v2"

	"wirepatch/dataplane/session"
)

// inspector decides at random, and keeps the books that the engine is measured
// by: it applies its own verdicts to the script that each side is known to
// send, byte by byte, without regard to the engine.
type inspector struct {
	s    *run
	rng  *rand.Rand
	dirs [2]stream
	end  session.End
	// passed: the engine has stopped inspecting, by policy.
	passed bool
	killed bool // the engine has reset the session, for whatever reason
}

// stream is what is known of one direction.
type stream struct {
	pos      int    // input decided, or to pass unseen
	shown    int    // bytes shown beyond pos
	unseen   int64  // what is below passes unseen
	need     int    // bytes to wait for
	expected []byte // what the receiver is to get, so far
	eof      bool   // everything is decided, and the sender has closed
	forever  bool
	cut      bool // the sender has reset the session, and was shown to have ended
}

// Inspect implements session.Inspector.
func (p *inspector) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	d, script := &p.dirs[dir], p.s.ends[dir].script
	if p.end != session.Continue || p.passed || p.killed || d.forever {
		p.s.fail("asked again after the end")
	}
	if d.pos+len(data) > len(script) || !bytes.Equal(data, script[d.pos:d.pos+len(data)]) {
		p.s.fail("%s: shown %d bytes at %d that the sender did not send there", dir, len(data), d.pos)
		return session.Verdict{Release: int64(len(data))}
	}
	if e := p.s.ends[dir]; eof && (!e.finished || d.pos+len(data) != int(e.written)) {
		if d.cut = dir == session.ToClient && e.state == reset; !d.cut {
			p.s.fail("%s: end of stream shown too early", dir)
		}
	}
	d.shown = len(data)
	v := p.decide(dir, data, eof)
	p.apply(dir, data, eof, &v)
	if p.s.tracing {
		p.s.trace("inspect %s: shown %d at %d eof %v: release %d edits %v reply %d end %d", dir, len(data), d.pos, eof, v.Release, spans(v.Edits), len(v.Reply), v.End)
	}
	return v
}

// Stands implements session.Rester: what is decided stays so.
func (p *inspector) Stands() (pending, ok bool) {
	if p.end != session.Continue || p.passed || p.killed || p.dirs[0].forever || p.dirs[1].forever {
		return false, false
	}
	return p.rng.IntN(4) > 0, p.dirs[0].shown == 0 && p.dirs[1].shown == 0 && p.rng.IntN(8) > 0
}

// Answered implements session.Rester.
func (p *inspector) Answered() {}

// Resume implements session.Rester: the end of a body is to be seen.
func (p *inspector) Resume(_ []byte, left int64) {
	d := &p.dirs[session.ToClient]
	d.pos -= int(left)
	d.expected = d.expected[:len(d.expected)-int(left)]
	d.need = 0
}

func spans(e []session.Edit) (out [][3]int) {
	for _, x := range e {
		out = append(out, [3]int{x.Start, x.End, len(x.With)})
	}
	return out
}

func (p *inspector) chance(x float64) bool { return x > 0 && p.rng.Float64() < x }

func (p *inspector) decide(dir session.Direction, data []byte, eof bool) session.Verdict {
	c, d := &p.s.cfg.Choices, &p.dirs[dir]
	if c.Hold == 0 {
		return session.Verdict{Release: int64(len(data))}
	}
	if d.need == 0 {
		d.need = 1 + p.rng.IntN(c.Hold)
	}
	if len(data) < d.need && !eof {
		if p.chance(c.Part) && len(data) > 0 {
			d.need = 0
			return session.Verdict{Release: int64(p.rng.IntN(len(data) + 1))}
		}
		return session.Verdict{}
	}
	n := min(d.need, len(data))
	d.need = 0
	v := session.Verdict{Release: int64(n)}
	switch {
	case p.chance(c.Delete):
		v.Edits = []session.Edit{{Start: 0, End: n}}
	case p.chance(c.Edit):
		v.Edits = p.edits(data[:n])
	}
	o := dir.Other()
	switch {
	case p.chance(c.Reply) && p.mayReply(o):
		v.Reply = p.bytes(1 + p.rng.IntN(400))
	case p.chance(c.Unseen) && n == len(data) && !eof:
		v.Release += int64(1 + p.rng.IntN(2000))
	case p.chance(c.Forever) && !eof:
		v.Release = session.Forever
	}
	switch {
	case p.chance(c.Close) && v.Release <= int64(n) && !p.dirs[session.ToClient].forever && p.dirs[session.ToClient].unseen <= int64(p.s.arrived[session.ToClient].contiguous()-1):
		v.End = session.Close
	case p.chance(c.Reset):
		v.End = session.Reset
	}
	return v
}

// mayReply says whether nothing of dir is held or still to pass unseen.
func (p *inspector) mayReply(dir session.Direction) bool {
	d := &p.dirs[dir]
	return d.shown == 0 && !d.forever && !d.eof && d.unseen <= int64(p.s.arrived[dir].contiguous()-1)
}

func (p *inspector) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('A' + p.rng.IntN(26))
	}
	return b
}

func (p *inspector) edits(data []byte) []session.Edit {
	var out []session.Edit
	at := 0
	for range 1 + p.rng.IntN(4) {
		e := session.Edit{Start: at + p.rng.IntN(len(data)-at+1)}
		e.End = e.Start
		if p.rng.IntN(3) > 0 {
			e.End = min(e.Start+p.rng.IntN(60), len(data))
		}
		if p.rng.IntN(3) > 0 || e.Start == e.End {
			n := p.rng.IntN(60)
			if p.rng.IntN(20) == 0 && len(data) > 100 {
				n = p.rng.IntN(5000)
			}
			e.With = p.bytes(n)
		}
		out = append(out, e)
		at = e.End
		if at >= len(data) {
			break
		}
		at += p.rng.IntN(2)
	}
	return out
}

// apply is the model of the contract of session.Verdict.
func (p *inspector) apply(dir session.Direction, data []byte, eof bool, v *session.Verdict) {
	d := &p.dirs[dir]
	n := int(min(v.Release, int64(len(data))))
	at := 0
	for _, e := range v.Edits {
		d.expected = append(d.expected, data[at:e.Start]...)
		d.expected = append(d.expected, e.With...)
		at = e.End
	}
	d.expected = append(d.expected, data[at:n]...)
	script := p.s.ends[dir].script
	d.pos += n
	d.shown -= n
	if v.Release > int64(n) {
		to := len(script)
		if v.Release == session.Forever {
			d.forever = true
		} else {
			to = min(to, d.pos+int(v.Release)-n)
			d.unseen = int64(d.pos) + v.Release - int64(n)
		}
		d.expected = append(d.expected, script[d.pos:to]...)
		d.pos = to
		if n := int64(d.pos); p.s.ends[dir].finished && n == p.s.ends[dir].written {
			d.eof = true
		}
	}
	if eof && d.shown == 0 {
		d.eof = true
	}
	p.dirs[dir.Other()].expected = append(p.dirs[dir.Other()].expected, v.Reply...)
	p.end = v.End
}

// onEvent learns that the engine has acted on its own.
func (p *inspector) onEvent(ev session.Event) {
	p.s.trace("event %d: %s", ev.Kind, ev.Reason)
	switch ev.Kind {
	case session.WasReset:
		p.killed = true
		dead := p.s.ends[0].state == reset || p.s.ends[1].state == reset // it may fall silent without a reset that counts
		if p.end == session.Continue && p.s.cfg.Held == 0 && p.s.cfg.Total == 0 && !dead {
			p.s.fail("the engine resets: %s", ev.Reason)
		}
	case session.Passed:
		p.passed = true
		if p.s.cfg.Held == 0 && p.s.cfg.Total == 0 {
			p.s.fail("the engine passes: %s", ev.Reason)
		}
		p.pass()
	}
}

// begun says whether it was asked before.
func (p *inspector) begun() bool {
	return p.passed || p.dirs[0].pos+p.dirs[0].shown+p.dirs[1].pos+p.dirs[1].shown > 0
}

// pass has all that is not decided pass.
func (p *inspector) pass() {
	p.passed = true
	for i := range p.dirs {
		d := &p.dirs[i]
		d.expected = append(d.expected, p.s.ends[i].script[d.pos:]...)
		d.pos, d.forever, d.shown = len(p.s.ends[i].script), true, 0
	}
}

// idle is an Inspector that lets everything pass.
type idle struct{}

// Inspect implements session.Inspector.
func (idle) Inspect(_ session.Direction, data []byte, _ bool) session.Verdict {
	return session.Verdict{Release: int64(len(data))}
}
