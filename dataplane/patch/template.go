package patch

import (
	"strings"
)

// segment is a piece of a template: literal text, or a CEL expression.
type segment struct {
	text string
	expr bool
	at   int // offset of text in the template
}

// splitTemplate cuts a template into its pieces. ${ expression } is replaced by
// the expression's value, $${ is a literal ${. On a fault it returns the offset
// of the opening that has no end.
func splitTemplate(s string) (segments []segment, bad int, ok bool) {
	var lit strings.Builder
	start := 0
	flush := func() {
		if lit.Len() > 0 {
			segments = append(segments, segment{text: lit.String(), at: start})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			lit.WriteString("${")
			i += 3
		case strings.HasPrefix(s[i:], "${"):
			n := exprEnd(s[i+2:])
			if n < 0 {
				return nil, i, false
			}
			flush()
			segments = append(segments, segment{text: s[i+2 : i+2+n], expr: true, at: i + 2})
			i += 2 + n + 1
			start = i
		default:
			lit.WriteByte(s[i])
			i++
		}
	}
	flush()
	return segments, 0, true
}

// exprEnd returns the offset of the brace that closes a CEL expression, which
// is not one inside a string or of a map; -1 when there is none.
func exprEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		case '"', '\'':
			n := quotedLen(s[i:], i > 0 && (s[i-1] == 'r' || s[i-1] == 'R'))
			if n < 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}

// quotedLen returns the length of the CEL string literal at the start of s,
// quotes included; -1 when it does not end.
func quotedLen(s string, raw bool) int {
	quote := s[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s, triple) {
		quote = triple
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\' && !raw:
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		}
	}
	return -1
}

// lineColumn turns an offset into a 1-based line and column (in bytes).
func lineColumn(s string, offset int) (line, column int) {
	before := s[:offset]
	line = 1 + strings.Count(before, "\n")
	return line, offset - strings.LastIndexByte(before, '\n')
}
