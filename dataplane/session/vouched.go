package session

import "slices"

// vouched is a message that the ports have let go on and the receiver has not
// acknowledged: its bytes are known by their sum alone. What its sender sends
// again must be the same.
type vouched struct {
	from, to int64 // input offsets, which are output offsets, too
	sum      uint64
	b        []byte // from from on, as far as they were sent again
}

// vouch looks at a segment that may repeat what only the ports have seen. It
// says whether the segment may be handled further.
func (s *Session) vouch(h, r *half, q *held) bool {
	v := h.vouched
	if h.una >= h.edits.outFrom(v.to) {
		h.vouched = nil
		return true
	}
	if q.end <= v.from || q.off >= v.to || q.off == q.end {
		return true
	}
	body := q.f.Body()
	if q.off <= v.from && q.end >= v.to {
		if s.e.cfg.Below.Sum(body[v.from-q.off:v.to-q.off]) != v.sum {
			s.kill("a retransmission differs from what was inspected")
			return false
		}
		return true
	}
	if at := v.from + int64(len(v.b)); q.off > at && h.una > h.edits.outFrom(at) {
		// The receiver has a part of the message, and its sender will never repeat
		// that: the rest cannot be compared. To wait for all of it were to stall.
		h.vouched = nil
		s.exceed("a part of a message that only the ports have seen was lost")
		return !s.gone
	}
	s.gather(h, r, q, body)
	return false
}

// gather keeps a part of the message, acknowledges it as ours, and brings the
// whole home once it is there: its sender may send the next part only then.
func (s *Session) gather(h, r *half, q *held, body []byte) {
	v := h.vouched
	at := v.from + int64(len(v.b))
	if q.off > at || q.end <= at {
		s.ackNow(h, r, nil)
		return
	}
	v.b = append(v.b, body[at-q.off:min(q.end, v.to)-q.off]...)
	if v.from+int64(len(v.b)) < v.to {
		s.ackNow(h, r, nil)
		return
	}
	if s.e.cfg.Below.Sum(v.b) != v.sum {
		s.kill("a retransmission differs from what was inspected")
		return
	}
	h.vouched = nil
	from, to := h.edits.outFrom(v.from), h.edits.outTo(v.to)
	h.store.chunks = slices.Insert(h.store.chunks, 0, chunk{from, v.b})
	h.store.bytes += len(v.b)
	h.store.trim(h.una)
	h.answer = max(h.answer, to)
	h.recover, h.again = to, h.una
	s.ackNow(h, r, nil)
	s.retransmit(h, r)
	s.arm(h)
}
