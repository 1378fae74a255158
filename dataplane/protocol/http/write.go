package http

import (
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// editsFor returns the edits that carry a Remove or Set out, sorted, or why it
// cannot be done in valid form.
func (p *plan) editsFor(c *protocol.Correction) (edits []session.Edit, note string) {
	e := p.element(c)
	k := &kinds[p.m.Dir]
	switch {
	case e.Kind == k.body && c.Action == protocol.Remove:
		return p.setBody("")
	case e.Kind == k.body:
		return p.setBody(c.Value)
	case e.Kind == k.header && p.framing(e):
		return nil, "refused: the field frames the message"
	case e.Kind == k.header && c.Action == protocol.Remove:
		return []session.Edit{{Start: e.Span.Start, End: e.Span.End}}, ""
	case c.Action == protocol.Remove:
		return nil, "refused: a message has no meaning without its first line"
	}
	f := e.Field(c.Field)
	if f == nil {
		return nil, "refused: the element has no such field"
	}
	if !clean(c.Value) {
		return nil, "refused: a value must not hold CR, LF or NUL"
	}
	if e.Kind == k.header {
		return setHeader(f, c.Value)
	}
	return p.setLine(f, c.Value)
}

// framing says whether a header element is one that frames the message.
func (p *plan) framing(e *protocol.Element) bool {
	name, _ := e.Fields[0].Value.(string)
	k := knownName(name)
	return k == contentLength || k == transferEncoding
}

func replace(s protocol.Span, with string) []session.Edit {
	return []session.Edit{{Start: s.Start, End: s.End, With: []byte(with)}}
}

func setHeader(f *protocol.Field, value string) ([]session.Edit, string) {
	if f.Name == "name" {
		k := knownName(value)
		if !isToken(value) || k == contentLength || k == transferEncoding {
			return nil, "refused: not a name that a field can be given"
		}
	}
	return replace(f.Span, value), ""
}

// setLine sets a field of the request or status line. What is set stands in the
// message as it is, so it must not end the target or the line.
func (p *plan) setLine(f *protocol.Field, value string) ([]session.Edit, string) {
	h := &p.d.turn.h.head
	switch f.Name {
	case "reason":
		if h.statusSpan.Start < 0 {
			return nil, "refused: the message has no status"
		}
		if f.Span.Start < 0 {
			return replace(protocol.Span{Start: h.statusSpan.End, End: h.statusSpan.End}, " "+value), ""
		}
		return replace(f.Span, value), ""
	case "status":
		return p.setStatus(f, value)
	case "target", "path", "query":
	default:
		return nil, "refused: the field cannot be set"
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, "refused: a target must not hold blanks or controls"
	}
	switch {
	case f.Name == "path" && strings.Contains(value, "?"):
		return nil, "refused: a path must not hold a question mark"
	case f.Name == "query" && f.Span.Start < 0 && h.path.Start >= 0:
		return replace(protocol.Span{Start: h.path.End, End: h.path.End}, "?"+value), ""
	case f.Span.Start < 0:
		return nil, "refused: the target has no such part"
	case value == "" && f.Name != "query" && f.Span.Start == h.target.Start:
		return nil, "refused: a target must not be empty"
	case f.Name == "path" && value != "" && value[0] != '/':
		return nil, "refused: a path begins with a slash"
	}
	return replace(f.Span, value), ""
}

// setStatus sets the status code, within those whose responses are framed alike.
func (p *plan) setStatus(f *protocol.Field, value string) ([]session.Edit, string) {
	n, err := strconv.Atoi(value)
	if err != nil || len(value) != 3 || n < 200 || f.Span.Start < 0 {
		return nil, "refused: not a final status code"
	}
	h := p.d.turn.h
	connect := p.d.queue.front().connect
	if bodyless(n) != bodyless(h.head.status) || h.head.status < 200 || connect && (n/100 == 2) != (h.head.status/100 == 2) {
		return nil, "refused: the status would change whether a body follows"
	}
	return replace(f.Span, value), ""
}

// setBody gives the message other content and puts its framing right: the
// Content-Length, or one chunk in the place of all. Trailers stay.
func (p *plan) setBody(value string) ([]session.Edit, string) {
	h := p.d.turn.h
	s := &h.hold
	switch h.framing {
	case byChunks:
		chunk := ""
		if value != "" {
			chunk = strconv.FormatInt(int64(len(value)), 16) + "\r\n" + value + "\r\n"
		}
		return replace(protocol.Span{Start: s.raw.Start, End: s.last}, chunk), ""
	case byLength:
		var edits []session.Edit
		for i := range h.head.fields {
			if f := &h.head.fields[i]; f.known == contentLength {
				edits = append(edits, replace(f.value, strconv.Itoa(len(value)))...)
			}
		}
		return append(edits, replace(s.data, value)...), ""
	}
	return replace(s.data, value), ""
}
