package patch

// A guard is one necessary condition of a rule: unless one of its literals is
// there, the rule's condition cannot be true, so CEL need not be asked.
// Literals are compared without ASCII case, which is weaker than the condition
// and therefore safe.
type guard []literal

type literal struct {
	subject string // field or message variable
	isVar   bool
	exact   bool // the whole value, not a part of it
	text    string
}

// maxGuard bounds the alternatives of one guard; beyond, CEL is asked instead.
const maxGuard = 64

// minPart is the shortest literal worth searching for within a value.
const minPart = 2

// lowerASCII lowers A to Z and leaves every other byte as it is.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return string(appendLower(make([]byte, 0, len(s)), s))
		}
	}
	return s
}

func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}
