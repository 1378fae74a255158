package smtp

import (
	"bytes"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
)

// part is a part of a mail; next is the state behind it, loose whether a line of
// the header was no field.
type part struct {
	next  state
	loose bool
}

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
		return dialogue.Step{Verb: dialogue.Message, Size: len(data), Silent: true, Later: c.begun, Tag: part{next: commands}}
	case size == 0:
		return dialogue.Step{}
	}
	c.scanned = 0
	text := data[:size]
	s := dialogue.Step{Verb: dialogue.Message, Size: size, Silent: true, Parts: true, Later: c.begun, Committed: true}
	next, loose := c.state, c.loose
	switch {
	case string(text) == ".\r\n":
		s.Silent, s.Parts = false, false // this is what the server answers
		s.Tag = part{next: commands}
		return s
	case c.state == body:
		s.Elements = c.lines(s.Elements, text)
	case string(text) == "\r\n":
		next = body
	default:
		// For some servers a line that is no field ends the header, others go on to
		// the empty line: what comes until then is shown as both.
		fields, ok := headerElements(text)
		if loose = loose || !ok; c.wants("mail.header") {
			s.Elements = fields
		}
		if loose {
			s.Elements = c.lines(s.Elements, text)
		}
	}
	s.Tag = part{next, loose}
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
			if data[at] == '.' && at+1 == len(data) {
				c.scanned = at
				return 0, "" // a blank may follow, in front of which the server takes the dot away
			}
			if data[at] != '.' || !isBlank(data[at+1]) {
				return at, "" // the field does not go on
			}
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

// headerElements reads a header field with the lines that continue it; ok: it is
// one. Servers that end lines at a lone LF, too, see more fields in it.
func headerElements(text []byte) (es []protocol.Element, ok bool) {
	e, ok := headerElement(text, 0, len(text))
	if ok {
		es = append(es, e)
	}
	begins := func(i int) bool { return i < len(text) && text[i-1] == '\n' && !isBlank(text[i]) }
	for i := 1; i < len(text); i++ {
		if !begins(i) || i > 1 && text[i-2] == '\r' {
			continue
		}
		if rest := text[i:]; rest[0] == '\n' || bytes.HasPrefix(rest, []byte("\r\n")) {
			break // for them the header ends here
		}
		end := i + 1
		for end < len(text) && !begins(end) {
			end++
		}
		if e, is := headerElement(text, i, end); is {
			es = append(es, e)
		}
	}
	return es, ok
}

// headerElement reads the field in text from start to end; false: it is none.
func headerElement(text []byte, start, end int) (protocol.Element, bool) {
	from := start
	if text[from] == '.' {
		from++ // a server takes it away (RFC 5321 section 4.5.2)
	}
	colon := bytes.IndexByte(text[from:end], ':')
	if colon < 0 {
		return protocol.Element{}, false
	}
	colon += from
	nameEnd := colon
	for nameEnd > from && isBlank(text[nameEnd-1]) {
		nameEnd-- // an obsolete form (RFC 5322 section 4.5.3)
	}
	if nameEnd == from || bytes.ContainsAny(text[from:nameEnd], " \t\r\n") {
		return protocol.Element{}, false
	}
	first, last := colon+1, end
	for first < last && isBlank(text[first]) {
		first++
	}
	for last > first && (isBlank(text[last-1]) || text[last-1] == '\r' || text[last-1] == '\n') {
		last--
	}
	return protocol.Element{Kind: "mail.header", Span: protocol.Span{Start: start, End: end}, Fields: []protocol.Field{
		{Name: "name", Value: strings.ToLower(string(text[from:nameEnd])), Span: protocol.Span{Start: from, End: nameEnd}},
		{Name: "value", Value: unfold.Replace(string(text[first:last])), Span: protocol.Span{Start: first, End: last}},
	}}, true
}

// unfold takes the line ends out of a field, and the dots that stand behind them
// for the way alone.
var unfold = strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t", "\r\n. ", " ", "\r\n.\t", "\t")

// lines adds the lines of text, if rules want them.
func (c *codec) lines(es []protocol.Element, text []byte) []protocol.Element {
	if !c.wants("mail.line") {
		return es
	}
	at := 0
	for line := range bytes.SplitAfterSeq(text, []byte("\r\n")) {
		if len(line) > 0 {
			es = append(es, lineElement(line, at))
		}
		at += len(line)
	}
	return es
}

func lineElement(line []byte, at int) protocol.Element {
	content := bytes.TrimSuffix(line, []byte("\r\n"))
	return protocol.Element{Kind: "mail.line", Span: protocol.Span{Start: at, End: at + len(line)}, Fields: []protocol.Field{
		{Name: "text", Value: strings.TrimPrefix(string(content), "."), Span: protocol.Span{Start: at, End: at + len(content)}},
	}}
}
