package http

import (
	"bytes"

	"wirepatch/dataplane/protocol"
)

// parseStart parses the request or status line and returns where the next line
// begins.
func (h *head) parseStart(b []byte, request bool) int {
	line, end := h.cutLine(b, 0)
	h.start = line
	if request {
		h.parseRequestLine(b, end)
	} else {
		h.parseStatusLine(b, end)
	}
	return line.End
}

// version reads HTTP/1.x; a higher minor version reads as 1.1 (RFC 9110 section 2.5).
func (h *head) parseVersion(b []byte, s protocol.Span) {
	v := cut(b, s)
	if len(v) != 8 || string(v[:7]) != "HTTP/1." || v[7] < '0' || v[7] > '9' {
		h.fail(faultStartLine)
		return
	}
	h.version = s
	h.minor = min(int(v[7]-'0'), 1)
}

// parseRequestLine reads method SP target SP version. Where there are more
// blanks it notes the fault and takes the outermost words, as the servers do
// that accept it.
func (h *head) parseRequestLine(b []byte, end int) {
	first, last := bytes.IndexByte(b[:end], ' '), bytes.LastIndexByte(b[:end], ' ')
	if first <= 0 {
		h.fail(faultStartLine)
		return
	}
	if first == last {
		last = end // HTTP/0.9: no version
	}
	h.method = protocol.Span{Start: 0, End: first}
	if !isToken(b[:first]) {
		h.fail(faultStartLine)
	}
	h.parseVersion(b, protocol.Span{Start: min(last+1, end), End: end})
	h.target.Start, h.target.End = trim(b, first+1, last)
	if h.target.Start != first+1 || h.target.End != last || h.target.Start == h.target.End {
		h.fail(faultStartLine)
	}
	for _, c := range cut(b, h.target) {
		if c <= ' ' || c == 0x7f {
			h.fail(faultStartLine)
		}
	}
	h.parseTarget(b)
}

// parseTarget finds path and query in the forms of RFC 9112 section 3.2.
func (h *head) parseTarget(b []byte) {
	target := cut(b, h.target)
	start := 0
	if i := bytes.Index(target, []byte("://")); i > 0 && isScheme(target[:i]) {
		start = i + 3
		if j := bytes.IndexAny(target[start:], "/?"); j >= 0 {
			start += j
		} else {
			start = len(target)
		}
	}
	if start == 0 && string(cut(b, h.method)) == "CONNECT" && !bytes.HasPrefix(target, []byte("/")) {
		return // authority-form has no path; a server of resources takes any other for that of a resource
	}
	end := len(target)
	if i := bytes.IndexByte(target[start:], '?'); i >= 0 {
		end = start + i
		h.query = protocol.Span{Start: h.target.Start + end + 1, End: h.target.End}
	}
	h.path = protocol.Span{Start: h.target.Start + start, End: h.target.Start + end}
}

// isScheme says whether b is the scheme of a URI (RFC 3986 section 3.1). What is
// none belongs to the path, for servers that take a target as it comes.
func isScheme(b []byte) bool {
	for i, c := range b {
		letter := 'a' <= lower(c) && lower(c) <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return len(b) > 0
}

// tunnels says whether a request asks for a tunnel: a CONNECT whose target is no
// resource.
func (h *head) tunnels(b []byte) bool {
	return string(cut(b, h.method)) == "CONNECT" && h.path.Start < 0
}

// parseStatusLine reads version SP 3DIGIT [SP [reason]]; a missing blank behind
// the status is common and harmless.
func (h *head) parseStatusLine(b []byte, end int) {
	if end < 12 || b[8] != ' ' || end > 12 && b[12] != ' ' {
		h.fail(faultStartLine)
		return
	}
	h.parseVersion(b, protocol.Span{Start: 0, End: 8})
	h.statusSpan = protocol.Span{Start: 9, End: 12}
	n, ok := decimal(b[9:12])
	if !ok || n < 100 {
		h.fail(faultStartLine)
	}
	h.status = int(n)
	h.reason = protocol.Span{Start: min(13, end), End: end}
	if end == 12 {
		h.reason = none
	}
}
