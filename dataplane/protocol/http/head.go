package http

import (
	"bytes"

	"wirepatch/dataplane/protocol"
)

// known are the fields that the decoder itself must understand.
type known uint8

const (
	other known = iota
	contentLength
	transferEncoding
	connection
	expect
	contentType
	contentEncoding
)

// knownName returns which of the known fields a name is.
func knownName[T string | []byte](name T) known {
	switch {
	case len(name) == 14 && equalFold(name, "content-length"):
		return contentLength
	case len(name) == 17 && equalFold(name, "transfer-encoding"):
		return transferEncoding
	case len(name) == 10 && equalFold(name, "connection"):
		return connection
	case len(name) == 6 && equalFold(name, "expect"):
		return expect
	case len(name) == 12 && equalFold(name, "content-type"):
		return contentType
	case len(name) == 16 && equalFold(name, "content-encoding"):
		return contentEncoding
	}
	return other
}

// fieldLine is one header field; spans count from the start of the head.
type fieldLine struct {
	line   protocol.Span // whole, with folded lines and the line end
	name   protocol.Span
	value  protocol.Span // without the blanks around it
	known  known
	folded bool
}

// head is a parsed message head. It keeps offsets only, so that it outlives the
// bytes it was parsed from.
type head struct {
	size   int // with the empty line
	start  protocol.Span
	fields []fieldLine

	// Request line: method, target and within it path and query (Start < 0:
	// there is none). Status line: status, reason.
	method, target, path, query protocol.Span
	version, statusSpan, reason protocol.Span
	minor                       int
	status                      int

	fault   fault // the first that was found, one that is not sloppy before others
	lenient bool  // a lone LF or a folded line was read as RFC 9112 says
}

func (h *head) fail(f fault) {
	if h.fault == faultNone || h.fault.sloppy() && !f.sloppy() {
		h.fault = f
	}
}

var none = protocol.Span{Start: -1, End: -1}

func cut(b []byte, s protocol.Span) []byte {
	if s.Start < 0 {
		return nil
	}
	return b[s.Start:s.End]
}

// parseHead parses b, all of a head. It never gives up: on a fault it notes it
// and reads on as well as it can.
func parseHead(h *head, b []byte, request bool) {
	*h = head{size: len(b), fields: h.fields[:0],
		method: none, target: none, path: none, query: none, version: none, statusSpan: none, reason: none}
	if bytes.IndexByte(b, 0) >= 0 {
		h.fail(faultNUL)
	}
	next := h.parseStart(b, request)
	for next < len(b) {
		line, end := h.cutLine(b, next)
		if line.Start == end {
			break // the empty line
		}
		h.parseField(b, line, end)
		next = line.End
	}
	if h.lenient && request && speaksOfLength(b) {
		h.fail(faultLenientLength)
	}
}

// speaksOfLength says whether the name of a framing field occurs anywhere.
func speaksOfLength(b []byte) bool {
	low := bytes.ToLower(b)
	return bytes.Contains(low, []byte("content-length")) || bytes.Contains(low, []byte("transfer-encoding"))
}

// cutLine returns the line at from, with its end, and where its text ends.
func (h *head) cutLine(b []byte, from int) (line protocol.Span, end int) {
	line = protocol.Span{Start: from, End: len(b)}
	end = len(b)
	if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
		end = from + i
		line.End = end + 1
		if end > from && b[end-1] == '\r' {
			end--
		} else {
			h.lenient = true
		}
	}
	if bytes.IndexByte(b[from:end], '\r') >= 0 {
		h.fail(faultBareCR)
	}
	return line, end
}

func (h *head) parseField(b []byte, line protocol.Span, end int) {
	if isBlank(b[line.Start]) {
		h.parseFold(b, line, end)
		return
	}
	i := bytes.IndexByte(b[line.Start:end], ':')
	if i <= 0 {
		h.fail(faultNoColon)
		return
	}
	colon := line.Start + i
	_, nameEnd := trim(b, line.Start, colon)
	if nameEnd < colon {
		h.fail(faultBlankColon)
	}
	f := fieldLine{line: line, name: protocol.Span{Start: line.Start, End: nameEnd}}
	if !isToken(b[line.Start:nameEnd]) {
		h.fail(faultName)
	}
	f.value.Start, f.value.End = trim(b, colon+1, end)
	f.known = knownName(b[f.name.Start:f.name.End])
	if nameEnd < colon && (f.known == contentLength || f.known == transferEncoding) {
		h.fail(faultBlankLength)
	}
	h.fields = append(h.fields, f)
}

// parseFold takes a line that begins with a blank into the field before it.
func (h *head) parseFold(b []byte, line protocol.Span, end int) {
	start, end := trim(b, line.Start, end)
	if start == end || len(h.fields) == 0 {
		h.fail(faultBlankLine)
		return
	}
	f := &h.fields[len(h.fields)-1]
	if f.line.End != line.Start {
		h.fail(faultBlankLine) // the line before it was no field
		return
	}
	h.lenient = true
	f.folded = true
	f.line.End = line.End
	f.value.End = end
	if f.known == contentLength || f.known == transferEncoding {
		h.fail(faultLenientLength)
	}
}

// unfold returns a folded value with one blank for every fold (RFC 9112
// section 5.2).
func unfold(v []byte) []byte {
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] != '\n' && !(v[i] == '\r' && i+1 < len(v) && v[i+1] == '\n') {
			out = append(out, v[i])
			continue
		}
		for len(out) > 0 && isBlank(out[len(out)-1]) {
			out = out[:len(out)-1]
		}
		for i+1 < len(v) && (isBlank(v[i+1]) || v[i+1] == '\n' || v[i+1] == '\r') {
			i++
		}
		if len(out) > 0 {
			out = append(out, ' ')
		}
	}
	return out
}

// option says whether a Connection field has the option, which is in lower case.
func (h *head) option(b []byte, want string) bool {
	for i := range h.fields {
		if f := &h.fields[i]; f.known == connection && listHas(cut(b, f.value), want) {
			return true
		}
	}
	return false
}

// persistent says whether the connection lives on after the message
// (RFC 9112 section 9.3).
func (h *head) persistent(b []byte) bool {
	if h.option(b, "close") {
		return false
	}
	return h.minor > 0 || h.option(b, "keep-alive")
}

// expectsContinue says whether the client waits for a 100 (Continue) before it
// sends the body (RFC 9110 section 10.1.1).
func (h *head) expectsContinue(b []byte) bool {
	for i := range h.fields {
		if f := &h.fields[i]; f.known == expect && h.minor > 0 && equalFold(cut(b, f.value), "100-continue") {
			return true
		}
	}
	return false
}
