package smtp

import "wirepatch/dataplane/protocol/dialogue"

// place is where in a mail the last byte has led: what the next ones mean.
//
//	lineStart  behind CR LF, or at the beginning
//	inLine     within a line
//	afterCR    behind a CR
//	afterLF    behind an LF without CR
//	dot        behind a dot at the start of a line
//	dotCR      behind that and a CR: with LF this is the end
//	oddDot     behind a dot that follows a bare CR or LF
type place uint8

const (
	lineStart place = iota
	inLine
	afterCR
	afterLF
	dot
	dotCR
	oddDot
)

// next returns where one byte leads. end: it ends the mail. odd: some servers
// take it for the end of the mail, and others do not.
func (p place) next(b byte) (to place, end, odd bool) {
	switch {
	case p == dotCR && b == '\n':
		return lineStart, true, false
	case p == dotCR, p == dot && b == '\n', p == oddDot && (b == '\r' || b == '\n'):
		return p, false, true
	case p == dot && b == '\r':
		return dotCR, false, false
	case p == afterCR && b == '\n':
		return lineStart, false, false
	case b == '\r':
		return afterCR, false, false
	case b == '\n':
		return afterLF, false, false
	case b == '.' && p == lineStart:
		return dot, false, false
	case b == '.' && (p == afterCR || p == afterLF):
		return oddDot, false, false
	}
	return inLine, false, false
}

const oddEnd = "an end of the mail that servers read differently"

// stream takes a mail, or the rest of one, as it comes. It is at the start of a
// line when it begins.
func (c *codec) stream(data []byte) dialogue.Step {
	s := dialogue.Step{Verb: dialogue.Message, Silent: true, Parts: true, Later: c.begun, Committed: true, Tag: part{next: body}}
	for i, b := range data {
		to, end, odd := c.place.next(b)
		switch {
		case odd && i == 0:
			return dialogue.Step{Verb: dialogue.Fault, Why: oddEnd}
		case odd:
			s.Size = i // the next turn begins with what is odd
			return s
		case end:
			s.Size, s.Silent, s.Parts, s.Tag = i+1, false, false, part{next: commands}
			c.place = lineStart
			return s
		}
		c.place = to
	}
	s.Size = len(data)
	return s
}
