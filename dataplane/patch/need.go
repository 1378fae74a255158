package patch

import (
	"wirepatch/dataplane/protocol"
)

// A need is what must be so, of a message, for a condition to hold; it may hold
// or not when it is so. It is worked out from the condition's text, and serves
// two who have no time to evaluate it: the index of rules (guards) and whoever
// looks at messages before there is a decoder (Texts). nil: nothing is known.
type need struct {
	op   needOp
	args []*need // of all and any
	claim
}

type needOp uint8

const (
	needClaim needOp = iota
	needAll
	needAny // of none: the condition never holds
)

// claim is one statement about one field or message variable.
type claim struct {
	how     claimKind
	subject string
	isVar   bool
	typ     protocol.Type
	texts   []string // claimIs, claimHas, claimKey: one of them, in lower case
	numbers []int64  // claimNumber: one of them
	least   int      // claimSize: so many octets, or units, at least
	other   string   // claimDiffers: another field
	// test tells, of a value of the subject, whether the condition can hold; nil:
	// that is not known. It serves where the few possible values are known.
	test func(v any) bool
}

type claimKind uint8

const (
	claimTest    claimKind = iota // only test is known
	claimIs                       // it is one of the texts
	claimHas                      // one of the texts is part of it, or of one of its values
	claimKey                      // the map has one of the texts as a key
	claimNumber                   // it is one of the numbers
	claimSize                     // it is at least so long, or large
	claimDiffers                  // its value is not that of another field
)

func never() *need { return &need{op: needAny} }

func (n *need) isNever() bool { return n != nil && n.op == needAny && len(n.args) == 0 }

// allOf is what must be so for all of ns at once.
func allOf(ns ...*need) *need {
	out := &need{op: needAll}
	for _, n := range ns {
		switch {
		case n == nil:
		case n.isNever():
			return n
		case n.op == needAll:
			out.args = append(out.args, n.args...)
		default:
			out.args = append(out.args, n)
		}
	}
	switch len(out.args) {
	case 0:
		return nil
	case 1:
		return out.args[0]
	}
	return out
}

// anyOf is what must be so for at least one of ns.
func anyOf(ns ...*need) *need {
	out := &need{op: needAny}
	for _, n := range ns {
		switch {
		case n == nil:
			return nil
		case n.op == needAny:
			out.args = append(out.args, n.args...)
		default:
			out.args = append(out.args, n)
		}
	}
	if len(out.args) == 1 {
		return out.args[0]
	}
	return out
}

// guards returns the conditions on single texts that a need implies, all of
// them at once.
func (n *need) guards() []guard {
	switch {
	case n == nil:
		return nil
	case n.op == needAll:
		var out []guard
		for _, a := range n.args {
			out = append(out, a.guards()...)
		}
		return out
	case n.op == needAny:
		if g := n.either(); g != nil {
			return []guard{g}
		}
		return nil
	}
	if g := n.claim.guard(); g != nil {
		return []guard{g}
	}
	return nil
}

// either is the guard of alternatives: each must have one, and any of them lets
// the rule through.
func (n *need) either() guard {
	var out guard
	for _, a := range n.args {
		best := shortest(a.guards())
		if best == nil || len(out)+len(best) > maxGuard {
			return nil
		}
		out = append(out, best...)
	}
	return out
}

func shortest(gs []guard) guard {
	var best guard
	for _, g := range gs {
		if best == nil || len(g) < len(best) {
			best = g
		}
	}
	return best
}

// guard is what a claim says about texts, nil when it says nothing, or too much.
func (c *claim) guard() guard {
	if c.typ != protocol.String || c.how != claimIs && c.how != claimHas || len(c.texts) > maxGuard {
		return nil
	}
	var out guard
	for _, t := range c.texts {
		if c.how == claimHas && len(t) < minPart {
			return nil
		}
		out = append(out, literal{subject: c.subject, isVar: c.isVar, exact: c.how == claimIs, text: t})
	}
	return out
}

// testText is a test of texts; what is none may be anything.
func testText(f func(string) bool) func(any) bool {
	return func(v any) bool {
		s, ok := v.(string)
		return !ok || f(s)
	}
}
