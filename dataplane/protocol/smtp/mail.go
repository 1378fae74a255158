package smtp

import (
	"bytes"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
)

// part is a part of a mail; next is the state behind it.
type part struct{ next state }

// maxMailLine bounds a line, or a header field with its folds, in bytes.
const maxMailLine = 48 << 10

// mail takes the next part of a mail: a header field, a line, or its end, a dot
// alone on a line. What no rule asks for is taken as it comes, whole or not.
func (c *codec) mail(data []byte, eof bool) dialogue.Step {
	if !c.wants("mail.line") && (c.state == body || !c.wants("mail.header")) {
		return c.stream(data)
	}
	size, bad := c.unit(data)
	switch {
	case bad != "":
		return dialogue.Step{Verb: dialogue.Fault, Why: bad}
	case size == 0 && len(data) > maxMailLine:
		return dialogue.Step{Verb: dialogue.Fault, Why: "a line of a mail is longer than the limit"}
	case size == 0 && eof:
		// An unfinished mail, which no server takes.
		return dialogue.Step{Verb: dialogue.Message, Size: len(data), Silent: true, Later: c.begun, Tag: part{commands}}
	case size == 0:
		return dialogue.Step{}
	}
	c.scanned = 0
	text := data[:size]
	s := dialogue.Step{Verb: dialogue.Message, Size: size, Silent: true, Parts: true, Later: c.begun, Committed: true}
	next := c.state
	switch {
	case string(text) == ".\r\n":
		s.Silent, s.Parts = false, false // this is what the server answers
		s.Tag = part{commands}
		return s
	case c.state == header && string(text) == "\r\n":
		next = body
	case c.state == header:
		if e, ok := headerElement(text); !ok {
			next = body // a line that is no field ends the header
		} else if c.wants(e.Kind) {
			s.Elements = []protocol.Element{e}
		}
	}
	if next == body && c.wants("mail.line") && !bytes.Equal(text, []byte("\r\n")) {
		s.Elements = []protocol.Element{lineElement(text)}
	}
	s.Tag = part{next}
	return s
}

// unit returns how many bytes of a mail are taken next: a line, or a header field
// with the lines that continue it; 0: more must come, and what has been looked at
// is not looked at again. Only CR LF ends a line of a mail (RFC 5321 section
// 2.3.8). bad: what some servers take for the end of the mail, and others do not,
// which would let one smuggle a second mail in.
func (c *codec) unit(data []byte) (size int, bad string) {
	for at := c.scanned; at < len(data); at++ {
		if at > 0 && c.place == lineStart && !isBlank(data[at]) {
			return at, "" // the field does not go on
		}
		to, end, odd := c.place.next(data[at])
		if odd {
			return 0, oddEnd
		}
		if c.place = to; to != lineStart {
			continue
		}
		if size := at + 1; end || c.state == body || size == len("\r\n") {
			return size, ""
		}
	}
	c.scanned = len(data) // whether a field goes on is not known
	return 0, ""
}

func headerElement(text []byte) (protocol.Element, bool) {
	colon := bytes.IndexByte(text, ':')
	if colon <= 0 || bytes.ContainsAny(text[:colon], " \t\r\n") {
		return protocol.Element{}, false
	}
	from, end := colon+1, len(text)-2
	for from < end && isBlank(text[from]) {
		from++
	}
	for end > from && (isBlank(text[end-1]) || text[end-1] == '\r' || text[end-1] == '\n') {
		end--
	}
	value := string(text[from:end])
	if strings.Contains(value, "\r\n") {
		value = strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t").Replace(value)
	}
	return protocol.Element{Kind: "mail.header", Span: protocol.Span{Start: 0, End: len(text)}, Fields: []protocol.Field{
		{Name: "name", Value: strings.ToLower(string(text[:colon])), Span: protocol.Span{Start: 0, End: colon}},
		{Name: "value", Value: value, Span: protocol.Span{Start: from, End: end}},
	}}, true
}

func lineElement(text []byte) protocol.Element {
	end := len(text)
	if bytes.HasSuffix(text, []byte("\r\n")) {
		end -= 2
	}
	value := strings.TrimPrefix(string(text[:end]), ".")
	return protocol.Element{Kind: "mail.line", Span: protocol.Span{Start: 0, End: len(text)}, Fields: []protocol.Field{
		{Name: "text", Value: value, Span: protocol.Span{Start: 0, End: end}},
	}}
}
