package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// hold is a message that waits, whole, for its body. Offsets count from the
// message's first byte.
type hold struct {
	active  bool
	pos     int           // looked at so far
	raw     protocol.Span // the body as it came, with its framing
	content []byte        // chunked: what it carries
	data    protocol.Span // not chunked: where the content lies
	last    int           // chunked: where the last chunk begins
	value   string        // the content, once it is whole
}

// startHold begins to hold a message for its body.
func (d *Decoder) startHold(head []byte) bool {
	h := d.turn.h
	if h.framing == byLength && h.left > int64(d.o.MaxBody) {
		return d.bodyTooLong()
	}
	if h.dir == session.ToServer && h.head.expectsContinue(head) {
		// The server cannot say it, since the head is held, and the client may
		// wait for it for ever. When the server says it again that is allowed.
		d.queue.pushReply([]byte("HTTP/1.1 100 Continue\r\n\r\n"), false)
		d.flush()
	}
	h.hold = hold{active: true, pos: len(head), content: h.hold.content[:0]}
	h.hold.raw.Start = len(head)
	h.mode = inHold
	return true
}

// stepHold waits for the rest of a held message.
func (d *Decoder) stepHold() bool {
	t := &d.turn
	h := t.h
	b := t.rest()
	whole, f := h.more(b, d.o.MaxBody)
	switch {
	case f == faultBodyLong:
		return d.bodyTooLong()
	case f != faultNone:
		return d.faulty(b[:h.head.size], f)
	case !whole && t.eof && h.framing == untilClose:
		h.hold.data = protocol.Span{Start: h.head.size, End: len(b)}
	case !whole && t.eof:
		return d.faulty(b[:h.head.size], faultTruncated)
	case !whole:
		return false
	}
	h.hold.finish(h, b)
	h.mode = atHead
	going := d.decide(h.hold.raw.End, true)
	h.hold.clear()
	return going
}

// more looks at what has come of a held message b.
func (h *half) more(b []byte, limit int) (whole bool, f fault) {
	switch h.framing {
	case byLength:
		end := h.head.size + int(h.left)
		h.hold.data = protocol.Span{Start: h.head.size, End: end}
		return len(b) >= end, faultNone
	case untilClose:
		if len(b)-h.head.size > limit {
			return false, faultBodyLong
		}
		return false, faultNone
	}
	for {
		if h.chunks.state == chunkData {
			n := int(h.chunks.data(int64(len(b) - h.hold.pos)))
			h.hold.content = append(h.hold.content, b[h.hold.pos:h.hold.pos+n]...)
			h.hold.pos += n
			if h.chunks.state == chunkData {
				return false, faultNone
			}
		}
		n, done, f := h.chunks.line(b[h.hold.pos:])
		if f != faultNone || n == 0 {
			return false, f
		}
		if h.chunks.state == chunkTrailers && h.chunks.trailers == 0 {
			h.hold.last = h.hold.pos
		}
		h.hold.pos += n
		if done {
			return true, faultNone
		}
		tooLong := h.chunks.left > int64(limit-len(h.hold.content))
		if tooLong || h.hold.pos-h.head.size > 2*limit+maxChunkLine {
			return false, faultBodyLong
		}
	}
}

// finish fixes the spans of a held message that is whole.
func (s *hold) finish(h *half, b []byte) {
	if h.framing == byChunks {
		s.raw.End = s.pos
		s.data = none
		s.value = string(s.content)
		return
	}
	s.raw.End = s.data.End
	s.value = string(cut(b, s.data))
}

// clear forgets a held message, and its buffer when that is large.
func (s *hold) clear() {
	content := s.content[:0]
	if cap(content) > keepRaw {
		content = nil
	}
	*s = hold{content: content}
}

// bodyTooLong lets the rules decide on the head alone and the body pass, or
// resets, as Options.Exceed says.
func (d *Decoder) bodyTooLong() bool {
	t := &d.turn
	h := t.h
	head := t.rest()[:h.head.size]
	if d.o.Exceed == ExceedReset {
		return d.giveUp(faultBodyLong, head)
	}
	d.report(faultBodyLong, head)
	looked := max(0, h.hold.pos-h.head.size)
	if h.framing != byChunks {
		looked = 0
	}
	h.hold.clear()
	if !d.decide(h.head.size, false) {
		return false
	}
	if h.mode == inChunks {
		d.consume(looked, h.discard)
	}
	return true
}
