package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// hold is a message that waits, whole, for its body. Offsets count from the
// message's first byte.
type hold struct {
	active  bool
	wanted  bool          // rules may want the content
	sure    bool          // that the body is one that rules want
	told    bool          // how it begins is known, or tells nothing
	untold  want          // what they want as long as it is not known how it begins
	encoded bool          // how it begins tells nothing
	blank   int           // of the content, in front of what tells
	pos     int           // looked at so far
	raw     protocol.Span // the body as it came, with its framing
	content []byte        // chunked: what it carries
	data    protocol.Span // not chunked: where the content lies
	last    int           // chunked: where the last chunk begins
	lines   []line        // chunked: its framing, where rules ask for it
	reading               // how rules see it, once it is whole
	others  []reading     // how else a server may read it
	anew    []byte        // the content, coded anew
	text    []byte        // see view
}

// line is one line of a chunked body's framing.
type line struct {
	raw, size int // in the message as it came
	at        int // in the message as rules see it
	trailer   bool
	data      int64 // size of the chunk's data
	fault     fault // to be put right by a rule
}

var continue100 = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// startHold begins to hold a message for its body.
func (d *Decoder) startHold(head []byte) bool {
	h := d.turn.h
	if h.dir == session.ToServer && h.head.expectsContinue(head) {
		// The server cannot say it, since the head is held, and the client may
		// wait for it for ever.
		d.queue.pushReply(continue100, false)
		d.flushReplies()
		h.said100 = true
	}
	h.hold = hold{active: true, pos: len(head), content: h.hold.content[:0], text: h.hold.text[:0], lines: h.hold.lines[:0]}
	h.hold.raw.Start = len(head)
	h.hold.untold, h.hold.encoded = h.fitting(head, 0), h.head.coded(head)
	h.hold.wanted = h.hold.untold != 0
	h.mode = inHold
	return true
}

// stepHold waits for the rest of a held message.
func (d *Decoder) stepHold() bool {
	t := &d.turn
	h := t.h
	b := t.rest()
	whole, f := h.more(b, d.holdLimit())
	if !(h.hold.sure && h.hold.told) && !h.stillWanted(b, whole) {
		return d.letGo() // a fault behind what told is met where it stands, as if it had come later
	}
	if f == faultBodyLong && len(h.content(b)) < min(h.enoughToTell(), d.o.MaxBody) && !t.eof {
		return false
	}
	switch {
	case f == faultBodyLong && h.hold.want == 0:
		return d.letGo() // held for the sake of its framing, and long enough
	case f == faultBodyLong:
		return d.bodyTooLong()
	case f != faultNone && h.want&wantChunk != 0:
		return d.letGo() // rules want to see just that line
	case f != faultNone:
		return d.faulty(b[:h.head.size], f)
	case !whole && t.eof && h.framing == untilClose:
		h.hold.data = protocol.Span{Start: h.head.size, End: len(b)}
	case !whole && t.eof:
		return d.faulty(b[:h.head.size], faultTruncated)
	case !whole:
		return false
	}
	if !h.finish(b, d.o.MaxBody) {
		return d.bodyTooLong()
	}
	if f := h.bodyFault(b[:h.head.size]); f != faultNone {
		return d.faulty(b[:h.head.size], f)
	}
	h.mode = atHead
	going := d.decide(h.hold.raw.End, true)
	h.hold.clear()
	return going
}

// stillWanted looks at how the content begins and says whether rules want it.
// It goes on where it stopped, for a body may come byte by byte.
func (h *half) stillWanted(b []byte, whole bool) bool {
	first, w := byte(0), h.hold.untold
	if !h.hold.encoded {
		content := h.content(b)[h.hold.blank:]
		var n int
		first, n = firstByte(content)
		h.hold.blank += n
		h.looked += n + 1
	}
	if first != 0 {
		w = h.fitting(b[:h.head.size], first)
		h.looked += h.head.size
	}
	h.hold.want = w
	h.hold.told = first != 0 || whole || h.hold.encoded
	h.hold.sure = first != 0 || whole || w&^wantText != 0
	return w != 0 || !h.hold.sure || h.forFraming > 0
}

// holdLimit is how much of a body is held: what its content may need, or what
// rules on its framing ask for.
func (d *Decoder) holdLimit() int {
	if h := d.turn.h; !h.hold.wanted {
		return min(h.forFraming, d.o.MaxBody)
	}
	return d.o.MaxBody
}

// enoughToTell is how many bytes of a body that is over the limit are waited for
// to tell what it is, where blanks may come first, and how it is written.
func (h *half) enoughToTell() int {
	switch {
	case !h.hold.sure, !h.hold.told && h.hold.want&wantText != 0:
		return 256
	case h.hold.want&wantText != 0:
		return widest
	}
	return 0
}

// content is what has come of the content of a held message.
func (h *half) content(b []byte) []byte {
	if h.framing == byChunks {
		return h.hold.content
	}
	content := b[h.head.size:]
	if h.framing == byLength {
		content = content[:min(int64(len(content)), h.left)]
	}
	return content
}

// letGo decides a message on its head, for its body turned out to be one that no
// rule asks for.
func (d *Decoder) letGo() bool {
	h := d.turn.h
	h.hold.clear()
	h.chunks = chunkScan{request: h.dir == session.ToServer, max: d.o.MaxHead}
	h.parts.ahead.chunks = h.chunks
	return d.decide(h.head.size, false)
}

// more looks at what has come of a held message b.
func (h *half) more(b []byte, limit int) (whole bool, f fault) {
	switch h.framing {
	case byLength:
		if h.left > int64(limit) {
			return false, faultBodyLong
		}
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
				if h.chunks.left > int64(limit-len(h.hold.content)) {
					return false, faultBodyLong
				}
				return false, faultNone
			}
		}
		was := h.chunks.state
		n, done, f := h.chunks.line(b[h.hold.pos:])
		mendable := f == faultChunkLF && h.want&wantChunk != 0
		if f != faultNone && !mendable || n == 0 {
			return false, f
		}
		h.noteLine(was, n, done, f)
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

// noteLine remembers a line of framing.
func (h *half) noteLine(was chunkState, n int, done bool, f fault) {
	s := &h.hold
	if h.chunks.state == chunkTrailers && was == chunkSize {
		s.last = s.pos
	}
	if h.want&wantFraming != 0 && was != chunkEnd && (!done || f != faultNone) {
		s.lines = append(s.lines, line{raw: s.pos, size: n, trailer: was == chunkTrailers, data: h.chunks.left, fault: f})
	}
}

// finish fixes what rules see of a held message that is whole; false: its
// content, decoded, is over the limit.
func (h *half) finish(b []byte, limit int) bool {
	s := &h.hold
	content := cut(b, s.data)
	s.raw.End = s.data.End
	if h.framing == byChunks {
		s.raw.End, s.data, content = s.pos, none, s.content
	}
	return h.read(b[:h.head.size], content, limit)
}

// clear forgets a held message, and its buffers when they are large.
func (s *hold) clear() {
	kept := hold{content: s.content[:0], text: s.text[:0], lines: s.lines[:0]}
	if cap(kept.content) > keepRaw {
		kept.content = nil
	}
	if cap(kept.text) > keepRaw {
		kept.text = nil
	}
	if cap(kept.lines) > keepElements {
		kept.lines = nil
	}
	*s = kept
}

// bodyTooLong has a multipart body followed as it passes, and others watched,
// where that will do. Otherwise it lets the rules decide on the head alone and the
// body pass, or resets, as Options.Exceed says.
func (d *Decoder) bodyTooLong() bool {
	t := &d.turn
	h := t.h
	head := t.rest()[:h.head.size]
	if d.watch(head) {
		return d.letGo()
	}
	if d.o.Exceed == protocol.ExceedReset {
		return d.giveUp(faultBodyLong, head)
	}
	d.report(faultBodyLong, head)
	return d.letGo()
}
