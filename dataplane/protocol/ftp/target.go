package ftp

import (
	"net/netip"
	"strconv"
	"strings"
)

// target is what a command asks the server to connect to: "" and 0 when it asks
// for nothing, or not in form.
func (c *codec) target(cmd command) (address string, port int64) {
	switch cmd.name {
	case "port":
		return commaTarget(cmd.argument)
	case "eprt":
		return delimitedTarget(strings.TrimSpace(cmd.argument))
	}
	return "", 0
}

// commaTarget reads h1,h2,h3,h4,p1,p2 (RFC 959 section 4.1.2), the first such
// numbers in the text. Numbers may have leading zeros and blanks, which servers
// take as decimal.
func commaTarget(s string) (address string, port int64) {
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	for {
		i := strings.IndexFunc(s, digit)
		if i < 0 {
			return "", 0
		}
		s = s[i:]
		end := strings.IndexFunc(s, func(r rune) bool { return !digit(r) && r != ',' && r != ' ' })
		if end < 0 {
			end = len(s)
		}
		if a, p, ok := sixNumbers(s[:end]); ok {
			return a, p
		}
		s = s[end:]
	}
}

func sixNumbers(s string) (address string, port int64, ok bool) {
	parts := strings.Split(s, ",")
	if len(parts) != 6 {
		return "", 0, false
	}
	var b [6]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(strings.TrimSpace(p), 10, 8)
		if err != nil {
			return "", 0, false
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4([4]byte(b[:4])).String(), int64(b[4])<<8 | int64(b[5]), true
}

// delimitedTarget reads |1|address|port| with any delimiter (RFC 2428), the
// address may be missing.
func delimitedTarget(s string) (address string, port int64) {
	if len(s) < 5 {
		return "", 0
	}
	parts := strings.Split(s, s[:1])
	if len(parts) != 5 {
		return "", 0
	}
	n, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil {
		return "", 0
	}
	if parts[2] == "" {
		return "", int64(n)
	}
	a, err := netip.ParseAddr(parts[2])
	if err != nil {
		return "", 0
	}
	return a.String(), int64(n)
}
