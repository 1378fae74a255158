package http

import "wirepatch/dataplane/session"

// mode is what a half is in the middle of.
//
//	atHead    at a message boundary, or within a head
//	inHold    head whole, waiting for the body that rules want
//	inLength  within a body by Content-Length, decided
//	inChunks  within a chunked body, decided
//	inTunnel  everything passes: until close, or after an upgrade
//	inSink    everything is deleted: the session is about to end
//	inParts   within a multipart body that is followed, not held
//	inWait    behind a request for an upgrade: what follows is not known yet
//
// atHead → inHold → atHead; atHead → inLength, inChunks → atHead; inHold →
// inLength, inChunks, inParts when the body turns out too long; atHead → inWait → atHead;
// any → inTunnel, inSink.
type mode uint8

const (
	atHead mode = iota
	inHold
	inLength
	inChunks
	inTunnel
	inSink
	inWait
	inParts
)

// half is the decoder's state of one direction.
type half struct {
	dir     session.Direction
	mode    mode
	scan    headScan
	head    head
	framing framing
	left    int64 // of the body by length: bytes to come
	chunks  chunkScan
	discard bool // the message under way is not forwarded
	final   bool // the response under way is the last to its request
	ended   bool // the sender's FIN was seen
	hold    hold
	want    want // what rules ask for of the message under way
	// forFraming is how many bytes rules want held because of the chunks' lines.
	forFraming int
	said100    bool   // we have said 100 (Continue) to the message under way
	serial     uint64 // of the exchange of the message under way
	late       late
	parts      parts
	watched    []seeker // what is looked for in the body that passes
	upgrade    bool     // what follows the message is not known yet
	spoil      bool     // the body that follows is to be made invalid
	looked     int      // bytes gone through in search of how a body goes on, for tests
}

// turn is one call of Inspect.
type turn struct {
	h    *half
	data []byte
	eof  bool
	pos  int   // bytes of data decided
	skip int64 // bytes behind data that pass unseen
	v    session.Verdict
}

// Inspect implements session.Inspector.
func (d *Decoder) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	switch {
	case d.ended != session.Continue:
		return session.Verdict{End: d.ended}
	case d.passing:
		return session.Verdict{Release: session.Forever}
	case d.inner != nil:
		return d.inner.Inspect(dir, data, eof)
	}
	h := &d.halves[dir]
	h.ended = h.ended || eof
	d.scratch = scratches.Get().(*scratch)
	d.turn = turn{h: h, data: data, eof: eof}
	for d.step() {
	}
	v := d.verdict()
	scratches.Put(d.scratch)
	d.scratch = nil
	return v
}

// verdict closes the turn.
func (d *Decoder) verdict() session.Verdict {
	t := &d.turn
	v := t.v
	if v.Release != session.Forever {
		if t.eof && v.End == session.Continue && d.inner == nil {
			t.pos = len(t.data)
		}
		v.Release = int64(t.pos) + t.skip
	}
	if d.inner != nil {
		v = d.goOn(v)
	}
	d.ended = v.End
	*t = turn{}
	return v
}

// step takes one part of the stream; false: the turn is over.
func (d *Decoder) step() bool {
	t := &d.turn
	switch t.h.mode {
	case atHead:
		return d.stepHead()
	case inHold:
		return d.stepHold()
	case inLength:
		return d.stepLength()
	case inChunks:
		return d.stepChunks()
	case inWait:
		return d.stepWait()
	case inParts:
		return d.stepParts()
	case inTunnel:
		t.v.Release = session.Forever
		return false
	}
	d.consume(len(t.data)-t.pos, true)
	return false
}

// rest is what is not decided yet.
func (t *turn) rest() []byte { return t.data[t.pos:] }

// consume decides the next n bytes: released, or deleted.
func (d *Decoder) consume(n int, discard bool) {
	t := &d.turn
	if discard && n > 0 {
		t.v.Edit(t.pos, t.pos+n, nil)
	}
	t.pos += n
}

// stepHead waits for a head and has it decided.
func (d *Decoder) stepHead() bool {
	t := &d.turn
	h := t.h
	if h.dir == session.ToServer {
		d.skipEmptyLines()
	} else if !d.expectResponse() {
		return false
	}
	rest := t.rest()
	if len(rest) == 0 || len(rest) == 1 && rest[0] == '\r' && !t.eof {
		return false
	}
	if bad := h.scan.check(rest[:min(len(rest), d.o.MaxHead)], h.dir == session.ToServer); bad > 0 {
		if !d.synced && h.dir == session.ToServer {
			// The rest of a body that was under way when we met the session.
			h.scan = headScan{}
			d.consume(len(rest), false)
			return false
		}
		if rest[bad-1] == '\n' && h.dir == session.ToServer {
			return d.faulty(rest[:bad], faultNotHTTP) // HTTP/0.9 has a target too
		}
		return d.giveUp(faultNotHTTP, rest[:bad])
	}
	n := h.scan.next(rest)
	switch {
	case n > d.o.MaxHead, n == 0 && len(rest) > d.o.MaxHead:
		return d.faulty(rest[:h.wholeLines(rest[:d.o.MaxHead])], faultHeadLong)
	case n == 0 && t.eof && !d.synced:
		d.consume(len(rest), false) // the rest of a body, too
		return false
	case n == 0 && t.eof:
		return d.faulty(rest, faultTruncated)
	case n == 0:
		return false
	}
	return d.gotHead(rest[:n])
}

// wholeLines returns how many bytes of b are whole lines.
func (h *half) wholeLines(b []byte) int {
	for i := len(b); i > 0; i-- {
		if b[i-1] == '\n' {
			return i
		}
	}
	return len(b)
}

// skipEmptyLines lets empty lines before a request pass (RFC 9112 section 2.2).
func (d *Decoder) skipEmptyLines() {
	t := &d.turn
	if t.h.scan.from > 1 {
		return
	}
	for {
		rest := t.rest()
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			t.pos++
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			t.pos += 2
		default:
			return
		}
		t.h.scan = headScan{}
	}
}

// expectResponse says whether the bytes to the client are to be read as a
// response. Without a request they pass: they answer one that was sent before
// we met the session, or the server says good-bye (408) to an idle client.
func (d *Decoder) expectResponse() bool {
	t := &d.turn
	d.insertReplies()
	switch {
	case d.ended != session.Continue || t.v.End != session.Continue || len(t.rest()) == 0:
		return false
	case d.queue.n > 0:
		return true
	}
	d.consume(len(t.rest()), false)
	return false
}

// stepLength passes what is left of a body by Content-Length. The last byte of a
// response is always looked at: it tells that the response is over, so that a
// reply of our own may follow, and gives that reply a place to stand.
func (d *Decoder) stepLength() bool {
	t := &d.turn
	h := t.h
	avail := int64(len(t.rest()))
	if !d.look(t.rest()[:min(avail, h.left)]) {
		return false
	}
	if avail >= h.left {
		d.consume(int(h.left), h.discard)
		d.endMessage()
		return true
	}
	d.consume(int(avail), h.discard)
	h.left -= avail
	if h.discard || t.eof || h.watched != nil {
		return false
	}
	if h.dir == session.ToClient {
		t.skip, h.left = h.left-1, 1
		return false
	}
	t.skip = h.left
	d.endMessage()
	return false
}

// stepChunks passes chunks: the data unseen, the framing looked at.
func (d *Decoder) stepChunks() bool {
	t := &d.turn
	h := t.h
	if h.spoil && !h.discard {
		h.spoil = false
		return d.spoilRest(0)
	}
	if h.chunks.state == chunkData {
		n := int(h.chunks.data(int64(len(t.rest()))))
		if !d.look(t.rest()[:n]) {
			return false
		}
		d.consume(n, h.discard)
		if h.chunks.state == chunkData && !h.discard && !t.eof && h.watched == nil {
			t.skip = h.chunks.data(h.chunks.left)
		}
		return h.chunks.state != chunkData && t.skip == 0
	}
	if len(t.rest()) == 0 {
		return false
	}
	was := h.chunks.state
	n, done, f := h.chunks.line(t.rest())
	if h.wantsLine(was, n, done, f) {
		return d.lateLine(was, n, f)
	}
	switch {
	case f != faultNone && h.discard:
		h.mode = inSink // nothing of it may be forwarded, and its end is unknown
		return true
	case f != faultNone:
		return d.giveUp(f, t.rest()[:min(len(t.rest()), 1)])
	case n == 0:
		if t.eof {
			d.consume(len(t.rest()), h.discard)
		}
		return false
	}
	d.consume(n, h.discard)
	if done {
		d.endMessage()
	}
	return true
}

// endMessage brings the half to the next message boundary.
func (d *Decoder) endMessage() {
	h := d.turn.h
	h.mode, h.scan, h.discard, h.said100, h.parts, h.watched = atHead, headScan{}, false, false, parts{}, nil
	if cap(h.head.fields) > keepElements {
		h.head.fields = nil
	}
	if h.dir == session.ToServer && h.upgrade {
		h.upgrade, h.mode = false, inWait
	}
	if h.dir == session.ToClient && h.final {
		h.final = false
		d.queue.pop()
		d.insertReplies()
	}
}

// insertReplies puts our own replies that are due into the stream to the
// client, which is at a message boundary. Behind a response with which the server
// ends the session there are none: nothing answers what came behind its request.
func (d *Decoder) insertReplies() {
	t := &d.turn
	if d.last {
		return
	}
	for e := d.queue.front(); e != nil && e.reply != nil && t.v.End == session.Continue; e = d.queue.front() {
		if t.h.dir == session.ToClient {
			t.v.Edit(t.pos, t.pos, e.reply)
		} else {
			t.v.Reply = append(t.v.Reply, e.reply...)
		}
		if e.close {
			t.v.End = session.Close
		}
		d.queue.pop()
	}
}

// flushReplies sends our own replies that are due, from a turn of the stream to the
// server.
func (d *Decoder) flushReplies() {
	if back := &d.halves[session.ToClient]; back.mode == atHead && !back.ended {
		d.insertReplies()
	}
}
