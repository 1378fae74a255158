package dns

import (
	"errors"
	"strconv"
)

// Why a message cannot be read.
var (
	errShort   = errors.New("DNS message ends too early")
	errLabel   = errors.New("DNS name has a label of an unknown kind")
	errPointer = errors.New("DNS name has a pointer that does not lead back")
	errName    = errors.New("DNS name is longer than 255 octets")
	errLength  = errors.New("DNS record data has not the length that its fields need")
)

const (
	maxName     = 255 // octets of a name, written out (RFC 1035, 2.3.4)
	maxHops     = 127 // pointers of a name: it has no more labels
	headerLen   = 12
	pointerBits = 0xc0
)

// name reads the name at offset at of b: its text in lower case, with a dot
// behind each label; its length written out; and the offset behind it. A pointer
// must lead before the place where the run of labels that it ends began, so that
// no message makes names without end (RFC 1035, 4.1.4; RFC 9267, 2).
func name(b []byte, at int) (text string, full, end int, err error) {
	var out []byte
	end = -1
	limit := at // pointers must lead before it
	for hops := 0; ; {
		if at >= len(b) {
			return "", 0, 0, errShort
		}
		n := int(b[at])
		switch {
		case n&pointerBits == pointerBits:
			if at+2 > len(b) {
				return "", 0, 0, errShort
			}
			if end < 0 {
				end = at + 2
			}
			to := n&^pointerBits<<8 | int(b[at+1])
			if hops++; hops > maxHops || to >= limit || to < headerLen {
				return "", 0, 0, errPointer
			}
			at, limit = to, to
			continue
		case n&pointerBits != 0:
			return "", 0, 0, errLabel
		}
		full += n + 1
		if full > maxName {
			return "", 0, 0, errName
		}
		if n == 0 {
			if end < 0 {
				end = at + 1
			}
			if len(out) == 0 {
				out = append(out, '.')
			}
			return string(out), full, end, nil
		}
		if at+1+n > len(b) {
			return "", 0, 0, errShort
		}
		out = appendLabel(out, b[at+1:at+1+n])
		at += n + 1
	}
}

// appendLabel writes a label as zone files do: a dot, a backslash and what is
// not visible are escaped (RFC 1035, 5.1).
func appendLabel(out, label []byte) []byte {
	for _, c := range label {
		switch {
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case c == '.' || c == '\\':
			out = append(out, '\\', c)
		case c <= ' ' || c > '~':
			out = append(out, '\\')
			digits := strconv.Itoa(int(c))
			for range 3 - len(digits) {
				out = append(out, '0')
			}
			out = append(out, digits...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '.')
}
