package session

import "unsafe"

// Cost is what the engine's own session takes, without bytes that are held: its
// state, its decoder's, and places in maps, as measured with HTTP.
const Cost = 8 << 10

// Within are limits with which all sessions together take no more than so many
// bytes: two thirds for the sessions themselves, one for what is held.
func Within(memory int64) Limits {
	l := DefaultLimits
	l.Sessions = int(min(int64(l.Sessions), max(memory*2/3/Cost, 64)))
	l.Embryonic = min(l.Embryonic, l.Sessions/4)
	l.Flows = min(l.Flows, l.Sessions)
	l.Total = int(min(int64(l.Total), max(memory/3, 1<<20)))
	return l
}

// A session must not outgrow what is counted for it.
var _ [Cost/2 - unsafe.Sizeof(Session{})]byte

// lookFor is how many of the sessions that were used longest ago are looked at
// for one that can be put aside.
const lookFor = 16

// noRoom is why a session meets its service's policy when there is no more room.
const noRoom = "there are more sessions than memory for them"

// makeRoom forgets the session that is missed least when there are too many:
// unanswered ones first, so that a flood of SYNs evicts no established one.
func (e *Engine) makeRoom() {
	if l := &e.lists[embryonic]; l.n >= e.cfg.Limits.Embryonic {
		e.remove(l.first())
	}
	if len(e.sessions) < e.cfg.Limits.Sessions {
		return
	}
	for _, i := range []int{closing, embryonic} {
		if s := e.lists[i].first(); s != nil {
			e.remove(s)
			return
		}
	}
	e.relieve()
}

// relieve has one established session go. One in which nothing is under way is
// put aside and loses nothing; otherwise the one used longest ago meets its
// service's policy.
func (e *Engine) relieve() {
	l := &e.lists[established]
	oldest := l.first()
	s := oldest
	for range lookFor {
		next := s.following
		if e.putAside(s) {
			e.stats.Aside++
			return
		}
		if s = next; s == &l.root {
			break
		}
	}
	if oldest.lent {
		if oldest = e.recall(oldest); oldest == nil {
			e.stats.Aside++
			return
		}
	}
	before := oldest.memory()
	oldest.exceed(noRoom)
	if oldest.place != nil && !oldest.ended { // without the engine its numbers would not fit any more
		oldest.kill(noRoom)
	}
	e.memory += oldest.memory() - before
	e.stats.Crowded++
	e.remove(oldest)
}

// putAside has the ports follow s, or keeps of it only what was added to its
// streams, so that it is picked up with its next segment. It says whether it
// could.
func (e *Engine) putAside(s *Session) bool {
	if s.lent {
		return e.lookAfter(s)
	}
	if s.blind || s.closing || !s.half[0].idle() || !s.half[1].idle() {
		return false
	}
	if pending, ok := s.mayLend(); ok && !pending {
		e.lend(s, false)
		if s.list == nil || s.lent {
			return s.list == nil || e.lookAfter(s)
		}
	}
	if s.place == nil || !s.carriage.Settled {
		return false
	}
	in, ok := s.decoder().(Rester)
	if !ok {
		return false
	}
	if pending, ok := in.Stands(); pending || !ok {
		return false
	}
	l := &s.carriage.Lanes
	s.place.Set(s.carriage.numbers())
	e.Adopt(s.conn, s.key.vlan, s.place, [2]uint32{l[0].Seq, l[1].Seq})
	s.place = nil
	e.remove(s)
	return true
}

// idle says whether all that was sent was acknowledged, and nothing is kept.
func (h *half) idle() bool {
	return h.settled() && h.quiet() && h.fin < 0 && h.next == h.top && h.rel == h.next &&
		h.una == h.edits.outFrom(h.next) && h.sent == h.una && h.vouched == nil
}
