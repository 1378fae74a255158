package http

import "wirepatch/dataplane/session"

var _ session.Rester = (*Decoder)(nil)

// Rests implements session.Rester.
func (d *Decoder) Rests() bool {
	if d.passing || d.ended != session.Continue || !d.synced || d.queue.n > 0 || !d.memory.Empty() {
		return false
	}
	for i := range d.halves {
		h := &d.halves[i]
		if h.mode != atHead || h.scan != (headScan{}) || h.ended || h.discard {
			return false
		}
	}
	return true
}

// Resume implements session.Rester: the request was a simple one (below).
func (d *Decoder) Resume(left int64) {
	d.queue.push()
	if left > 0 {
		h := &d.halves[session.ToClient]
		h.mode, h.left, h.final = inLength, left, true
	}
}

// A simple head is one that whoever looks at it without a decoder, as the
// program on the wire ports does (package port), reads as this one: lines end in
// CRLF, no line is folded, all bytes are ASCII and visible or a blank, fields
// have names that are tokens, and none of them is about the framing of a request
// or about leaving HTTP. The request is a GET, and so has no body; the response
// is a final one and tells its body's length.

// InSimpleHead says whether the value of an element's field, or with an empty
// kind of a message variable, is a run of the bytes of a simple head, apart from
// ASCII case: where rules look for a text there, they look for it in the head.
// Who publishes a field whose value is made otherwise leaves it out here.
func InSimpleHead(kind, name string) bool { return inSimpleHead[[2]string{kind, name}] }

var inSimpleHead = map[[2]string]bool{
	{"request.line", "method"}:   true,
	{"request.line", "target"}:   true,
	{"request.line", "path"}:     true,
	{"request.line", "query"}:    true,
	{"request.line", "version"}:  true,
	{"request.header", "name"}:   true,
	{"request.header", "value"}:  true,
	{"response.line", "reason"}:  true,
	{"response.line", "version"}: true,
	{"response.header", "name"}:  true,
	{"response.header", "value"}: true,
	{"", "request.method"}:       true,
	{"", "request.target"}:       true,
	{"", "request.path"}:         true,
	{"", "request.query"}:        true,
	{"", "request.version"}:      true,
	{"", "response.reason"}:      true,
}
