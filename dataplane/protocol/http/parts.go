package http

import (
	"bytes"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/session"
)

// parts follows a multipart body that is too long to be held: what stands
// between delimiters passes, the fields of each part are shown when they are
// there. Their length has been promised to the server, so they can be refused
// and not changed.
type parts struct {
	dash      []byte // what delimiters begin with; nil: the body is not followed
	lineStart bool   // the next byte begins a line
	index     int    // of the next part
	// What is waited for begins at the first byte that has not passed; what was
	// looked at of it is not looked at again, for it may come byte by byte.
	blank      int // a delimiter whose line does not end yet, and blanks up to here
	from, line int // the fields of a part, looked at up to from, in the line at line; 0: none
}

// follow begins to follow the body behind a head, when that is all that rules
// want of it.
func (h *half) follow(head []byte) bool {
	h.parts = parts{}
	if h.framing != byLength || h.hold.want == 0 || h.hold.want&^wantParts != 0 || h.head.coded(head) {
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
	b := t.rest()
	all := int64(len(b)) >= h.left
	if all {
		b = b[:h.left]
	}
	p, at := &h.parts, 0
	if p.from == 0 {
		h.looked += len(b) - p.blank
		var behind int
		var last, sure bool
		at, behind, last, sure = p.next(b, all)
		if !sure {
			if len(b)-at > d.o.MaxHead {
				return d.giveUp(faultHeadLong, b[at:])
			}
			blank := p.blank
			d.passPart(b[:at])
			p.blank = blank
			if all || t.eof {
				d.passPart(b[at:])
				h.mode = inLength
			}
			return all
		}
		if last {
			d.passPart(b[:behind]) // and on: some servers do not stop there
			return true
		}
		p.from, p.line = behind, behind
	}
	h.looked += len(b) - p.from
	end := p.fieldsEnd(b)
	switch {
	case end < 0 && all:
		end = len(b)
	case end < 0 && len(b)-at > d.o.MaxHead:
		return d.giveUp(faultHeadLong, b[at:])
	case end < 0:
		from, line := p.from-at, p.line-at
		d.passPart(b[:at])
		p.from, p.line = from, line
		if t.eof {
			d.passPart(b[at:])
		}
		return false
	}
	d.passPart(b[:at])
	p.from, p.line, p.blank = 0, 0, 0
	return d.latePart(end - at)
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
	h.left -= int64(len(b))
	d.consume(len(b), false)
}

// latePart shows the fields of a part, size bytes with the delimiter, and does
// what the rules say.
func (d *Decoder) latePart(size int) bool {
	t := &d.turn
	h := t.h
	b := t.rest()[:size:size]
	d.vars.begin(h.late.head, false)
	d.begin(b, false)
	d.msg.Continues, d.msg.Sent = h.late.continues, true
	text := string(b)
	if namedTwice(text, string(h.parts.dash[2:])) {
		return d.giveUp(faultPart, b)
	}
	formtext.Parts(text, string(h.parts.dash[2:]), maxParts, func(p formtext.Part) bool {
		d.showPart(text, p, h.parts.index, 0)
		h.parts.index++
		return !d.plan.ended()
	})
	d.flush()
	o := d.finish()
	h.late.continues = true
	switch {
	case o.kind == wasReset:
		t.v.End = session.Reset
		return false
	case o.kind != forwarded && o.late != protocol.LatePass:
		if o.late == protocol.LateSpoil {
			o.late = protocol.LateClose // a body of a length cannot be made invalid
		}
		return d.lateEnd(o, size)
	}
	d.passPart(b)
	return true
}
