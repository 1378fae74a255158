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
	Bytes   int  // how many Text stands for
	Break   bool // a line of the text ends behind it
}

// Bounds of what is shown of one side. The bytes come from attackers, who must
// not be able to make a page long or slow.
const (
	MaxBytes  = 1024
	maxPieces = 200
	lead      = 128 // bytes shown ahead of a difference that comes late
)

// Side is what is shown of one side of a correction.
type Side struct {
	Pieces  []Piece
	Skipped int // bytes ahead of the first piece, the same on both sides
	Rest    int // bytes behind the last piece
}

// Pair returns both sides of a correction with what differs marked: all that
// lies between the common beginning and the common end.
func Pair(before, after []byte) (b, a Side) {
	head := commonPrefix(before, after)
	tail := commonSuffix(before[head:], after[head:])
	return side(before, head, tail), side(after, head, tail)
}

// One returns bytes that are not compared with others; changed marks them all.
func One(data []byte, changed bool) Side {
	if changed {
		return side(data, 0, 0)
	}
	return side(data, len(data), 0)
}

func side(data []byte, head, tail int) Side {
	var s Side
	if head > 2*lead && head < len(data) {
		s.Skipped = head - lead
	}
	end := min(len(data), s.Skipped+MaxBytes)
	cut := func(from, to int) []byte { return data[min(from, end):min(to, end)] }
	s.Pieces = pieces(s.Pieces, cut(s.Skipped, head), false)
	s.Pieces = pieces(s.Pieces, cut(head, len(data)-tail), true)
	s.Pieces = pieces(s.Pieces, cut(len(data)-tail, len(data)), false)
	s.Rest = len(data) - s.Skipped
	for _, p := range s.Pieces {
		s.Rest -= p.Bytes
	}
	return s
}

func pieces(to []Piece, data []byte, changed bool) []Piece {
	for len(data) > 0 && len(to) < maxPieces {
		n := printable(data)
		if n > 0 {
			to = append(to, Piece{Text: string(data[:n]), Changed: changed, Bytes: n})
		} else {
			n = bytes.IndexFunc(data, isPrintable)
			if n < 0 {
				n = len(data)
			}
			if nl := bytes.IndexByte(data[:n], '\n'); nl >= 0 {
				n = nl + 1
			}
			to = append(to, Piece{Text: escape(data[:n]), Escape: true, Changed: changed, Bytes: n, Break: data[n-1] == '\n'})
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
