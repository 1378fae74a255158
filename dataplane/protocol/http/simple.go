package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

var _ session.Rester = (*Decoder)(nil)

// Stands implements session.Rester.
func (d *Decoder) Stands() (pending, ok bool) {
	if d.passing || d.inner != nil || d.last || d.ended != session.Continue || !d.synced || d.queue.n > 1 || !d.memory.Empty() {
		return false, false
	}
	for i := range d.halves {
		h := &d.halves[i]
		if h.mode != atHead || h.scan != (headScan{}) || h.ended || h.discard {
			return false, false
		}
	}
	e := d.queue.front()
	if e == nil {
		return false, true
	}
	return true, e.reply == nil && !e.head && !e.connect && !e.socket && !e.answered && !e.said100
}

// Answered implements session.Rester.
func (d *Decoder) Answered() {
	if d.queue.n > 0 {
		d.queue.pop()
	}
}

// Resume implements session.Rester: the request was a simple one (below).
func (d *Decoder) Resume(request []byte, left int64) {
	e := d.queue.push()
	if len(request) > 0 {
		d.queue.keep(e, request, "", "", true)
	}
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

// SimpleHeads is how rules' values are written in simple heads.
var SimpleHeads = protocol.Sight{
	Written: func(kind, name string) protocol.Writing { return written[[2]string{kind, name}] },
	Absent:  func(kind string) bool { return absent[kind] },
	Only:    func(kind, name string) []any { return only[[2]string{kind, name}] },
}

// written has the values that are runs of a simple head, by kind and field or,
// with an empty kind, by message variable. Who publishes a field whose value is
// made otherwise leaves it out here.
var written = map[[2]string]protocol.Writing{
	{"request.line", "method"}:        protocol.AsIs,
	{"request.line", "target"}:        protocol.AsIs,
	{"request.line", "path"}:          protocol.AsIs,
	{"request.line", "query"}:         protocol.AsIs,
	{"request.line", "version"}:       protocol.AsIs,
	{"request.line", "decoded"}:       protocol.Escaped,
	{"request.line", "size"}:          protocol.Octets,
	{"request.segment", "value"}:      protocol.Escaped,
	{"request.segment", "raw"}:        protocol.AsIs,
	{"request.segment", "index"}:      protocol.Octets,
	{"request.parameter", "key"}:      protocol.EscapedPlus,
	{"request.parameter", "value"}:    protocol.EscapedPlus,
	{"request.parameter", "raw"}:      protocol.AsIs,
	{"request.parameter", "index"}:    protocol.Octets,
	{"request.header", "name"}:        protocol.FieldName,
	{"request.header", "value"}:       protocol.AsIs,
	{"request.header", "raw"}:         protocol.AsIs,
	{"request.header", "size"}:        protocol.Octets,
	{"request.header", "index"}:       protocol.Octets,
	{"request.cookie", "key"}:         protocol.AsIs,
	{"request.cookie", "value"}:       protocol.AsIs,
	{"request.cookie", "raw"}:         protocol.AsIs,
	{"request.cookie", "index"}:       protocol.Octets,
	{"request.range", "value"}:        protocol.AsIs,
	{"request.range", "index"}:        protocol.Octets,
	{"response.line", "reason"}:       protocol.AsIs,
	{"response.line", "version"}:      protocol.AsIs,
	{"response.line", "status"}:       protocol.Status,
	{"response.line", "size"}:         protocol.Octets,
	{"response.header", "name"}:       protocol.FieldName,
	{"response.header", "value"}:      protocol.AsIs,
	{"response.header", "raw"}:        protocol.AsIs,
	{"response.header", "size"}:       protocol.Octets,
	{"response.header", "index"}:      protocol.Octets,
	{"response.cookie", "key"}:        protocol.AsIs,
	{"response.cookie", "value"}:      protocol.AsIs,
	{"response.cookie", "raw"}:        protocol.AsIs,
	{"response.cookie", "attributes"}: protocol.AsIs,
	{"", "request.method"}:            protocol.AsIs,
	{"", "request.target"}:            protocol.AsIs,
	{"", "request.path"}:              protocol.AsIs,
	{"", "request.decoded"}:           protocol.Escaped,
	{"", "request.query"}:             protocol.AsIs,
	{"", "request.version"}:           protocol.AsIs,
	{"", "request.content_type"}:      protocol.AsIs,
	{"", "request.headers"}:           protocol.Fields,
	{"", "request.parameters"}:        protocol.Pairs,
	{"", "request.header_count"}:      protocol.Octets,
	{"", "request.head_size"}:         protocol.Octets,
	{"", "response.reason"}:           protocol.AsIs,
	{"", "response.status"}:           protocol.Status,
	{"", "response.content_type"}:     protocol.AsIs,
	{"", "response.headers"}:          protocol.Fields,
	{"", "response.header_count"}:     protocol.Octets,
	{"", "response.head_size"}:        protocol.Octets,
}

// absent are the kinds that need a body of a request, or chunks.
var absent = map[string]bool{
	"request.body": true, "request.form": true, "request.multipart": true, "request.part": true, "request.part.header": true,
	"request.document": true, "request.json": true, "request.xml": true, "request.chunk": true, "request.trailer": true,
	"response.chunk": true, "response.trailer": true,
}

var only = map[[2]string][]any{
	{"request.line", "method"}:    {"GET"},
	{"request.line", "version"}:   {"HTTP/1.1"},
	{"request.header", "folded"}:  {false},
	{"response.line", "version"}:  {"HTTP/1.1"},
	{"response.header", "folded"}: {false},
	{"", "request.method"}:        {"GET"},
	{"", "request.version"}:       {"HTTP/1.1"},
	{"", "request.framing"}:       {"none"},
	{"", "request.fault"}:         {""},
	{"", "request.body"}:          {""},
	{"", "request.coding"}:        {""},
}
