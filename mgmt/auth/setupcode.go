package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
)

// Crockford's base 32: no letters that look like digits, since the code is
// read from one screen and typed into another.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const codeLength = 16 // characters, 80 bits

// newCode returns a random set-up code, as "7YQ2-K3MD-XW0P-9RTA".
func newCode() string {
	b := make([]byte, codeLength)
	rand.Read(b)
	var s strings.Builder
	for i, v := range b {
		if i > 0 && i%4 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(codeAlphabet[v%32])
	}
	return s.String()
}

// normalCode undoes what a typist may have changed.
func normalCode(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', ' ', '\t', '\r', '\n':
			return -1
		case 'o', 'O':
			return '0'
		case 'i', 'I', 'l', 'L':
			return '1'
		}
		return r
	}, strings.ToUpper(s))
}

func validCode(s string) bool {
	n := normalCode(s)
	return len(n) == codeLength && strings.Trim(n, codeAlphabet) == ""
}

func sameCode(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(normalCode(got)), []byte(normalCode(want))) == 1
}
