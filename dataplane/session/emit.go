package session

import (
	"bytes"
	"encoding/binary"

	"wirepatch/dataplane/packet"
)

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// flush sends what is decided and waits in frames, in order.
func (s *Session) flush(h, r *half) {
	n := 0
	for n < len(h.queue) && !s.gone {
		q := &h.queue[n]
		done := q.end <= h.rel
		s.emit(h, r, q, done)
		if !done {
			break
		}
		n++
	}
	if n > 0 {
		h.queue = append(h.queue[:0], h.queue[n:]...)
	}
	if !s.gone {
		s.sendMore(h, r)
	}
}

// emit sends what is decided of one frame: as it came if it can.
func (s *Session) emit(h, r *half, q *held, done bool) {
	start := h.edits.outFrom(max(q.off, q.skip))
	ours := h.blocked || q.end <= h.acked && q.end > q.off || s.outgrown(h, q)
	unsent := h.store.next(h.snd)
	if done && !ours && !q.delivered && (unsent < 0 || unsent >= start) && s.genuine(h, q) {
		s.forward(h, r, q, h.edits.outFrom(q.off))
		h.snd = max(h.snd, h.edits.outTo(q.end))
		return
	}
	if !q.delivered && q.off < q.skip {
		s.resend(h, r, q, h.edits.outFrom(q.off), h.edits.outFrom(q.skip), q.f.Flags&^(packet.FIN|packet.PSH))
	}
	q.delivered = true
	fin := q.fin && done
	to := h.edits.outTo(min(q.end, h.rel))
	if fin {
		to = h.edits.outFrom(q.end)
	}
	if ours {
		if fin {
			h.finOut = to
		}
		h.blocked = h.blocked || unsent >= 0 && unsent < to
		return // sendMore does it, as the receiver's window allows
	}
	s.pieces(h, r, q, to, fin)
}

// outgrown says whether what was inserted has taken the room in the receiver's
// window that q was sent for.
func (s *Session) outgrown(h *half, q *held) bool {
	return s.edited && !s.midStream && q.end > q.skip && h.edits.outTo(min(q.end, h.rel)) > max(h.edge, h.sent)
}

// acceptable is the sequence offset for a segment without payload: one that the
// receiver does not take for being outside its window.
func (h *half) acceptable() int64 { return min(h.sent, max(h.edge, h.una)) }

// genuine says whether q may go on as it came: no edit touches it or stands
// before its FIN, and what it holds of bytes seen before is the same as then.
func (s *Session) genuine(h *half, q *held) bool {
	if h.edits.touches(q.off, q.end) || q.fin && h.edits.outFrom(q.end) != h.edits.outTo(q.end) {
		return false
	}
	if q.off >= q.skip {
		return true
	}
	out := h.edits.outFrom(q.off)
	return (out >= h.una || !s.edited) && h.matches(out, q.f.Body()[:q.skip-q.off])
}

// pieces sends the stored bytes up to output offset to with the headers of q.
func (s *Session) pieces(h, r *half, q *held, to int64, fin bool) {
	flags := q.f.Flags &^ (packet.FIN | packet.PSH)
	for h.snd < to {
		h.advance()
		b := h.store.at(h.snd)
		if b == nil || h.snd >= to {
			break
		}
		b = b[:min(int64(len(b)), to-h.snd)]
		last := h.snd+int64(len(b)) == to
		if last {
			flags |= q.f.Flags & packet.PSH
			if fin {
				flags |= packet.FIN
				fin = false
			}
		}
		s.segment(h, r, q, h.snd, b, flags)
		h.snd += int64(len(b))
	}
	if fin {
		s.segment(h, r, q, to, nil, flags|packet.FIN)
	}
}

// sendMore sends stored bytes on our own, as far as the receiver's window and
// our congestion window allow.
func (s *Session) sendMore(h, r *half) {
	h.blocked = false
	for {
		at := h.store.next(h.snd)
		if at < 0 {
			break
		}
		h.snd = at
		b := h.store.at(at)
		n := min(int64(len(b)), h.room(), 60000)
		if n <= 0 {
			h.blocked = true
			s.arm(h)
			return
		}
		s.origin(h, r, at, b[:n], packet.ACK|packet.PSH, nil)
		h.snd += n
		h.answer = max(h.answer, h.snd)
		s.arm(h)
	}
	if s.cut && h.dir == ToClient {
		s.cutOff(h, r)
		return
	}
	if h.finOut >= 0 && h.sent <= h.finOut {
		s.origin(h, r, h.finOut, nil, packet.ACK|packet.FIN, nil)
		h.answer = max(h.answer, h.finOut+1)
		s.arm(h)
	}
}

// room is how many bytes we may send on our own now.
func (h *half) room() int64 {
	edge := h.edge
	if edge == 0 {
		edge = h.una + 1<<16 // a session picked up whose receiver was not heard yet
	}
	return min(edge, h.una+h.cwnd) - h.snd
}

// repeat sends on a segment that holds nothing new: a retransmission, or bytes
// that pass unseen. What was inspected is sent as it was decided, whatever the
// segment holds.
func (s *Session) repeat(h, r *half, q *held) {
	s.lateFIN(h, q)
	q.skip = q.end
	h.top = max(h.top, min(q.end, h.next))
	if q.end <= h.acked && h.edits.inAcked(h.una) < q.end || q.end > h.rel {
		s.ackNow(h, r, nil) // the acknowledgement was lost, or comes late
		if !r.heard || q.end-q.off <= 1 && q.end == h.next {
			// Picked up in its middle, or a keep-alive probe with a byte: perhaps
			// the other end is long gone, and must have a chance to say so.
			s.origin(h, r, h.una-1, nil, packet.ACK, nil)
		}
		if q.end <= h.rel {
			return
		}
	}
	lo, hi := h.edits.outFrom(q.off), h.edits.outTo(min(q.end, h.rel))
	switch {
	case q.end <= h.rel && hi <= h.una && !q.fin && s.edited:
		// Only to make the receiver answer: what it holds is not what we hold.
		s.segment(h, r, q, min(lo, h.una-1), nil, q.f.Flags&^packet.PSH)
	case q.end <= h.rel && s.genuine(h, q):
		s.forward(h, r, q, lo)
	default:
		s.again(h, r, q, lo, hi)
	}
	if !h.spoke {
		// It waits for the receiver's window; its sender must hear that we live.
		s.origin(r, h, r.acceptable(), nil, packet.ACK, nil)
	}
}

// lateFIN notes the FIN of a segment that passes unseen, and takes off one that
// stands elsewhere than the stream was seen to end.
func (s *Session) lateFIN(h *half, q *held) {
	if !q.fin || q.end == h.fin {
		return
	}
	if h.fin < 0 && q.end < h.next && q.end >= h.top {
		h.fin = q.end
		return
	}
	if s.midStream && h.fin < 0 && q.end == 0 && h.top == 1 && h.next == 1 {
		return // picked up behind the end of the stream, of which the receiver has not heard
	}
	q.fin = false
	q.f.Flags &^= packet.FIN
	word := [2]byte{q.f.Data[q.f.L4+12], q.f.Flags}
	q.f.Rewrite(12, word[:], q.v.Flags&packet.VNetNeedsCsum != 0)
}

// matches says whether b is what was sent at output offset out, as far as that
// is stored.
func (h *half) matches(out int64, b []byte) bool {
	for i := range h.store.chunks {
		c := &h.store.chunks[i]
		from, to := max(out, c.out), min(out+int64(len(b)), c.end())
		if from < to && (to > h.snd || !bytes.Equal(b[from-out:to-out], c.b[from-c.out:to-c.out])) {
			return false
		}
	}
	return true
}

// again sends output [lo,hi) once more, and the FIN if q has it.
func (s *Session) again(h, r *half, q *held, lo, hi int64) {
	s.resend(h, r, q, lo, hi, q.f.Flags&^packet.FIN)
	if q.fin && q.end <= h.rel && !h.blocked {
		s.segment(h, r, q, h.edits.outFrom(q.end), nil, q.f.Flags)
	}
}

// resend sends output [lo,hi) with the headers of q: stored bytes from the
// store, as far as they were sent before, bytes that pass unseen from q.
func (s *Session) resend(h, r *half, q *held, lo, hi int64, flags uint8) {
	body := q.f.Body()
	for out := max(lo, h.una); out < hi; {
		if b := h.store.at(out); b != nil {
			n := min(int64(len(b)), hi-out, h.snd-out)
			if n <= 0 {
				break
			}
			s.segment(h, r, q, out, b[:n], flags)
			out += n
			continue
		}
		next := h.store.next(out)
		if next < 0 || next > hi {
			next = hi
		}
		// Between stored bytes input and output differ by a constant.
		in := h.edits.inAcked(out)
		from, to := in-q.off, in-q.off+next-out
		if from < 0 || to > int64(len(body)) || out >= h.raw {
			break
		}
		s.segment(h, r, q, out, body[from:to], flags)
		out = next
	}
}

// forward sends the frame as it is but for what translation demands.
func (s *Session) forward(h, r *half, q *held, out int64) {
	f := &q.f
	n := int64(f.End - f.Payload)
	if f.Flags&packet.FIN != 0 {
		n++
	}
	if n > 0 {
		h.sent = max(h.sent, out+n)
	}
	h.spoke = true
	s.refresh(h, r, f, q.v, q.kept)
	s.translate(h, r, q.v, f, out)
	s.stamp(h, f, q.v, q.kept)
	s.e.cfg.Output.Send(h.to, q.v, f.Data)
}

// refresh gives a frame that was held the latest acknowledgement and window of
// its sender: an old window would count, as it comes with new bytes.
func (s *Session) refresh(h, r *half, f *packet.Frame, v packet.VNet, wasKept bool) {
	if !wasKept || f.Flags&packet.ACK == 0 || r.outOffset(f.Ack()) > r.una {
		return
	}
	partial := v.Flags&packet.VNetNeedsCsum != 0
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], r.seq(r.una))
	f.Rewrite(8, b[:], partial)
	binary.BigEndian.PutUint16(b[:], h.window)
	f.Rewrite(14, b[:2], partial)
}

// stamp keeps timestamps from running backwards: a frame that was held would be
// discarded (PAWS, RFC 7323, 5) once a later one has gone past it.
func (s *Session) stamp(h *half, f *packet.Frame, v packet.VNet, wasKept bool) {
	at := packet.TimestampAt(f.Options())
	if at < 0 {
		return
	}
	val := be32(f.Options()[at:])
	if !h.sentStamp || int32(val-h.stampOut) > 0 {
		h.stampOut, h.sentStamp = val, true
		return
	}
	if wasKept && val != h.stampOut {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], h.stampOut)
		f.Rewrite(20+at, b[:], v.Flags&packet.VNetNeedsCsum != 0)
	}
}
