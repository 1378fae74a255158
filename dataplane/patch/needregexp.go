package patch

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Bounds on what is worked out of a regular expression.
const (
	maxExact = 16 // texts that a part of it stands for
	maxClass = 8  // characters of a class
	maxText  = 64 // octets of a text
)

// regexp is what the subject needs to match a pattern: texts that every match
// has, one or another.
func (s subject) regexp(pattern string) *need {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return s.found(s.matched(re))
}

// match is what is known of what a part of a pattern matches: texts, of which it
// is one, or, where these are too many, what there must be in it.
type match struct {
	exact []string // nil: not known
	need  *need
}

// found is what must be in a value for a match to be in it.
func (s subject) found(m match) *need {
	if m.exact == nil {
		return m.need
	}
	if slices.Contains(m.exact, "") {
		return nil
	}
	return s.textClaim(claimHas, m.exact, nil)
}

func (s subject) matched(re *syntax.Regexp) match {
	switch re.Op {
	case syntax.OpNoMatch:
		return match{need: never()}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return match{exact: []string{""}}
	case syntax.OpLiteral:
		var parts []match
		for _, r := range re.Rune {
			parts = append(parts, runes(r, r, re.Flags&syntax.FoldCase != 0))
		}
		return s.concat(parts)
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture:
		return s.matched(re.Sub[0])
	case syntax.OpQuest:
		if m := s.matched(re.Sub[0]); m.exact != nil && len(m.exact) < maxExact {
			return match{exact: append(slices.Clone(m.exact), "")}
		}
	case syntax.OpPlus:
		return match{need: s.found(s.matched(re.Sub[0]))}
	case syntax.OpRepeat:
		if re.Min > 0 {
			return match{need: s.found(s.matched(re.Sub[0]))}
		}
	case syntax.OpConcat:
		var parts []match
		for _, sub := range re.Sub {
			parts = append(parts, s.matched(sub))
		}
		return s.concat(parts)
	case syntax.OpAlternate:
		return s.alternate(re.Sub)
	}
	return match{}
}

// runes matches one character; folded: in any case. Octets that are no text
// look like the replacement character to a pattern.
func runes(lo, hi rune, folded bool) match {
	if hi-lo >= maxClass {
		return match{}
	}
	var exact []string
	for r := lo; r <= hi; r++ {
		if r == utf8.RuneError {
			return match{}
		}
		for f := r; ; {
			if t := lowerASCII(string(f)); !slices.Contains(exact, t) {
				exact = append(exact, t)
			}
			if f = unicode.SimpleFold(f); !folded || f == r {
				break
			}
		}
	}
	return match{exact: exact}
}

// class matches one character of pairs of first and last.
func class(pairs []rune) match {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		m := runes(pairs[i], pairs[i+1], false)
		if m.exact == nil {
			return match{}
		}
		for _, t := range m.exact {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
		if len(out) > maxClass {
			return match{}
		}
	}
	return match{exact: out}
}

// concat matches parts one behind the other.
func (s subject) concat(parts []match) match {
	var needs []*need
	run := match{exact: []string{""}}
	whole := true
	for _, p := range parts {
		if p.exact != nil {
			if next := product(run.exact, p.exact); next != nil {
				run.exact = next
				continue
			}
		}
		whole = false
		needs = append(needs, s.found(run))
		run = match{exact: []string{""}}
		if p.exact != nil {
			run = p
		} else {
			needs = append(needs, p.need)
		}
	}
	if whole {
		return run
	}
	return match{need: allOf(append(needs, s.found(run))...)}
}

// product joins each of a with each of b; nil: they are too many, or too long.
func product(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if t := x + y; len(t) > maxText {
				return nil
			} else if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	if len(out) > maxExact {
		return nil
	}
	return out
}

func (s subject) alternate(subs []*syntax.Regexp) match {
	var exact []string
	var needs []*need
	known := true
	for _, sub := range subs {
		m := s.matched(sub)
		known = known && m.exact != nil
		exact = append(exact, m.exact...)
		needs = append(needs, s.found(m))
	}
	if known && len(exact) <= maxExact {
		slices.Sort(exact)
		return match{exact: slices.Compact(exact)}
	}
	return match{need: anyOf(needs...)}
}
