package inventory

import (
	"regexp"
	"strings"
	"unicode"
)

// Compare orders two versions: numbers by their value, words as text, and what
// announces a release (alpha, beta, rc, pre, dev, ~) before the release itself.
// It is the order of Semantic Versioning, and what most others have in common.
func Compare(a, b string) int {
	x, y := pieces(a), pieces(b)
	for i := 0; i < len(x) || i < len(y); i++ {
		if c := comparePiece(at(x, i), at(y, i)); c != 0 {
			return c
		}
	}
	return 0
}

// pseudo is in a Go module's version what says that it was made of a commit before the
// release that it names.
var pseudo = regexp.MustCompile(`-0\.([0-9]{14}-[0-9a-f]{12})$`)

func at(p []string, i int) string {
	if i < len(p) {
		return p[i]
	}
	return ""
}

// pieces cuts a version into numbers and words; build metadata counts for nothing.
func pieces(v string) []string {
	v = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(v)), "v")
	v, _, _ = strings.Cut(v, "+")
	v = pseudo.ReplaceAllString(v, "-pre.$1")
	var out []string
	for v != "" {
		n := 1
		kind := kindOf(rune(v[0]))
		for n < len(v) && kindOf(rune(v[n])) == kind {
			n++
		}
		if kind != other || strings.HasPrefix(v, "~") {
			out = append(out, v[:n])
		}
		v = v[n:]
	}
	for len(out) > 1 && strings.Trim(out[len(out)-1], "0") == "" { // 1.0 is 1
		out = out[:len(out)-1]
	}
	return out
}

const (
	digit = iota
	letter
	other
)

func kindOf(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return digit
	case unicode.IsLetter(r):
		return letter
	}
	return other
}

func comparePiece(a, b string) int {
	ra, rb := rank(a), rank(b)
	if ra != rb || ra == rankNothing {
		return ra - rb
	}
	if ra == rankNumber {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return len(a) - len(b)
		}
	}
	return strings.Compare(a, b)
}

const (
	rankBefore = iota // a word that announces
	rankNothing
	rankWord
	rankNumber
)

func rank(p string) int {
	switch {
	case p == "" || strings.Trim(p, "0") == "" && p != "": // nothing, and a zero in the middle
		return rankNothing
	case p[0] >= '0' && p[0] <= '9':
		return rankNumber
	case strings.HasPrefix(p, "~"):
		return rankBefore
	}
	for _, w := range []string{"alpha", "beta", "rc", "pre", "preview", "dev", "a", "b", "canary", "next", "nightly", "experimental", "snapshot", "m", "milestone"} {
		if p == w {
			return rankBefore
		}
	}
	return rankWord
}

// In says whether a version is in one of the ranges, each as ">=4.0.0 <4.8.1".
func In(version string, ranges []string) bool {
	for _, r := range ranges {
		if inRange(version, r) {
			return true
		}
	}
	return false
}

func inRange(version, r string) bool {
	all := strings.Fields(r)
	for _, c := range all {
		op := strings.TrimRight(c, strings.TrimLeft(c, "<>="))
		d := Compare(version, strings.TrimLeft(c, "<>="))
		ok := map[string]bool{"<": d < 0, "<=": d <= 0, ">": d > 0, ">=": d >= 0, "=": d == 0, "==": d == 0, "": d == 0}[op]
		if !ok {
			return false
		}
	}
	return len(all) > 0
}
