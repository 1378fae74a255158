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

// Pair returns both sides of a correction with what differs marked.
func Pair(before, after []byte) (b, a Side) {
	inB, inA, head := changes(before, after)
	return side(before, inB, head), side(after, inA, head)
}

// One returns bytes that are not compared with others; changed marks them all.
func One(data []byte, changed bool) Side {
	in := make([]bool, len(data))
	if changed {
		fill(in)
	}
	return side(data, in, 0)
}

// side shows data, in which the bytes in are marked and the first head ones are
// not.
func side(data []byte, in []bool, head int) Side {
	var s Side
	if head > 2*lead && head < len(data) {
		s.Skipped = head - lead
	}
	at, end := s.Skipped, min(len(data), s.Skipped+MaxBytes)
	for at < end && len(s.Pieces) < maxPieces {
		n := 1
		for at+n < end && in[at+n] == in[at] {
			n++
		}
		p := firstPiece(data[at : at+n])
		p.Changed = in[at]
		s.Pieces = append(s.Pieces, p)
		at += p.Bytes
	}
	s.Rest = len(data) - at
	return s
}

// firstPiece takes the longest run at the beginning of data that is shown
// alike. data is not empty.
func firstPiece(data []byte) Piece {
	if n := printable(data); n > 0 {
		return Piece{Text: string(data[:n]), Bytes: n}
	}
	n := bytes.IndexFunc(data, isPrintable)
	if n < 0 {
		n = len(data)
	}
	if nl := bytes.IndexByte(data[:n], '\n'); nl >= 0 {
		n = nl + 1
	}
	return Piece{Text: escape(data[:n]), Escape: true, Bytes: n, Break: data[n-1] == '\n'}
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
