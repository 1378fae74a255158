package session

import (
	"slices"

	"wirepatch/dataplane/packet"
)

// data takes a segment of an established session: acknowledgement, payload, FIN.
// kept: it is not the one at hand, and others of its sender may have gone on since.
func (s *Session) data(h, r *half, v packet.VNet, f *packet.Frame, kept bool) {
	q := held{f: *f, v: v, off: h.offset(f.Seq()), fin: f.Flags&packet.FIN != 0, kept: kept}
	q.end = q.off + int64(f.End-f.Payload)
	stray := s.stray(h, r, &q)
	if !stray && s.overtaken(r, f) {
		s.split(r, f)
		return
	}
	if stray || !s.plausible(r, f) {
		s.e.stats.Refused++
		return
	}
	h.learn(f)
	s.resetSeen, h.spoke = false, false
	news := false
	if f.Flags&packet.ACK != 0 {
		news = s.acknowledge(h, r, f, q.off == q.end && !q.fin)
	}
	if h.vouched != nil && !s.vouch(h, r, &q) {
		s.settle(h, r)
		s.settle(r, h)
		return
	}
	switch {
	case q.off == q.end && !q.fin:
		s.pureAck(h, r, &q)
	case h.fin >= 0 && q.end > h.fin:
		// Beyond the end of the stream: the receiver would discard it.
	case q.end < h.next || q.end == h.next && !(q.fin && h.fin < 0 && h.rel != Forever):
		s.repeat(h, r, &q)
	case s.closing && h.dir == ToServer:
		// Not for the server any more; sent again it is answered by us.
	case q.off > h.next:
		s.keepAhead(h, r, &q)
	default:
		s.accept(h, r, &q)
	}
	if news && !h.spoke && !s.ended {
		// The acknowledgement must not wait with the payload.
		s.bareAck(h, r)
	}
	s.flush(r, h)
	s.mayClose()
	s.settle(h, r)
	s.settle(r, h)
}

// plausible says whether f acknowledges only what r's sender was seen to send.
// Else its receiver would discard it (RFC 9293, 3.10.7.4), and so do we.
func (s *Session) plausible(r *half, f *packet.Frame) bool {
	if f.Flags&packet.ACK == 0 {
		return true
	}
	out := r.outOffset(f.Ack())
	if out > r.sent && s.midStream && len(r.edits.list) == 0 {
		// With what is held of it the receiver has no more to do.
		r.pend, r.queue, r.held = nil, nil, 0
		r.skipTo(out) // went past before we were here
		for s.drain(r, &s.half[r.dir.Other()]) {
		}
	}
	return out <= max(r.sent, r.fast)
}

// overtaken says whether the receiver has more of r than the engine has sent,
// in a session that was picked up and corrected since: bytes went past the
// engine which it corrected when they were sent again, so the two ends can never
// agree.
func (s *Session) overtaken(r *half, f *packet.Frame) bool {
	return s.midStream && f.Flags&packet.ACK != 0 && len(r.edits.list) > 0 && r.outOffset(f.Ack()) > max(r.sent, r.fast)
}

// stray says whether a segment lies so far from the receiver's window that its
// sender, which hears of that window through us, cannot have meant it.
func (s *Session) stray(h, r *half, q *held) bool {
	above := int64(1<<16 + s.e.cfg.Limits.Held) // see windowFor
	below := above + 1<<16<<r.scale
	if s.midStream {
		above, below = 1<<30, 1<<30 // the scale is unknown
	}
	out := h.edits.outFrom(q.off)
	decided := h.edits.outFrom(min(h.rel, h.top)) // of which much may be inserted, also at its end, and not sent yet
	return out > max(h.reach, h.sent, h.fast, decided)+above || out < h.una-below
}

// settle tells the sender of h what it would otherwise never hear, and notes
// since when bytes are held.
func (s *Session) settle(h, r *half) {
	if s.gone {
		return
	}
	s.arm(h)
	if h.owed {
		h.owed = false
		if h.edits.inAcked(h.una) > h.told {
			s.ackNow(h, r, nil)
		}
	}
	switch {
	case len(h.pend) == 0:
		h.held = 0
	case h.held == 0:
		h.held = s.e.now
	}
}

// pureAck sends on an acknowledgement without payload.
func (s *Session) pureAck(h, r *half, q *held) {
	out := h.edits.outFrom(q.off)
	switch {
	case q.off < min(h.told, h.top) && out >= h.sent:
		out = h.sent - 1 // a keep-alive probe, behind a deletion or what is held
	case q.off >= h.rel && out > h.sent:
		out = h.acceptable()
	case q.off >= h.confirmed() && out < h.una:
		out = h.una // at an edit of which the receiver has a part: it would answer what lies before its window
	case s.edited && !s.midStream && out > h.edge:
		out = min(out, h.acceptable())
	}
	s.forward(h, r, q, out)
}

// accept takes a segment with the byte the decoder waits for, and what was
// kept ahead of it.
func (s *Session) accept(h, r *half, q *held) {
	s.take(h, q)
	s.inspect(h, r)
	// A verdict may let the other direction's bytes pass, too.
	for s.drain(h, r) || s.drain(r, h) {
	}
	s.flush(h, r)
	if len(h.pend) > s.e.cfg.Limits.Held && !s.ended {
		s.exceed("more bytes than allowed await a verdict")
	}
	for i := range h.queue {
		h.queue[i].keep()
	}
}

// drain takes the first segment kept ahead, if it is its turn.
func (s *Session) drain(h, r *half) bool {
	if s.ended || len(h.ahead) == 0 || h.ahead[0].off > h.next {
		return false
	}
	a := h.ahead[0]
	h.ahead = slices.Delete(h.ahead, 0, 1)
	switch {
	case h.fin >= 0 && a.end > h.fin:
	case a.end > h.next || a.end == h.next && a.fin && h.fin < 0:
		s.take(h, &a)
		s.inspect(h, r)
	default:
		s.repeat(h, r, &a)
	}
	return true
}

// take adds a segment's new bytes to what awaits a verdict.
func (s *Session) take(h *half, q *held) {
	q.skip = max(h.next, q.off)
	body := q.f.Body()[q.skip-q.off:]
	h.pend = append(h.pend, body...)
	h.next = q.end
	h.top = max(h.top, h.next)
	if q.fin {
		h.fin = q.end
	}
	h.queue = append(h.queue, *q)
}

// keep copies the frame, which so far was only lent.
func (q *held) keep() {
	if !q.kept {
		q.f.Data = append([]byte(nil), q.f.Data...)
		q.kept = true
	}
}

// keepAhead keeps a segment that arrived before its predecessors, and asks the
// sender for these: the receiver, which does not see it yet, cannot.
func (s *Session) keepAhead(h, r *half, q *held) {
	if q.off-h.next > 1<<30 {
		return
	}
	i, found := slices.BinarySearchFunc(h.ahead, q.off, func(a held, off int64) int { return int(a.off - off) })
	if found && h.ahead[i].end >= q.end {
		s.ackNow(h, r, &h.ahead[i])
		return
	}
	n := 0
	for j := range h.ahead {
		n += len(h.ahead[j].f.Data)
	}
	if n+len(q.f.Data) > s.e.cfg.Limits.Ahead || len(h.ahead) >= 4096 {
		return // its sender will send it again
	}
	q.keep()
	h.ahead = slices.Insert(h.ahead, i, *q)
	s.ackNow(h, r, q)
}

// decoder makes the session's Inspector when it is first needed: a half-open
// session, which may be forged, is to cost little.
func (s *Session) decoder() Inspector {
	if s.inspector == nil {
		s.inspector = s.svc.New(s.conn, s.midStream)
	}
	return s.inspector
}

// inspect shows the decoder what awaits a verdict until it has had enough.
func (s *Session) inspect(h, r *half) {
	defer func() {
		if p := recover(); p != nil {
			s.recovered(p)
		}
	}()
	for range 1 << 16 {
		if s.ended || s.blind || s.closing {
			return
		}
		eof := h.fin >= 0 && h.fin == h.next
		v := s.decoder().Inspect(h.dir, h.pend, eof)
		if why := s.apply(h, r, v); why != "" {
			s.exceed(why)
			return
		}
		if v.Release > 0 && len(r.pend) > 0 && !s.closing && !s.ended {
			// What one direction awaits may depend on the other.
			w := s.decoder().Inspect(r.dir, r.pend, r.fin >= 0 && r.fin == r.next)
			if why := s.apply(r, h, w); why != "" {
				s.exceed(why)
				return
			}
		}
		if v.Release == 0 || len(h.pend) == 0 {
			break
		}
	}
	if h.fin >= 0 && h.fin == h.next && len(h.pend) > 0 && !s.closing && !s.ended {
		s.exceed("the decoder keeps bytes after the end of the stream")
	}
}

// apply carries out a verdict on the books: what is decided becomes output. It
// returns what is wrong with the verdict, "" if nothing.
func (s *Session) apply(h, r *half, v Verdict) string {
	shown := min(v.Release, int64(len(h.pend)))
	if !v.sound(shown) {
		return "decoder gave a verdict that contradicts itself"
	}
	at := int64(0)
	for i := range v.Edits {
		ed := &v.Edits[i]
		s.release(h, at, int64(ed.Start))
		s.replace(h, int64(ed.Start), int64(ed.End), ed.With)
		at = int64(ed.End)
	}
	s.release(h, at, shown)
	deleted := len(v.Edits) > 0 && int64(v.Edits[len(v.Edits)-1].End) == shown
	h.rel += shown
	h.pend = append(h.pend[:0], h.pend[shown:]...)
	if len(h.pend) == 0 && cap(h.pend) > keepCap {
		h.pend = nil
	}
	if v.Release > shown {
		s.passOn(h, v.Release-shown)
	}
	s.promise(h)
	s.tell(h.dir, v)
	if deleted && h.edits.outTo(h.rel) == h.una {
		h.owed = true // nothing is on its way that the receiver would acknowledge
	}
	return s.reply(h, r, v)
}

// tell makes events of the evidence. Why a decoder resets the session is told
// with the reset.
func (s *Session) tell(d Direction, v Verdict) {
	for i := range v.Evidence {
		if ev := v.Evidence[i]; ev.Definition != "" || v.End != Reset {
			ev.ToClient = d == ToClient
			s.e.cfg.Event(Event{Kind: Corrected, Service: s.svc.Name, Conn: s.conn, Evidence: ev})
		}
	}
}

// resetReason is why a verdict resets the session.
func (v *Verdict) resetReason() string {
	for i := range v.Evidence {
		if e := &v.Evidence[i]; e.Definition == "" && e.Note != "" {
			return e.Note
		}
	}
	return "a definition asks for it"
}

// sound says whether the edits are in order and within the released bytes.
func (v *Verdict) sound(shown int64) bool {
	at := 0
	for i := range v.Edits {
		if v.Edits[i].Start < at || v.Edits[i].End < v.Edits[i].Start {
			return false
		}
		at = v.Edits[i].End
	}
	return v.Release >= 0 && int64(at) <= shown
}

// release makes input [rel+from, rel+to) output as it is.
func (s *Session) release(h *half, from, to int64) {
	if to > from {
		h.store.append(h.edits.outFrom(h.rel+from), h.pend[from:to])
		h.advance()
	}
}

// replace makes input [rel+from, rel+to) into with.
func (s *Session) replace(h *half, from, to int64, with []byte) {
	out := h.edits.outFrom(h.rel + from)
	h.edits.add(edit{h.rel + from, h.rel + to, out, out + int64(len(with))})
	h.store.append(out, with)
	h.advance()
	if int64(len(with)) > to-from {
		// No retransmission of the sender brings an insertion again; and where a
		// change has made a segment too long for the path, only we can know.
		h.answer = max(h.answer, out+int64(len(with)))
	}
	s.changed()
}

func (s *Session) changed() {
	s.stirred = 0
	if !s.edited {
		s.edited = true
		s.e.stats.Edited++
	}
	s.ride() // before anything of it is sent: we may end in between
}

// advance moves snd over what passed unseen between two chunks.
func (h *half) advance() {
	if at := h.store.next(h.snd); at >= 0 {
		h.snd = at
	}
}

// passOn lets n bytes to come, Forever for all, pass unseen.
func (s *Session) passOn(h *half, n int64) {
	if n > Forever-h.next-1<<40 {
		h.next, h.rel, h.raw = Forever, Forever, Forever
	} else {
		h.next += n
		h.rel = h.next
		h.raw = h.edits.outFrom(h.next)
	}
	s.passAhead(h)
}

// passAhead sends on what was kept ahead and now passes unseen.
func (s *Session) passAhead(h *half) {
	for len(h.ahead) > 0 && h.ahead[0].end <= h.next {
		a := h.ahead[0]
		h.ahead = slices.Delete(h.ahead, 0, 1)
		s.repeat(h, &s.half[h.dir.Other()], &a)
	}
}

// promise makes us answerable for what the sender was told has arrived.
func (s *Session) promise(h *half) {
	if h.acked > 0 {
		h.answer = max(h.answer, h.edits.outTo(min(h.acked, h.rel)))
	}
}
