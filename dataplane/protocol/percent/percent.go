// Package percent decodes and encodes percent-encoded text (RFC 3986 section
// 2.1) as servers do: what is no valid escape stays as it is. Decoders and the
// functions of definitions use it.
package percent

import "strings"

const upperHex = "0123456789ABCDEF"

// Decode decodes every valid escape once. plus: a plus sign is a blank, as in
// queries and forms.
func Decode(s string, plus bool) string {
	i := next(s, 0, plus)
	if i < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	done := 0
	for ; i >= 0; i = next(s, done, plus) {
		out = append(out, s[done:i]...)
		if s[i] == '+' {
			out, done = append(out, ' '), i+1
			continue
		}
		out, done = append(out, unhex(s[i+1])<<4|unhex(s[i+2])), i+3
	}
	return string(append(out, s[done:]...))
}

// next finds what is to be decoded at or behind from, -1 when there is nothing.
func next(s string, from int, plus bool) int {
	for i := from; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) || plus && s[i] == '+' {
			return i
		}
	}
	return -1
}

// maxRounds bounds DecodeAll; each round takes two bytes for each escape away.
const maxRounds = 16

// DecodeAll decodes until nothing changes: what somebody sees who decodes as
// often as there are layers. rounds is how often it had to.
func DecodeAll(s string) (text string, rounds int) {
	for rounds < maxRounds {
		d := Decode(s, false)
		if d == s {
			break
		}
		s = d
		rounds++
	}
	return s, rounds
}

// Encode encodes every byte that is not unreserved (RFC 3986 section 2.3) and
// not in keep.
func Encode(s, keep string) string {
	var out []byte
	for i := range len(s) {
		c := s[i]
		if unreserved(c) || strings.IndexByte(keep, c) >= 0 {
			out = append(out, c)
			continue
		}
		out = append(out, '%', upperHex[c>>4], upperHex[c&15])
	}
	return string(out)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
