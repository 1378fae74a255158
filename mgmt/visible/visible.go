// Package visible makes bytes that come from anywhere, attackers included,
// readable and harmless to read: what is not printable ASCII becomes an escape
// that is told apart from the same characters in the text.
package visible

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Piece is a run of bytes that are shown alike.
type Piece struct {
	Text    string
	Escape  bool // Text is the escape of bytes that cannot be printed
	Changed bool // the bytes differ between the two sides
	Break   bool // a line of the text ends behind it
}

// Pair returns the pieces of both sides of a correction, with what differs
// marked: all that lies between the common beginning and the common end.
func Pair(before, after []byte) (b, a []Piece) {
	head := commonPrefix(before, after)
	tail := commonSuffix(before[head:], after[head:])
	return mark(before, head, tail), mark(after, head, tail)
}

func mark(data []byte, head, tail int) []Piece {
	end := len(data) - tail
	p := pieces(nil, data[:head], false)
	p = pieces(p, data[head:end], true)
	return pieces(p, data[end:], false)
}

func pieces(to []Piece, data []byte, changed bool) []Piece {
	for len(data) > 0 {
		n := printable(data)
		if n > 0 {
			to = append(to, Piece{Text: string(data[:n]), Changed: changed})
		} else {
			n = bytes.IndexFunc(data, isPrintable)
			if n < 0 {
				n = len(data)
			}
			if nl := bytes.IndexByte(data[:n], '\n'); nl >= 0 {
				n = nl + 1
			}
			to = append(to, Piece{Text: escape(data[:n]), Escape: true, Changed: changed, Break: data[n-1] == '\n'})
		}
		data = data[n:]
	}
	return to
}

func isPrintable(r rune) bool { return r >= ' ' && r <= '~' }

// printable counts the printable bytes at the beginning of data.
func printable(data []byte) int {
	for i, c := range data {
		if !isPrintable(rune(c)) {
			return i
		}
	}
	return len(data)
}

var short = map[byte]string{'\r': `\r`, '\n': `\n`, '\t': `\t`}

func escape(data []byte) string {
	var s strings.Builder
	for _, c := range data {
		if e := short[c]; e != "" {
			s.WriteString(e)
		} else {
			fmt.Fprintf(&s, `\x%02x`, c)
		}
	}
	return s.String()
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// Line makes one line of text fit to be shown: control characters, invisible
// ones and those that turn the direction of writing become escapes.
func Line(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }
