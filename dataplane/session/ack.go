package session

import (
	"time"

	"wirepatch/dataplane/packet"
)

// Our own retransmission: first time-out, its largest value, how often.
const (
	firstRTO = int64(250 * time.Millisecond)
	maxRTO   = int64(10 * time.Second)
	maxTries = 15
)

// acknowledge reads what f, a segment of h's sender, acknowledges of stream r.
// pure: it carries nothing else. It says whether that is news for r's sender.
func (s *Session) acknowledge(h, r *half, f *packet.Frame, pure bool) bool {
	out := r.outOffset(f.Ack())
	if out > max(r.sent, r.fast) || out < r.una {
		return false
	}
	r.sent = max(r.sent, out)
	edge := out + int64(f.Window())<<h.scale
	news := edge != r.edge
	switch {
	case out > r.una:
		r.progress(out)
		s.recovering(r, h)
		s.arm(r)
		news = true
	case pure && edge == r.edge && r.answer > r.una:
		if r.dups++; r.dups%8 == 3 {
			r.recover, r.again = min(r.snd, r.answer), r.una
			s.retransmit(r, h)
		}
	}
	if r.edge <= r.una && edge > out && out == r.una && r.snd == out+1 && r.answer > out && r.store.at(out) != nil {
		r.snd = out // the probe of its closed window was discarded
	}
	if edge <= out {
		r.tries = 0 // a closed window may stay closed as long as it likes
	}
	r.edge, r.reach = edge, max(r.reach, edge)
	h.window = f.Window()
	return news
}

// skipTo goes on at output offset off: what is before it went past unseen.
func (h *half) skipTo(off int64) {
	in := off - h.edits.base
	h.top, h.next, h.rel = max(h.top, in), max(h.next, in), max(h.rel, in)
	h.sent, h.snd = max(h.sent, off), max(h.snd, off)
}

// progress notes that the receiver has everything below out.
func (h *half) progress(out int64) {
	h.cwnd += min(out-h.una, 2*1400)
	h.una = out
	h.store.trim(out)
	h.edits.prune(out)
	h.tries, h.dups, h.rto = 0, 0, firstRTO
	h.resend = 0
}

// arm sets the retransmission timer if something unacknowledged, or waiting
// for the window, is ours to bring home.
func (s *Session) arm(h *half) {
	if h.resend != 0 || h.answer <= h.una && !h.blocked {
		return
	}
	h.rto = max(h.rto, firstRTO)
	h.resend = s.e.now + h.rto
}

// recovering goes on with a retransmission after a partial acknowledgement, as
// more than one segment may be lost (RFC 6582).
func (s *Session) recovering(h, r *half) {
	h.again = max(h.again, h.una)
	for range 2 {
		at := h.store.next(h.again)
		if at < 0 || at >= h.recover || at >= h.snd || at >= h.edge {
			return
		}
		b := h.store.at(at)
		n := min(int64(len(b)), int64(h.mss(r, 12)), h.snd-at, h.edge-at)
		s.origin(h, r, at, b[:n], packet.ACK|packet.PSH, nil)
		h.again = at + n
	}
}

// retransmit sends the oldest unacknowledged bytes once more: one segment. With
// a closed window it probes with one byte (RFC 9293, 3.8.6.1).
func (s *Session) retransmit(h, r *half) {
	at := h.store.next(h.una)
	switch {
	case at == h.una && h.snd > at:
		b := h.store.at(at)
		n := min(int64(len(b)), int64(h.mss(r, 12)), h.snd-at)
		if h.edge <= at {
			n = 1
		}
		s.origin(h, r, at, b[:n], packet.ACK|packet.PSH, nil)
		h.again = at + n
	case h.blocked && at >= 0 && h.snd == h.una:
		s.origin(h, r, h.snd, h.store.at(h.snd)[:1], packet.ACK|packet.PSH, nil)
		h.snd++
		h.answer = max(h.answer, h.snd)
	case h.finOut >= 0 && h.una == h.finOut:
		s.origin(h, r, h.finOut, nil, packet.ACK|packet.FIN, nil)
	}
}

// ackNow acknowledges to h's sender what came in order, as far as we can
// answer for it. With ahead, which is named as received beyond a gap, it
// promises nothing new: what came before the gap the receiver acknowledges soon,
// and a session with a promise does not outlive the engine.
func (s *Session) ackNow(h, r *half, ahead *held) {
	if to := h.ackable(); ahead == nil && to > h.acked && to != Forever {
		h.acked = to
		s.promise(h)
		s.arm(h)
		s.ride() // before the sender hears of it: we may end in between
	}
	s.origin(r, h, r.acceptable(), nil, packet.ACK, ahead)
}

// bareAck passes on to the receiver what its sender acknowledged and the
// window it advertised, without the payload that came with it.
func (s *Session) bareAck(h, r *half) {
	s.origin(h, r, h.acceptable(), nil, packet.ACK, nil)
}

// deadline is when the session next has something to do, 0 for never.
func (s *Session) deadline() Instant {
	if s.gone || s.resetSeen {
		return 0
	}
	var due Instant
	if s.first != nil {
		for i := range s.first.stands {
			if at := s.first.stands[i].lost(); at != 0 && (due == 0 || at < due) {
				due = at
			}
		}
	}
	for i := range s.half {
		h := &s.half[i]
		if at := h.holdEnds(int64(s.e.cfg.Limits.HoldDelay)); at != 0 && (due == 0 || at < due) {
			due = at
		}
		if h.resend != 0 && (due == 0 || h.resend < due) {
			due = h.resend
		}
	}
	if s.lent && (due == 0 || s.lookAt < due) {
		due = s.lookAt
	}
	if due == 0 && !s.lent {
		if _, ok := s.mayLend(); ok {
			due = s.used + restAfter
		}
	}
	return due
}

// holdEnds is when held bytes are to be acknowledged by us: their sender may
// not go on before it hears of them. 0: nothing is held, or it is done, or the
// receiver's own acknowledgement of earlier bytes must come first.
func (h *half) holdEnds(delay int64) Instant {
	if len(h.pend) == 0 || h.acked >= h.next || h.ackable() < h.next {
		return 0
	}
	return h.held + delay
}

// tick does what is due.
func (s *Session) tick() {
	if s.first != nil && !s.ended {
		s.askAgain()
	}
	for i := range s.half {
		h, r := &s.half[i], &s.half[1-i]
		if at := h.holdEnds(int64(s.e.cfg.Limits.HoldDelay)); at != 0 && at <= s.e.now {
			s.ackNow(h, r, nil)
		}
		if h.resend != 0 && h.resend <= s.e.now {
			s.timedOut(h, r)
		}
	}
}

func (s *Session) timedOut(h, r *half) {
	h.resend = 0
	if h.tries++; h.tries > maxTries {
		if s.ended {
			s.giveUp()
			return
		}
		s.kill("the receiver no longer acknowledges")
		return
	}
	if h.tries >= 3 {
		h.narrow = true // RFC 2923, 2.1: perhaps only long segments are lost
	}
	h.cwnd = 2 * 1400
	h.recover = min(h.snd, h.answer)
	h.rto = min(2*h.rto, maxRTO)
	s.retransmit(h, r)
	s.arm(h)
}
