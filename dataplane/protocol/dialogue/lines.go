package dialogue

import (
	"bytes"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
)

// Line is one line of a stream.
type Line struct {
	Size int // with its end
	Text int // without it
}

// NextLine finds the line that data begins with. A line ends with LF, a CR in
// front of it belongs to the end. At the end of the stream what is left is one,
// for some servers carry it out. ok is false when more bytes must come. bad says
// why servers could read the line differently.
func NextLine(data []byte, eof bool) (l Line, bad string, ok bool) {
	i := bytes.IndexByte(data, '\n')
	switch {
	case i >= 0:
		l = Line{i + 1, i}
	case eof:
		l = Line{len(data), len(data)}
	default:
		return l, "", false
	}
	if l.Text > 0 && data[l.Text-1] == '\r' {
		l.Text--
	}
	if j := bytes.IndexAny(data[:l.Text], "\r\x00"); j >= 0 {
		bad = "a carriage return or NUL within a line, which servers read differently"
	}
	return l, bad, true
}

// Answer is a reply of a protocol whose replies are three digits and a text, on
// one line or on several (RFC 959 section 4.2, RFC 5321 section 4.2).
type Answer struct {
	Size  int
	Code  int64
	Lines []protocol.Span // of the texts behind number and separator
	Whole []protocol.Span // of the lines
}

// Answers finds the replies of one session. The zero value is ready.
type Answers struct {
	Every bool // each line of a reply has the number (SMTP), not only the first and the last (FTP)

	// Of a reply that is not whole yet: what has been looked at of it, so that its
	// lines are not read again with each segment.
	size, lines int
	code        int64
}

// Next reads the reply that data begins with. ok is false when more bytes must
// come; then data begins with the same bytes the next time.
func (s *Answers) Next(data []byte, eof bool) (a Answer, bad string, ok bool) {
	resumed := s.size > 0
	if a, bad, ok = s.read(data, eof); !ok {
		return a, "", false
	}
	s.size, s.lines = 0, 0
	if resumed && bad == "" {
		a, bad, ok = s.read(data, eof) // now that it is whole, all of it
		s.size, s.lines = 0, 0
	}
	return a, bad, ok
}

// read reads on behind what has been looked at.
func (s *Answers) read(data []byte, eof bool) (a Answer, bad string, ok bool) {
	for {
		l, _, whole := NextLine(data[s.size:], eof)
		if !whole || l.Size == 0 {
			return a, "", false
		}
		line := data[s.size : s.size+l.Text]
		code, more, numbered := codeOf(line)
		first := s.lines == 0
		switch {
		case first && !numbered, s.Every && !first && !numbered:
			return a, "a reply without a number", true
		case first:
			s.code = code
		}
		text := protocol.Span{Start: s.size, End: s.size + l.Text}
		if numbered && code == s.code {
			text.Start = min(text.Start+4, text.End)
		}
		a.Lines = append(a.Lines, text)
		a.Whole = append(a.Whole, protocol.Span{Start: s.size, End: s.size + l.Size})
		s.size += l.Size
		s.lines++
		if numbered && code == s.code && !more {
			a.Size, a.Code = s.size, s.code
			return a, "", true
		}
		if s.lines > maxAnswer {
			return a, "a reply of too many lines", true
		}
	}
}

// maxAnswer bounds the lines of one reply.
const maxAnswer = 4096

// codeOf reads the number at the beginning of a line, and whether a hyphen behind
// it says that more lines follow.
func codeOf(line []byte) (code int64, more, ok bool) {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false, false
	}
	n, err := strconv.ParseUint(string(line[:3]), 10, 16)
	return int64(n), len(line) > 3 && line[3] == '-', err == nil && n >= 100
}

// AnswerElements publishes a reply: as one element, and its lines.
func AnswerElements(data []byte, a *Answer, wanted func(kind string) bool) []protocol.Element {
	var out []protocol.Element
	none := protocol.Span{Start: -1, End: -1}
	if wanted("reply") {
		var text []string
		for _, s := range a.Lines {
			text = append(text, string(data[s.Start:s.End]))
		}
		code, span := protocol.Span{Start: 0, End: 3}, a.Lines[0]
		if len(a.Lines) > 1 {
			code, span = none, none
		}
		out = append(out, protocol.Element{Kind: "reply", Span: protocol.Span{Start: 0, End: a.Size}, Fields: []protocol.Field{
			{Name: "code", Value: a.Code, Span: code}, {Name: "text", Value: strings.Join(text, "\n"), Span: span},
		}})
	}
	if wanted("reply.line") {
		for i, s := range a.Lines {
			out = append(out, protocol.Element{Kind: "reply.line", Span: a.Whole[i], Fields: []protocol.Field{
				{Name: "code", Value: a.Code, Span: none}, {Name: "text", Value: string(data[s.Start:s.End]), Span: s},
			}})
		}
	}
	return out
}

// AnswerText writes a reply of a number and a text, a line of the text on a line
// each.
func AnswerText(code int, text string) []byte {
	var b bytes.Buffer
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r", ""), "\n"), "\n")
	for i, l := range lines {
		separator := byte(' ')
		if i < len(lines)-1 {
			separator = '-'
		}
		b.WriteString(strconv.Itoa(code))
		b.WriteByte(separator)
		b.WriteString(l + "\r\n")
	}
	return b.Bytes()
}

// OneLine says whether a text can stand within a line.
func OneLine(s string) bool { return !strings.ContainsAny(s, "\r\n\x00") }
