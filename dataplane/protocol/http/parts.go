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
}

// follow begins to follow the body behind a head, when that is all that rules
// want of it.
func (h *half) follow(head []byte) bool {
	h.parts = parts{}
	if h.framing != byLength || h.hold.want == 0 || h.hold.want&^wantParts != 0 || h.head.coding(head) != identity {
		return false
	}
	_, whole := h.head.contentType(head)
	h.parts = parts{dash: []byte("--" + formtext.Boundary(whole)), lineStart: true}
	return true
}

// next finds the next delimiter in b. at is where it, or what may become one,
// begins, len(b) when there is none; sure that it is one.
func (p *parts) next(b []byte, all bool) (at, behind int, last, sure bool) {
	for from := 0; ; {
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
	at, behind, last, sure := h.parts.next(b, all)
	if !sure {
		if len(b)-at > d.o.MaxHead {
			return d.giveUp(faultHeadLong, b[at:])
		}
		d.passPart(b[:at])
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
	end := headersEnd(b, behind)
	switch {
	case end < 0 && all:
		end = len(b)
	case end < 0 && len(b)-at > d.o.MaxHead:
		return d.giveUp(faultHeadLong, b[at:])
	case end < 0:
		d.passPart(b[:at])
		if t.eof {
			d.passPart(b[at:])
		}
		return false
	}
	d.passPart(b[:at])
	return d.latePart(end - at)
}

// headersEnd returns what lies behind the empty line that ends the fields at
// from, -1 when it is not there yet.
func headersEnd(b []byte, from int) int {
	for at := from; at < len(b); {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			break
		}
		if line := b[at : at+i]; len(line) == 0 || string(line) == "\r" {
			return at + i + 1
		}
		at += i + 1
	}
	return -1
}

// passPart releases bytes of the body.
func (d *Decoder) passPart(b []byte) {
	if len(b) == 0 {
		return
	}
	h := d.turn.h
	h.parts.lineStart = b[len(b)-1] == '\n'
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
