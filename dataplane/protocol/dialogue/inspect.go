package dialogue

import (
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// turn is one call of Inspect.
type turn struct {
	h    *half
	data []byte
	eof  bool
	pos  int   // bytes of data decided
	skip int64 // bytes behind data that pass unseen
	v    session.Verdict
}

// entry is a message to the server whose reply has not come, or a reply of our
// own that waits for its turn.
type entry struct {
	tag   any
	reply []byte
	ours  bool
	begun bool // a preliminary reply has come
	close bool // end the session behind the reply
}

// Inspect implements session.Inspector.
func (d *Decoder) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	switch {
	case d.ended != session.Continue:
		return session.Verdict{End: d.ended}
	case d.passing:
		return session.Verdict{Release: session.Forever}
	}
	d.turn = turn{h: &d.halves[dir], data: data, eof: eof}
	for d.step() {
	}
	return d.verdict()
}

// verdict closes the turn.
func (d *Decoder) verdict() session.Verdict {
	t := &d.turn
	v := t.v
	if v.Release != session.Forever {
		if t.eof && v.End == session.Continue {
			t.pos = len(t.data)
		}
		v.Release = int64(t.pos) + t.skip
	}
	t.h.held = len(t.data) - t.pos
	d.ended = v.End
	d.turn, d.lookup = turn{}, nil
	return v
}

func (t *turn) rest() []byte { return t.data[t.pos:] }

// consume decides the next n bytes: released, or deleted.
func (t *turn) consume(n int, discard bool) {
	if discard && n > 0 {
		t.v.Edit(t.pos, t.pos+n, nil)
	}
	t.pos += n
}

// step takes one message, or part; false: the turn is over.
func (d *Decoder) step() bool {
	t := &d.turn
	h := t.h
	if h.sink {
		t.consume(len(t.rest()), true)
		return false
	}
	if h.rest > 0 {
		return d.takeRest()
	}
	if h.dir == session.ToClient && !h.within {
		if d.sendOurs(); t.v.End != session.Continue {
			return false
		}
	}
	if len(t.rest()) == 0 {
		return false
	}
	if h.dir == session.ToServer && !h.within && d.owed() && d.awaits() {
		if t.eof {
			return d.giveUp("the stream ends before the server has answered what rules have to know")
		}
		return false
	}
	s := d.codec.Next(h.dir, t.rest(), t.eof, d.oldest())
	switch s.Verb {
	case Message:
		return d.message(&s)
	case Forever:
		d.passing = true
		t.v.Release = session.Forever
	case Fault:
		return d.giveUp(s.Why)
	case Wait, More:
		switch {
		case len(t.rest()) > d.o.MaxMessage && s.Verb == More:
			return d.giveUp("a message is longer than the limit")
		case t.eof:
			// An unfinished message that its Codec does not want.
			t.consume(len(t.rest()), false)
		}
	}
	return false
}

// owed says whether the server has not begun to answer the oldest message.
func (d *Decoder) owed() bool {
	i := d.first()
	return i >= 0 && !d.queue[i].begun
}

// awaits says whether rules on a message have to know what those before it were
// answered.
func (d *Decoder) awaits() bool {
	a, ok := d.rules.(protocol.Awaiter)
	return ok && a.Awaits(d.name)
}

// first is the place of the oldest message that waits for its reply, -1 if none does.
func (d *Decoder) first() int {
	return slices.IndexFunc(d.queue, func(e entry) bool { return !e.ours })
}

// oldest is its tag.
func (d *Decoder) oldest() any {
	if i := d.first(); i >= 0 {
		return d.queue[i].tag
	}
	return nil
}

// takeRest decides what is left of a message that rules have seen the front of.
// To the client every byte is looked at, so that a reply of our own finds its
// place.
func (d *Decoder) takeRest() bool {
	t := &d.turn
	h := t.h
	n := min(int64(len(t.rest())), h.rest)
	t.consume(int(n), h.discard)
	h.rest -= n
	switch {
	case h.rest == 0:
	case h.discard || h.dir == session.ToClient || t.eof:
		return false
	default:
		t.skip, h.rest = h.rest, 0
	}
	if !h.within {
		h.discard, h.sent = false, false
	}
	return t.skip == 0
}

// message has the rules decide about a message, or a part of one.
func (d *Decoder) message(s *Step) bool {
	t := &d.turn
	h := t.h
	if s.Size > len(t.rest()) || s.Size <= 0 {
		return d.giveUp("the decoder lost its place")
	}
	if len(d.queue) >= d.o.MaxOutstanding && h.dir == session.ToServer {
		return d.giveUp("too many messages wait for their reply")
	}
	d.synced = true
	d.lookup = s.Lookup
	o := outcome{kind: dropped}
	if !h.discard {
		o = d.correct(s)
	}
	if s.Doubt != "" && o.kind == forwarded && len(o.edits) == 0 {
		return d.giveUp(s.Doubt)
	}
	ends := h.dir == session.ToClient && s.Ends
	if o.kind == wasReset {
		t.v.End = session.Reset
		return false
	}
	d.carryOut(&o, s)
	d.codec.Decided(h.dir, s, o.kind == forwarded)
	h.rest, h.within = s.Rest, s.Parts
	h.discard = (s.Rest > 0 || s.Parts) && o.kind != forwarded
	h.sent = (s.Rest > 0 || s.Parts) && (h.sent || o.kind == forwarded)
	if ends || h.dir == session.ToClient && s.Begins {
		if ends {
			d.answered()
		} else if i := d.first(); i >= 0 {
			d.queue[i].begun = true
		}
		if d.halves[session.ToServer].held > 0 && !t.eof {
			return false // what waits for this answer goes on first, as if the next one had come by itself
		}
	}
	return t.v.End == session.Continue
}

// carryOut does with the message what was decided.
func (d *Decoder) carryOut(o *outcome, s *Step) {
	t := &d.turn
	h := t.h
	if o.interim != nil {
		d.pushOurs(o.interim, false)
	}
	switch o.kind {
	case forwarded:
		at := t.pos
		for _, e := range o.edits {
			t.v.Edit(at+e.Start, at+e.End, e.With)
		}
		t.consume(s.Size, false)
		if h.dir == session.ToServer && !s.Silent {
			d.queue = append(d.queue, entry{tag: s.Tag})
		}
	case rejected:
		if h.dir == session.ToClient {
			t.v.Edit(t.pos, t.pos, o.reply)
			t.consume(s.Size, true)
			if o.close {
				t.v.End = session.Close
			}
			return
		}
		t.consume(s.Size, true)
		if len(o.reply) > 0 || o.close {
			d.pushOurs(o.reply, o.close)
		}
		h.sink = o.close
	default:
		t.consume(s.Size, true)
	}
	if h.dir == session.ToServer {
		d.flush()
	}
}

// pushOurs has a reply of our own wait for its turn.
func (d *Decoder) pushOurs(reply []byte, end bool) {
	d.queue = append(d.queue, entry{reply: reply, ours: true, close: end})
}

// answered takes the oldest message off the queue.
func (d *Decoder) answered() {
	if i := d.first(); i >= 0 {
		d.unqueue(i)
	}
}

// unqueue takes an entry off the queue, most often the first.
func (d *Decoder) unqueue(i int) {
	if i > 0 {
		d.queue = slices.Delete(d.queue, i, i+1)
		return
	}
	d.queue[0] = entry{}
	if d.queue = d.queue[1:]; len(d.queue) == 0 {
		d.queue = nil
	}
}

// sendOurs sends the replies of our own that are due.
func (d *Decoder) sendOurs() {
	t := &d.turn
	for len(d.queue) > 0 && d.queue[0].ours && t.v.End == session.Continue {
		e := d.queue[0]
		switch {
		case t.h.dir == session.ToClient:
			t.v.Edit(t.pos, t.pos, e.reply)
		default:
			t.v.Reply = append(t.v.Reply, e.reply...)
		}
		if e.close {
			t.v.End = session.Close
		}
		d.unqueue(0)
	}
}

// flush sends our own replies that are due, from a turn of the stream to the
// server.
func (d *Decoder) flush() {
	if back := &d.halves[session.ToClient]; back.held == 0 && back.rest == 0 && !back.within && !back.sink {
		d.sendOurs()
	}
}

// giveUp ends the inspection of the session as Options.Exceed says. Where a
// reply of our own is still owed only a reset is honest. A session that we met
// in its middle passes until its first message is found.
func (d *Decoder) giveUp(why string) bool {
	t := &d.turn
	t.v.Evidence = append(t.v.Evidence, session.Evidence{
		Mode: "correct", Action: "report", Element: t.h.side(), Before: bounded(t.rest()), Note: "cannot be inspected: " + why,
	})
	owed := slices.ContainsFunc(d.queue, func(e entry) bool { return e.ours })
	if d.synced && d.o.Exceed == protocol.ExceedReset || owed {
		t.v.End = session.Reset
		return false
	}
	d.passing = true
	t.v.Release = session.Forever
	return false
}

func (h *half) side() string {
	if h.dir == session.ToServer {
		return "client"
	}
	return "server"
}

// bounded copies at most session.EvidenceLimit bytes of b.
func bounded(b []byte) []byte {
	return append([]byte(nil), b[:min(len(b), session.EvidenceLimit)]...)
}

// wants says whether rules are about any of the elements.
func (d *Decoder) wants(elements []protocol.Element) bool {
	last := ""
	for i := range elements {
		if k := elements[i].Kind; k != last {
			if d.rules.Wants(k) {
				return true
			}
			last = k
		}
	}
	return false
}
