package sim

import (
	"bytes"
	"container/heap"
	"fmt"
	"runtime/debug"
	"slices"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

func stack() string { return string(debug.Stack()) }

// ranges is a set of offsets, sorted and merged.
type ranges struct{ r []span }

func (r *ranges) add(from, to int64) {
	if from >= to {
		return
	}
	i, _ := slices.BinarySearchFunc(r.r, from, func(s span, from int64) int {
		if s.to < from {
			return -1
		}
		return 1
	})
	j := i
	for j < len(r.r) && r.r[j].from <= to {
		from, to = min(from, r.r[j].from), max(to, r.r[j].to)
		j++
	}
	r.r = slices.Replace(r.r, i, j, span{from, to})
}

// contiguous is the offset behind the bytes that are there without a gap.
func (r *ranges) contiguous() int {
	if len(r.r) == 0 || r.r[0].from > 1 {
		return 1
	}
	return int(r.r[0].to)
}

func (r *ranges) has(from, to int64) bool {
	for _, s := range r.r {
		if from >= s.from && to <= s.to {
			return true
		}
	}
	return false
}

// unwrap is the offset of a sequence number of the sender of d.
func (s *run) unwrap(d session.Direction, seq uint32) int64 { return int64(int32(seq - s.ends[d].isn)) }

// note remembers what has reached the engine, or went past it; nil is a frame
// that cannot be read.
func (s *run) note(d session.Direction, p *view) {
	if p == nil || p.flags&(packet.SYN|packet.RST) != 0 {
		return
	}
	if ack := s.unwrap(d.Other(), p.ack); ack <= s.ends[d].rcvNxt() {
		s.acks[d.Other()] = max(s.acks[d.Other()], ack)
	}
	off := s.unwrap(d, p.seq)
	end := off + int64(len(p.body))
	if p.flags&packet.FIN != 0 {
		end++
	}
	if off >= 0 && end <= s.ends[d].maxSent {
		s.arrived[d].add(max(off, 1), end)
	}
}

// mirror queues the frames that must leave the engine as they came.
func (s *run) mirror(d session.Direction, f []byte, p *view, gso int) {
	if gso > 0 && len(p.body) > gso {
		s.passing[d] = append(s.passing[d], cut(f, p, gso)...)
		return
	}
	s.passing[d] = append(s.passing[d], bytes.Clone(f))
}

func (s *run) describe(d session.Direction, p *view, input bool) string {
	names := ""
	for i, c := range "FSRPAUEC" {
		if p.flags&(1<<i) != 0 {
			names += string(c)
		}
	}
	o := parseOptions(p.opts)
	t := fmt.Sprintf("%s seq %d+%d ack %d win %d", names, s.unwrap(d, p.seq), len(p.body), s.unwrap(d.Other(), p.ack), p.window)
	for b := o.blocks; len(b) >= 8; b = b[8:] {
		t += fmt.Sprintf(" sack %d-%d", s.unwrap(d.Other(), be32(b)), s.unwrap(d.Other(), be32(b[4:])))
	}
	return t
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// check looks at one frame that leaves the engine towards the receiver of d.
func (s *run) check(d session.Direction, p *view, f []byte) {
	from, to := s.ends[d], s.ends[d.Other()]
	if !bytes.Equal(p.src, from.addr.ip) || !bytes.Equal(p.dst, to.addr.ip) || !bytes.Equal(f[:6], to.addr.mac[:]) || !bytes.Equal(f[6:12], from.addr.mac[:]) ||
		!s.cfg.halting() && !s.mirrored(p, to) && (p.ttl != from.addr.ttl || p.tos != from.addr.tos) { // a new engine speaks before it has heard both
		s.fail("I4: a frame %s has other addresses, TTL or TOS", d)
	}
	if (s.vlan != 0) != (p.l3 == 18) || s.vlan != 0 && (uint16(f[14])<<8|uint16(f[15])) != s.vlan {
		s.fail("I4: a frame %s has another VLAN", d)
	}
	if s.strict {
		if len(s.passing[d]) == 0 {
			s.fail("I4: an additional frame %s: %s", d, s.describe(d, p, false))
			return
		}
		if want := s.passing[d][0]; !bytes.Equal(f, want) {
			w, _ := parse(want)
			s.fail("I4: a frame %s differs: %s; want %s", d, s.describe(d, p, false), s.describe(d, w, false))
		}
		s.passing[d] = s.passing[d][1:]
	}
	if p.flags&packet.SYN != 0 {
		if len(p.body) > 0 {
			s.fail("a SYN with data leaves")
		}
		return
	}
	if p.flags&packet.RST != 0 {
		return
	}
	if len(p.body)+len(p.opts) > to.c.MSS {
		s.fail("segment %s of %d bytes and %d of options; MSS %d", d, len(p.body), len(p.opts), to.c.MSS)
	}
	s.checkBytes(d, p)
}

// mirrored says whether p may have the other end's TTL and TOS: the engine has
// taken the session anew, and spoken for an end that it had not heard since.
func (s *run) mirrored(p *view, to *endpoint) bool {
	return s.books.again && p.ttl == to.addr.ttl && p.tos&^3 == to.addr.tos&^3
}

// checkBytes compares payload and FIN with what the Inspector has decided.
func (s *run) checkBytes(d session.Direction, p *view) {
	off, want := s.unwrap(d, p.seq), s.insp.dirs[d].expected
	for i, b := range p.body {
		at := off - 1 + int64(i)
		switch {
		case at+1 < s.acks[d]: // the receiver has the byte, and ignores this one
		case at < 0 || at >= int64(len(want)):
			s.fail("I1: byte %d %s was not released (%d are)", at, d, len(want))
			return
		case want[at] != b:
			s.fail("I2: byte %d %s is %q; want %q (receiver has %d)", at, d, b, want[at], s.ends[d.Other()].rcvNxt())
			return
		}
	}
	if p.flags&packet.FIN != 0 {
		at := off - 1 + int64(len(p.body))
		if at != int64(len(want)) {
			s.fail("FIN %s at %d; want %d", d, at, len(want))
		}
	}
}

// acked checks an acknowledgement that the sender e receives (I3).
func (s *run) acked(e *endpoint, ack int64) {
	if got := int64(s.arrived[e.dir].contiguous()); ack > got && s.insp.end == session.Continue && !s.insp.killed {
		s.fail("I3: %d acknowledged %s; %d have arrived", ack, e.dir, got)
	}
}

// selectively checks a selective acknowledgement that e receives.
func (s *run) selectively(e *endpoint, from, to int64) {
	if from >= to || !s.arrived[e.dir].has(from, to) {
		s.fail("I3: %d-%d selectively acknowledged %s: has not arrived", from, to, e.dir)
	}
}

// verify checks what must hold at the end.
func (s *run) verify() {
	if s.failure != "" {
		return
	}
	aborted := s.insp.killed || s.insp.end == session.Reset
	for _, e := range s.ends {
		aborted = aborted || e.c.AbortAt > 0
	}
	for i, e := range s.ends {
		d, to := &s.insp.dirs[i], s.ends[1-i]
		n := min(len(to.got), len(d.expected))
		if !bytes.Equal(to.got[:n], d.expected[:n]) || len(to.got) > n {
			s.fail("%s: the receiver has other bytes than were decided", e.dir)
		}
		closing := s.insp.end == session.Close
		if d.cut && s.whole(to) && (len(to.got) != len(d.expected) || to.state != reset) {
			s.fail("%s: the sender has reset the session; the receiver has %d bytes; want %d, and the reset", e.dir, len(to.got), len(d.expected))
		}
		if aborted || closing && session.Direction(i) == session.ToServer {
			continue
		}
		if len(to.got) != len(d.expected) || !to.gotFIN && to.state != reset {
			s.fail("%s: the receiver has %d bytes, FIN %v; want %d", e.dir, len(to.got), to.gotFIN, len(d.expected))
		}
		if !closing && d.pos != len(e.script) {
			s.fail("%s: %d bytes decided; sent %d", e.dir, d.pos, len(e.script))
		}
		if !closing && (e.state == reset || to.state == reset) {
			s.fail("%s: reset", e.dir)
		}
	}
	s.idle()
}

// whole says whether all that was decided is the engine's to bring to the receiver e.
func (s *run) whole(e *endpoint) bool {
	c := &s.cfg
	return e.c.AbortAt == 0 && s.insp.end == session.Continue && !s.insp.killed && !s.insp.passed && !s.books.again &&
		c.Choices.Unseen == 0 && c.Choices.Forever == 0 && c.Carry == 0 && !c.Lend
}

// idle lets time pass and checks that the engine forgets all (I5).
func (s *run) idle() {
	for end := s.now + 20_000*ms; len(s.events) > 0 && s.now < end && s.failure == ""; {
		ev := heap.Pop(&s.events).(event) // what is still on its way
		s.now = ev.at
		ev.do()
	}
	end := s.now + 16000_000*ms // twice the time-out: segments that the ports carried count when it first ends
	for s.now < end && s.engine.Stats().Open > 0 {
		s.now = max(s.engine.Tick(s.now), s.now+1)
	}
	if st := s.engine.Stats(); st.Open != 0 || st.Held != 0 || len(st.PerService) != 0 {
		s.fail("I5: at the end %d sessions and %d bytes are kept", st.Open, st.Held)
	}
}
