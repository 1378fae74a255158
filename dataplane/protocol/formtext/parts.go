package formtext

import "strings"

// Part is one part of a multipart body. Places count from the start of the text.
type Part struct {
	All     Span // with the delimiter before it, up to the next delimiter
	Headers Span // all of its fields, without the empty line behind them
	Content Span
	Whole   bool // its end was found
}

// Multipart is what is around the parts.
type Multipart struct {
	Preamble, Epilogue Span
	Parts              int
	Complete           bool // the closing delimiter was found
	More               bool // there are more parts than were looked for
}

// Parts finds the parts of a multipart body. Delimiters begin a line; lines end
// in CRLF, and in a lone LF where a sender is sloppy, since parsers differ in
// whether they take it. What is delimited behind the closing delimiter counts as
// parts, too: PHP reads on there. maximum bounds how many are looked for.
func Parts(text, boundary string, maximum int, yield func(Part) bool) Multipart {
	m := Multipart{Epilogue: Span{len(text), len(text)}}
	at, behind, last := delimiter(text, boundary, 0)
	m.Preamble = Span{0, at}
	if at < 0 {
		m.Preamble.End = len(text)
		return m
	}
	for at >= 0 {
		if last {
			if !m.Complete {
				m.Complete, m.Epilogue.Start = true, behind
			}
			at, behind, last = delimiter(text, boundary, behind)
			continue
		}
		if m.Parts == maximum {
			m.More = true
			return m
		}
		next, nextBehind, nextLast := delimiter(text, boundary, behind)
		p := Part{All: Span{at, len(text)}, Whole: next >= 0}
		if p.Whole {
			p.All.End = next
		}
		p.Headers, p.Content = split(text, Span{behind, p.All.End})
		if p.Whole {
			p.Content.End -= lineEnd(text, p.Content)
		}
		m.Parts++
		if !yield(p) || next < 0 {
			return m
		}
		at, behind, last = next, nextBehind, nextLast
	}
	return m
}

// delimiter finds the next delimiter line at or behind from: where it begins,
// where the next line begins, and whether it is the closing one.
func delimiter(text, boundary string, from int) (at, behind int, last bool) {
	dash := "--" + boundary
	for from <= len(text) {
		i := strings.Index(text[from:], dash)
		if i < 0 {
			return -1, -1, false
		}
		at = from + i
		rest := text[at+len(dash):]
		last = strings.HasPrefix(rest, "--")
		if at == 0 || text[at-1] == '\n' {
			end := strings.IndexByte(rest, '\n')
			switch {
			case last && end < 0:
				return at, len(text), true
			case end >= 0 && (last || strings.Trim(rest[:end], " \t\r") == ""):
				return at, at + len(dash) + end + 1, last
			case end < 0 && strings.Trim(rest, " \t\r") == "":
				return at, len(text), false
			}
		}
		from = at + 1
	}
	return -1, -1, false
}

// split cuts what is between two delimiters at its first empty line: fields
// before it, content behind it. Without one there is no content.
func split(text string, s Span) (headers, content Span) {
	for at := s.Start; at < s.End; {
		i := strings.IndexByte(text[at:s.End], '\n')
		if i < 0 {
			break
		}
		if line := text[at : at+i]; line == "" || line == "\r" {
			return Span{s.Start, at}, Span{at + i + 1, s.End}
		}
		at += i + 1
	}
	return s, Span{s.End, s.End}
}

// lineEnd is the length of the line end that s ends in: it belongs to the
// delimiter behind it.
func lineEnd(text string, s Span) int {
	c := s.Cut(text)
	switch {
	case strings.HasSuffix(c, "\r\n"):
		return 2
	case strings.HasSuffix(c, "\n"):
		return 1
	}
	return 0
}

// Field is one header field of a part, as it is written. Name.End < 0: the line
// has no colon.
type Field struct {
	Line, Name, Value Span
	Folded            bool
}

// Fields finds the fields of a part's header block, folded lines with the field
// that they belong to.
func Fields(text string, block Span, yield func(Field) bool) {
	var f Field
	open := false
	for at := block.Start; at < block.End; {
		end := block.End
		if i := strings.IndexByte(text[at:block.End], '\n'); i >= 0 {
			end = at + i + 1
		}
		content := Span{at, end - lineEnd(text, Span{at, end})}
		if open && content.Start < content.End && blank(text[at]) {
			f.Line.End, f.Value.End, f.Folded = end, trim(text, content).End, true
			f.Value.End = max(f.Value.End, f.Value.Start)
		} else {
			if open && !yield(f) {
				return
			}
			f, open = field(text, Span{at, end}, content), true
		}
		at = end
	}
	if open {
		yield(f)
	}
}

func field(text string, line, content Span) Field {
	f := Field{Line: line, Name: Span{-1, -1}, Value: trim(text, content)}
	if i := strings.IndexByte(content.Cut(text), ':'); i >= 0 {
		f.Name = Span{content.Start, content.Start + i}
		f.Value = trim(text, Span{content.Start + i + 1, content.End})
	}
	return f
}
