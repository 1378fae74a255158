package jsontext

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted goes over a string; an escape that is none is an error once the string
// is over, for most readers refuse it and some do not.
func (s *scanner) quoted() *Error {
	start := s.at
	bad := ""
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			if bad != "" {
				return s.fail(bad)
			}
			return nil
		case c < ' ':
			bad = "control character in a string"
		case c == '\\':
			if !s.escape() {
				bad = "escape out of form"
			}
		}
	}
	s.at = len(s.text)
	return &Error{Offset: start, What: "string without an end"}
}

// escape goes over all but the last byte of an escape.
func (s *scanner) escape() bool {
	s.at++
	c := s.peek()
	if c != 'u' {
		return strings.IndexByte(`"\/bfnrt`, c) >= 0 && c != 0
	}
	for i := 1; i <= 4; i++ {
		if s.at+i >= len(s.text) || hex(s.text[s.at+i]) < 0 {
			return false
		}
	}
	s.at += 4
	return true
}

func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return -1
}

// number goes over all that looks like one and says whether it is in form.
func (s *scanner) number() bool {
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("+-.eE0123456789", s.text[s.at]) >= 0 {
		s.at++
	}
	return isNumber(s.text[start:s.at])
}

func isNumber(t string) bool {
	t = strings.TrimPrefix(t, "-")
	whole := digits(t)
	if whole == 0 || whole > 1 && t[0] == '0' {
		return false
	}
	t = t[whole:]
	if strings.HasPrefix(t, ".") {
		n := digits(t[1:])
		if n == 0 {
			return false
		}
		t = t[1+n:]
	}
	if t != "" && (t[0] == 'e' || t[0] == 'E') {
		if t = t[1:]; t != "" && (t[0] == '+' || t[0] == '-') {
			t = t[1:]
		}
		return t != "" && digits(t) == len(t)
	}
	return t == ""
}

func digits(t string) int {
	n := 0
	for n < len(t) && '0' <= t[n] && t[n] <= '9' {
		n++
	}
	return n
}

// word reads true, false or null.
func (s *scanner) word(key, keyEnd int32) *Error {
	for _, w := range []struct {
		text string
		t    Type
	}{{"true", Bool}, {"false", Bool}, {"null", Null}} {
		if strings.HasPrefix(s.text[s.at:], w.text) {
			i := s.add(w.t, key, keyEnd)
			s.at += len(w.text)
			s.vs[i].End = int32(s.at)
			return nil
		}
	}
	return s.fail("no value")
}

// Unquote returns the text of a string with its quotes. Escapes out of form
// stay as they are; half a surrogate pair becomes U+FFFD.
func Unquote(q string) string {
	q = strings.TrimPrefix(q, `"`)
	q = strings.TrimSuffix(q, `"`)
	if strings.IndexByte(q, '\\') < 0 {
		return q
	}
	out := make([]byte, 0, len(q))
	for i := 0; i < len(q); i++ {
		if q[i] != '\\' || i+1 == len(q) {
			out = append(out, q[i])
			continue
		}
		i++
		if j := strings.IndexByte(`"\/bfnrt`, q[i]); j >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[j])
			continue
		}
		r, n := unicodeEscape(q[i:])
		if n == 0 {
			out = append(out, '\\', q[i])
			continue
		}
		out = utf8.AppendRune(out, r)
		i += n - 1
	}
	return string(out)
}

// unicodeEscape reads uXXXX, or a pair of them with the backslash between, and
// how long it is; 0 when it is none.
func unicodeEscape(q string) (r rune, n int) {
	one := func(q string) rune {
		if len(q) < 5 || q[0] != 'u' {
			return -1
		}
		var r rune
		for i := 1; i < 5; i++ {
			h := hex(q[i])
			if h < 0 {
				return -1
			}
			r = r<<4 | h
		}
		return r
	}
	if r = one(q); r < 0 {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(q) > 6 && q[5] == '\\' {
		if both := utf16.DecodeRune(r, one(q[6:])); both != utf8.RuneError {
			return both, 11
		}
	}
	if utf16.IsSurrogate(r) {
		return utf8.RuneError, 5
	}
	return r, 5
}

// Quote writes s as a JSON string. Bytes that are no UTF-8 stay.
func Quote(s string) string {
	out := []byte{'"'}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, `\u00`...)
			out = append(out, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			out = append(out, c)
		}
	}
	return string(append(out, '"'))
}

// Valid says whether s is one JSON value.
func Valid(s string) bool { return json.Valid([]byte(s)) }
