package http

import (
	"bytes"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/session"
)

// parts follows a multipart body that is too long to be held: what stands
// between delimiters passes, the fields of each part are shown when they are
// there, and the body as a whole in front of its last bytes. It can be refused and
// not changed: its length, or that of a chunk, has been promised to the server.
type parts struct {
	dash      []byte // what delimiters begin with; nil: the body is not followed
	lineStart bool   // the next byte begins a line
	index     int    // of the next part
	complete  bool   // the delimiter that ends the body has come
	told      bool   // the body was shown as a whole
	// What is waited for begins at the first byte that has not passed; what was
	// looked at of it is not looked at again, for it may come byte by byte.
	blank      int // a delimiter whose line does not end yet, and blanks up to here
	from, line int // the fields of a part, looked at up to from, in the line at line; 0: none
	ahead      ahead
}

// ahead is what has come of a chunked body that is followed. It is looked at without
// its framing, and passes with it, by stepChunks, once it may.
type ahead struct {
	chunks chunkScan
	seen   int    // bytes from the first one that has not passed to where chunks stands
	text   []byte // what they carry and may not pass yet
	may    int    // what they carry and may pass
	ended  bool   // all of it has come
}

// aheadAtOnce is how much of a chunk is gathered before it is looked at, in bytes.
const aheadAtOnce = 16 << 10

// read gathers some of what the chunks carry of which raw has come; more: it was some.
func (a *ahead) read(raw []byte) (more bool, f fault) {
	for a.seen < len(raw) && !a.ended {
		if a.chunks.state == chunkData {
			n := int(a.chunks.data(int64(min(len(raw)-a.seen, aheadAtOnce))))
			a.text = append(a.text, raw[a.seen:a.seen+n]...)
			a.seen += n
			return true, faultNone
		}
		n, _, f := a.chunks.line(raw[a.seen:])
		if f != faultNone || n == 0 {
			return more, f
		}
		more = true
		a.seen += n
		a.ended = a.chunks.state == chunkTrailers
	}
	return more, faultNone
}

// follow begins to follow the body behind a head, when that is all that rules
// want of it.
func (h *half) follow(head []byte) bool {
	h.parts = parts{}
	if h.framing == untilClose || h.hold.want&^wantParts != 0 || h.head.coded(head) {
		return false
	}
	_, whole := h.head.contentType(head)
	h.parts = parts{dash: []byte("--" + formtext.Boundary(whole)), lineStart: true}
	return true
}

// next finds the next delimiter in b. at is where it, or what may become one,
// begins, len(b) when there is none; sure that it is one.
func (p *parts) next(b []byte, all bool) (at, behind int, last, sure bool) {
	from := 0
	if p.blank > 0 {
		p.blank += blanks(b[p.blank:])
		switch end := p.blank; {
		case end == len(b):
			return 0, end, false, all
		case b[end] == '\n':
			return 0, end + 1, false, true
		}
		p.blank, from = 0, 1
	}
	for {
		i := bytes.Index(b[from:], p.dash)
		if i < 0 {
			break
		}
		at = from + i
		from = at + 1
		if at > 0 && b[at-1] != '\n' || at == 0 && !p.lineStart {
			continue
		}
		rest := b[at+len(p.dash):]
		line := bytes.IndexByte(rest, '\n')
		switch {
		case bytes.HasPrefix(rest, []byte("--")):
			return at, at + len(p.dash) + 2, true, true
		case line >= 0 && len(bytes.Trim(rest[:line], " \t\r")) == 0:
			return at, at + len(p.dash) + line + 1, false, true
		case line < 0 && all && len(bytes.Trim(rest, " \t\r")) == 0:
			return at, len(b), false, true
		case line < 0 && !all && (len(bytes.Trim(rest, " \t\r")) == 0 || string(rest) == "-"):
			if len(rest) > 0 && rest[0] != '-' {
				p.blank = len(b) - at
			}
			return at, 0, false, false
		}
	}
	if all {
		return len(b), 0, false, false
	}
	return max(0, len(b)-len(p.dash)), 0, false, false
}

// stepParts goes to the next part.
func (d *Decoder) stepParts() bool {
	t := &d.turn
	h := t.h
	p := &h.parts
	if p.ahead.may > 0 {
		return d.stepAhead()
	}
	b, more := t.rest(), false
	all := int64(len(b)) >= h.left
	switch {
	case h.framing == byChunks:
		var f fault
		if more, f = p.ahead.read(b); f != faultNone {
			return d.giveUp(f, b[p.ahead.seen:])
		}
		b, all = p.ahead.text, p.ahead.ended
	case all:
		b = b[:h.left]
	}
	if p.from == 0 {
		return d.stepDelimiter(b, all, more)
	}
	h.looked += len(b) - p.from
	end := p.fieldsEnd(b)
	switch {
	case end < 0 && all:
		end = len(b)
	case end < 0 && len(b) > d.o.MaxHead:
		return d.giveUp(faultHeadLong, b)
	case end < 0:
		return more
	}
	p.from, p.line, p.blank = 0, 0, 0
	return d.latePart(b[:end:end], all && end == len(b))
}

// stepDelimiter goes to the next delimiter in b, with which the body ends if all;
// more may be there to be gathered.
func (d *Decoder) stepDelimiter(b []byte, all, more bool) bool {
	h := d.turn.h
	p := &h.parts
	h.looked += len(b) - p.blank
	at, behind, last, sure := p.next(b, all)
	switch {
	case sure && last:
		p.complete = true
		if all && behind == len(b) && !d.lateWhole(b) {
			return d.going()
		}
		d.passPart(b[:behind]) // and on: some servers do not stop there
		return true
	case sure:
		d.passPart(b[:at])
		p.from, p.line = behind-at, behind-at
		return true
	case all:
		if end := len(b) - len(p.dash); end > 0 { // as much as has passed where it comes in pieces
			d.passPart(b[:end])
			if b = b[end:]; h.framing == byChunks {
				b = p.ahead.text // which has moved to its front
			}
		}
		if !d.lateWhole(b) {
			return d.going()
		}
		d.passPart(b)
		if h.mode = inLength; h.framing == byChunks {
			h.mode = inChunks
		}
		return true
	case len(b)-at > d.o.MaxHead:
		return d.giveUp(faultHeadLong, b[at:])
	}
	blank := p.blank
	d.passPart(b[:at])
	p.blank = blank
	return more || p.ahead.may > 0
}

// stepAhead has data of a chunked body pass that may, or the line in front of it.
func (d *Decoder) stepAhead() bool {
	t := &d.turn
	h := t.h
	a := &h.parts.ahead
	if h.chunks.state != chunkData {
		before := t.pos
		going := d.stepChunks()
		a.seen -= t.pos - before
		return going
	}
	n := int(h.chunks.data(int64(a.may)))
	a.may -= n
	a.seen -= n
	d.consume(n, false)
	return true
}

// fieldsEnd returns what lies behind the empty line that ends the fields of a
// part, -1 when it is not there yet.
func (p *parts) fieldsEnd(b []byte) int {
	for {
		i := bytes.IndexByte(b[p.from:], '\n')
		if i < 0 {
			p.from = len(b)
			return -1
		}
		line := b[p.line : p.from+i]
		p.from += i + 1
		p.line = p.from
		if len(line) == 0 || string(line) == "\r" {
			return p.from
		}
	}
}

// blanks is how many blanks b begins with.
func blanks(b []byte) int {
	return len(b) - len(bytes.TrimLeft(b, " \t\r"))
}

// passPart releases bytes of the body.
func (d *Decoder) passPart(b []byte) {
	if len(b) == 0 {
		return
	}
	h := d.turn.h
	h.parts.lineStart = b[len(b)-1] == '\n'
	h.parts.blank, h.parts.from, h.parts.line = 0, 0, 0
	if h.framing == byChunks {
		a := &h.parts.ahead
		a.may += len(b)
		a.text = a.text[:copy(a.text, a.text[len(b):])]
		return
	}
	h.left -= int64(len(b))
	d.consume(len(b), false)
}

// latePart shows the fields of a part, b with the delimiter, and does what the
// rules say; last: the body ends with them.
func (d *Decoder) latePart(b []byte, last bool) bool {
	p := &d.turn.h.parts
	text := string(b)
	if namedTwice(text, string(p.dash[2:])) {
		return d.giveUp(faultPart, b)
	}
	passes := d.lateAsk(b, func() {
		m := formtext.Parts(text, string(p.dash[2:]), maxParts, func(one formtext.Part) bool {
			d.showPart(text, one, p.index, 0)
			p.index++
			return !d.plan.ended()
		})
		p.complete = p.complete || m.Complete
	})
	if !passes || last && !d.lateWhole(b) {
		return d.going()
	}
	d.passPart(b)
	return true
}

// going says whether the session goes on, be it to its end.
func (d *Decoder) going() bool { return d.turn.v.End == session.Continue }

// lateWhole shows the body as a whole, whose last bytes are b, and does what the
// rules say. It says whether they pass.
func (d *Decoder) lateWhole(b []byte) bool {
	h := d.turn.h
	p := &h.parts
	if p.told || h.want&wantMultipart == 0 {
		return true
	}
	p.told = true
	return d.lateAsk(b, func() {
		d.showWhole(string(b), string(p.dash[2:]), 0, &formtext.Multipart{Parts: p.index, Complete: p.complete})
	})
}

// lateAsk shows something of a body that passes, which stands in b, and says
// whether b passes, too, by what the rules say.
func (d *Decoder) lateAsk(b []byte, show func()) (passes bool) {
	t := &d.turn
	d.vars.begin(t.h.late.head, false)
	d.begin(b, false)
	d.msg.Continues, d.msg.Sent = t.h.late.continues, true
	show()
	d.flush()
	o := d.finish()
	t.h.late.continues = true
	switch {
	case o.kind == wasReset:
		t.v.End = session.Reset
		return false
	case o.kind == broken:
		d.giveUp(o.fault, b)
		return false
	case o.kind != forwarded && o.late != protocol.LatePass:
		if o.late == protocol.LateSpoil {
			o.late = protocol.LateClose // neither a length nor what is within a chunk can be made invalid
		}
		d.lateEnd(o, 0)
		return false
	}
	return true
}
