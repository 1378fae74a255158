package http

// tokenTable holds the tchar of RFC 9110 section 5.6.2.
var tokenTable = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

func isToken[T string | []byte](b T) bool {
	for i := range len(b) {
		if !tokenTable[b[i]] {
			return false
		}
	}
	return len(b) > 0
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// equalFold says whether b is want, which is in lower case, but for the case of
// ASCII letters.
func equalFold[T string | []byte](b T, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i := range len(b) {
		if lower(b[i]) != want[i] {
			return false
		}
	}
	return true
}

// trim narrows [start,end) of b by the blanks on both sides.
func trim(b []byte, start, end int) (int, int) {
	for start < end && isBlank(b[start]) {
		start++
	}
	for start < end && isBlank(b[end-1]) {
		end--
	}
	return start, end
}

// listHas says whether the comma-separated list has the token want.
func listHas(list []byte, want string) bool {
	for start := 0; start <= len(list); {
		end := start
		for end < len(list) && list[end] != ',' {
			end++
		}
		s, e := trim(list, start, end)
		if equalFold(list[s:e], want) {
			return true
		}
		start = end + 1
	}
	return false
}

// decimal reads 1*DIGIT; ok is false for anything else and past 2^62.
func decimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > (1<<62)/10-1 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// hexadecimal reads 1*HEXDIG; ok is false for anything else and past 2^60.
func hexadecimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		var v byte
		switch c := lower(c); {
		case '0' <= c && c <= '9':
			v = c - '0'
		case 'a' <= c && c <= 'f':
			v = c - 'a' + 10
		default:
			return 0, false
		}
		if n >= 1<<56 {
			return 0, false
		}
		n = n<<4 | int64(v)
	}
	return n, len(b) > 0
}
