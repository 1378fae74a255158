package http

import (
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/jsonvalue"
	"wirepatch/dataplane/session"
)

// editsFor returns the edits that carry a correction within the message out, or
// why it cannot be done in valid form.
func (p *plan) editsFor(c *protocol.Correction) (edits []edit, note string) {
	at, e := p.place(c), p.element(c)
	if at.kind == wantHeader && p.framing(at) && !p.onlyTells(c, at) {
		return nil, "refused: the field frames the message"
	}
	switch c.Action {
	case protocol.Remove:
		return p.remove(at, e)
	case protocol.Insert:
		return p.put(at, e, c.Insert)
	case protocol.Move:
		return p.move(at, e, c.First)
	}
	f := e.Field(c.Field)
	if f == nil {
		return nil, "refused: the element has no such field"
	}
	if at.kind == wantPart && (f.Name == "key" || f.Name == "filename") {
		return p.rename(e, f.Name, c.Value)
	}
	text, span, note := p.encode(at, e, f, c.Value)
	if note != "" {
		return nil, note
	}
	edits = change(span, text)
	if at.kind == wantXML && f.Name == "key" && at.end.Start >= 0 {
		edits = append(edits, change(at.end, text)...)
	}
	return edits, ""
}

func change(s protocol.Span, with string) []edit {
	return []edit{{Edit: session.Edit{Start: s.Start, End: s.End, With: []byte(with)}}}
}

// remove takes an element out.
func (p *plan) remove(at *place, e *protocol.Element) ([]edit, string) {
	switch at.kind {
	case wantLine:
		return nil, "refused: a message has no meaning without its first line"
	case wantDocument, wantMultipart, wantChunk:
		return nil, "refused: the element cannot be taken out of the message"
	case wantJSON:
		if jsonvalue.Alone(e, &at.items.Items[at.index]) {
			return nil, "refused: the element is the whole text"
		}
	}
	edits := change(e.Span, "")
	edits[0].list, edits[0].item = at.items, at.index
	return edits, ""
}

// framing says whether a header element is one that frames the message.
func (p *plan) framing(at *place) bool {
	k := p.d.turn.h.head.fields[at.index].known
	return k == contentLength || k == transferEncoding
}

// onlyTells says whether a correction sets a Content-Length that frames nothing: the
// answer to HEAD, and 304 (Not Modified), say how long another answer would be.
func (p *plan) onlyTells(c *protocol.Correction, at *place) bool {
	h := p.d.turn.h
	if h.dir != session.ToClient || h.framing != noBody || h.head.fields[at.index].known != contentLength || !p.answersHEAD() && h.head.status != 304 {
		return false
	}
	digits := strings.Trim(c.Value, "0123456789") == "" && c.Value != "" && len(c.Value) <= 18
	return c.Action == protocol.Set && c.Field == "value" && digits
}

// encode writes a field's new value as it has to stand in the message, and where.
func (p *plan) encode(at *place, e *protocol.Element, f *protocol.Field, value string) (text string, span protocol.Span, note string) {
	switch at.kind {
	case wantBody:
		return value, f.Span, ""
	case wantLine:
		return p.encodeLine(f, value)
	case wantHeader, wantTrailer, wantPartHeader:
		return encodeHeader(f, value)
	case wantChunk:
		return encodeChunk(f, value)
	case wantSegment:
		return encodeSegment(f, value)
	case wantParameter, wantForm:
		return encodePair(at, e, f, value)
	case wantCookie:
		return encodeCookie(e, f, value)
	case wantRange:
		return encodeRange(f, value)
	case wantPart:
		return encodePart(e, f, value)
	case wantJSON:
		return jsonvalue.Encode(e, f, value)
	case wantXML:
		return encodeXML(e, f, value)
	}
	return "", none, "refused: the field cannot be set"
}

const (
	notSettable = "refused: the field cannot be set"
	notClean    = "refused: a value must not hold CR, LF or NUL"
)

func encodeHeader(f *protocol.Field, value string) (string, protocol.Span, string) {
	k := knownName(value)
	switch {
	case !clean(value):
		return "", none, notClean
	case f.Name == "name" && (!isToken(value) || k == contentLength || k == transferEncoding):
		return "", none, "refused: not a name that a field can be given"
	case f.Name != "name" && f.Name != "value" || f.Span.Start < 0:
		return "", none, notSettable
	}
	return value, f.Span, ""
}

func encodeChunk(f *protocol.Field, value string) (string, protocol.Span, string) {
	switch {
	case !clean(value):
		return "", none, notClean
	case f.Name == "extension" && value != "" && value[0] != ';':
		return "", none, "refused: an extension begins with a semicolon"
	case f.Name != "extension" && f.Name != "line":
		return "", none, notSettable
	}
	return value, f.Span, ""
}

// encodeLine sets a field of the request or status line. What is set stands in
// the message as it is, so it must not end the target or the line.
func (p *plan) encodeLine(f *protocol.Field, value string) (string, protocol.Span, string) {
	h := &p.d.turn.h.head
	if !clean(value) {
		return "", none, notClean
	}
	switch f.Name {
	case "reason":
		switch {
		case h.statusSpan.Start < 0:
			return "", none, "refused: the message has no status"
		case f.Span.Start < 0:
			return " " + value, protocol.Span{Start: h.statusSpan.End, End: h.statusSpan.End}, ""
		}
		return value, f.Span, ""
	case "status":
		return p.encodeStatus(f, value)
	case "version":
		return p.encodeVersion(f, value)
	case "target", "path", "query":
	default:
		return "", none, notSettable
	}
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "", none, "refused: a target must not hold blanks or controls"
	case f.Name == "path" && strings.Contains(value, "?"):
		return "", none, "refused: a path must not hold a question mark"
	case f.Name == "query" && f.Span.Start < 0 && h.path.Start >= 0:
		return "?" + value, protocol.Span{Start: h.path.End, End: h.path.End}, ""
	case f.Span.Start < 0:
		return "", none, "refused: the target has no such part"
	case value == "" && f.Name != "query" && f.Span.Start == h.target.Start:
		return "", none, "refused: a target must not be empty"
	case f.Name == "path" && value != "" && value[0] != '/':
		return "", none, "refused: a path begins with a slash"
	}
	return value, f.Span, ""
}

// encodeStatus sets the status code, within those whose responses are framed alike.
func (p *plan) encodeStatus(f *protocol.Field, value string) (string, protocol.Span, string) {
	n, err := strconv.Atoi(value)
	if err != nil || len(value) != 3 || n < 200 || f.Span.Start < 0 {
		return "", none, "refused: not a final status code"
	}
	h := p.d.turn.h
	connect := p.d.queue.front().connect
	if bodyless(n) != bodyless(h.head.status) || h.head.status < 200 || connect && (n/100 == 2) != (h.head.status/100 == 2) {
		return "", none, "refused: the status would change whether a body follows"
	}
	return value, f.Span, ""
}

// encodeVersion sets the version. A server answers HTTP/1.0 without chunks, and so
// that its client can read it; the other way round it might not.
func (p *plan) encodeVersion(f *protocol.Field, value string) (string, protocol.Span, string) {
	h := p.d.turn.h
	switch {
	case f.Span.Start < 0 || value != "HTTP/1.0" && value != "HTTP/1.1":
		return "", none, "refused: not HTTP/1.0 or HTTP/1.1"
	case value == "HTTP/1.0" && h.framing == byChunks:
		return "", none, "refused: HTTP/1.0 has no chunks"
	case value == "HTTP/1.1" && h.dir == session.ToServer && h.head.minor == 0:
		return "", none, "refused: the client knows no HTTP/1.1"
	}
	return value, f.Span, ""
}
