// Package formtext finds the parts of what forms send: the pairs of a query or
// of application/x-www-form-urlencoded, cookies, and the parts of
// multipart/form-data (RFC 7578). It gives places in a text and never copies
// content. Decoders use it; it knows nothing of what carries the text.
package formtext

import "strings"

// Span is a range of the text.
type Span struct{ Start, End int }

// Cut returns what a span covers, "" when its Start is negative.
func (s Span) Cut(text string) string {
	if s.Start < 0 {
		return ""
	}
	return text[s.Start:s.End]
}

// Pair is one name and value of a list, as it is written. Value.Start < 0: there
// is no equals sign.
type Pair struct{ All, Key, Value Span }

// Pairs splits a query or an urlencoded form at each ampersand. Empty pairs are
// left out, for no server makes anything of them.
func Pairs(text string, yield func(Pair) bool) {
	each(text, '&', func(s Span) bool {
		return s.Start == s.End || yield(pair(text, s))
	})
}

// Cookies splits the value of a Cookie field at each semicolon, without blanks
// around the pairs.
func Cookies(text string, yield func(Pair) bool) {
	each(text, ';', func(s Span) bool {
		s = trim(text, s)
		return s.Start == s.End || yield(pair(text, s))
	})
}

func each(text string, sep byte, yield func(Span) bool) {
	for start := 0; start <= len(text); {
		end := len(text)
		if i := strings.IndexByte(text[start:], sep); i >= 0 {
			end = start + i
		}
		if !yield(Span{start, end}) {
			return
		}
		start = end + 1
	}
}

func pair(text string, s Span) Pair {
	p := Pair{All: s, Key: s, Value: Span{-1, -1}}
	if i := strings.IndexByte(text[s.Start:s.End], '='); i >= 0 {
		p.Key.End = s.Start + i
		p.Value = Span{s.Start + i + 1, s.End}
	}
	return p
}

func trim(text string, s Span) Span {
	for s.Start < s.End && blank(text[s.Start]) {
		s.Start++
	}
	for s.Start < s.End && blank(text[s.End-1]) {
		s.End--
	}
	return s
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
