package patch

import (
	"fmt"
	"slices"
	"strings"

	"wirepatch/dataplane/protocol"
)

// Texts are what rules of a protocol look for in its messages, by direction:
// without one of them in a message no rule holds for it. They serve whoever
// looks at messages before the rules do, and knows no rules.
type Texts struct {
	Of [2][]string // in lower case
	// Long: a message of so many octets must be asked about; 0: whatever its length.
	Long [2]int
	// Every names the definitions that must be asked about every message.
	Every [2][]string
	// Strikes are rules on requests whose texts are not among Of: whoever looks is
	// to take their fields away itself.
	Strikes []Strike
	// LooksBack says that rules on responses ask what the request was.
	LooksBack bool
}

// Look is how somebody looks for texts.
type Look struct {
	protocol.Sight
	// Worth says how well a text tells few messages from the many; 0: not at all,
	// and yet it can be looked for.
	Worth func(text string) int
	// WorthLength is the same for messages of at least so many octets.
	WorthLength func(least int) int
	// Strike returns those of some names of fields that it can take away from
	// requests; nil: none.
	Strike func(names []string) []string
}

// Texts gathers the texts of a protocol's rules, of each rule those that are
// worth most.
func (s *Set) Texts(protocol string, look Look) Texts {
	var out Texts
	seen := [2]map[string]bool{{}, {}}
	strikes := s.strikes(protocol, &look)
	for _, r := range s.rules {
		if r.def.Protocol != protocol || look.Absent(r.kind) {
			continue
		}
		if k := strikes[r]; k != nil {
			out.Strikes = append(out.Strikes, *k)
			continue
		}
		f := (&finder{Look: look, r: r}).of(r.need, nil)
		if !f.ok {
			if !slices.Contains(out.Every[r.dir], r.def.ID) {
				out.Every[r.dir] = append(out.Every[r.dir], r.def.ID)
			}
		} else if f.long > 0 && (out.Long[r.dir] == 0 || f.long < out.Long[r.dir]) {
			out.Long[r.dir] = f.long
		}
		out.LooksBack = out.LooksBack || r.looksBack && !f.never()
		for _, t := range f.texts {
			if !seen[r.dir][t] {
				seen[r.dir][t] = true
				out.Of[r.dir] = append(out.Of[r.dir], t)
			}
		}
	}
	return out
}

// finding is what to look for in messages: one of the texts, or a length.
type finding struct {
	ok    bool // else every message must be asked about
	texts []string
	long  int // 0: no message for its length
	worth int
}

// worthAll is the worth of a rule that holds for no message at all.
const worthAll = 1 << 20

func (f finding) never() bool { return f.ok && len(f.texts) == 0 && f.long == 0 }

// finder works out the finding of one rule.
type finder struct {
	Look
	r *rule
}

// of is the finding of a need. differ are fields whose value is known to be
// written otherwise than it is.
func (f *finder) of(n *need, differ []string) finding {
	switch {
	case n == nil:
		return finding{}
	case n.op == needAll:
		for _, a := range n.args {
			if a.op == needClaim && a.how == claimDiffers {
				differ = slices.Concat(differ, f.escaped(&a.claim))
			}
		}
		var best finding
		for _, a := range n.args {
			if x := f.of(a, differ); x.ok && (!best.ok || x.worth > best.worth) {
				best = x
			}
		}
		return best
	case n.op == needAny:
		out := finding{ok: true, worth: worthAll}
		for _, a := range n.args {
			x := f.of(a, differ)
			if !x.ok {
				return finding{}
			}
			out.add(x)
		}
		return out
	}
	return f.claim(&n.claim, differ)
}

func (f *finding) add(x finding) {
	f.texts = append(f.texts, x.texts...)
	if x.long > 0 && (f.long == 0 || x.long < f.long) {
		f.long = x.long
	}
	f.worth = min(f.worth, x.worth)
}

// place is the kind and name of a claim's subject as a Sight knows it; not ok: it
// is told by another message than the one that is looked at.
func (f *finder) place(c *claim) (kind, name string, ok bool) {
	if !c.isVar {
		return f.r.kind, c.subject, true
	}
	return "", c.subject, f.r.schema.Vars[c.subject].Dir == f.r.dir
}

// escaped names those of the two fields of a claimDiffers of which one is the
// other without its escapes.
func (f *finder) escaped(c *claim) []string {
	if c.isVar {
		return nil
	}
	a, b := f.Written(f.r.kind, c.subject), f.Written(f.r.kind, c.other)
	switch {
	case a == protocol.Escaped && b == protocol.AsIs && c.other == rawField:
		return []string{c.subject}
	case b == protocol.Escaped && a == protocol.AsIs && c.subject == rawField:
		return []string{c.other}
	}
	return nil
}

// rawField is the field, of an element that has others decoded, with what it is
// written as.
const rawField = "raw"

func (f *finder) claim(c *claim, differ []string) finding {
	kind, name, ok := f.place(c)
	if !ok {
		return finding{}
	}
	if only := f.Only(kind, name); only != nil && c.test != nil && !slices.ContainsFunc(only, c.test) {
		return finding{ok: true, worth: worthAll}
	}
	writing := f.Written(kind, name)
	switch c.how {
	case claimIs, claimHas:
		return f.text(c, writing, slices.Contains(differ, name))
	case claimKey:
		switch writing {
		case protocol.Fields:
			return f.all(c.texts, fieldName)
		case protocol.Pairs:
			return f.all(c.texts, f.unescaped(true))
		}
	case claimNumber:
		if writing == protocol.Status {
			var texts []string
			for _, n := range c.numbers {
				texts = append(texts, fmt.Sprintf("http/1.1 %03d", n))
			}
			return f.all(texts, asIs)
		}
	case claimSize:
		if writing != protocol.Unseen && writing != protocol.Status && c.least > 0 {
			return finding{ok: true, long: c.least, worth: f.WorthLength(c.least)}
		}
	case claimDiffers:
		if len(f.escaped(c)) > 0 {
			return f.all([]string{"%"}, asIs)
		}
	}
	return finding{}
}

func (f *finder) text(c *claim, writing protocol.Writing, differs bool) finding {
	switch writing {
	case protocol.AsIs, protocol.Fields:
		return f.all(c.texts, asIs)
	case protocol.FieldName:
		if c.how == claimIs {
			return f.all(c.texts, fieldName)
		}
		return f.all(c.texts, asIs)
	case protocol.Escaped, protocol.EscapedPlus, protocol.Pairs:
		if differs && c.how == claimIs {
			return f.all(c.texts, escapes)
		}
		return f.all(c.texts, f.unescaped(writing != protocol.Escaped))
	}
	return finding{}
}

// all is the finding of any of some texts, each of which forms writes in one of
// several ways.
func (f *finder) all(texts []string, forms func(string) []string) finding {
	out := finding{ok: true, worth: worthAll}
	for _, t := range texts {
		for _, form := range forms(t) {
			if form == "" {
				return finding{}
			}
			out.add(finding{texts: []string{form}, worth: f.Worth(form)})
		}
	}
	return out
}

func asIs(t string) []string { return []string{t} }

func fieldName(t string) []string { return []string{"\n" + t + ":"} }

// escapes are the ways to escape an octet of a text.
func escapes(t string) []string {
	var out []string
	for i := range len(t) {
		for _, c := range []byte{t[i], upperASCII(t[i])} {
			if e := fmt.Sprintf("%%%02x", c); !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}

func upperASCII(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// window is how much of a text with escapes is looked for: the less, the fewer
// escapes could stand in it.
const window = 4

// unescaped writes a text that may have escapes: a part of it as it is, or an
// escape of one of the part's octets. plus: a blank may be a plus sign, so that
// the part has none.
func (f *finder) unescaped(plus bool) func(string) []string {
	return func(t string) []string {
		pieces := []string{t}
		if plus {
			pieces = strings.FieldsFunc(t, func(r rune) bool { return r == ' ' })
			if len(pieces) == 0 && t != "" {
				return append([]string{"+"}, escapes(" ")...)
			}
		}
		best, most := "", -1
		for _, p := range pieces {
			n := min(window, len(p))
			for i := 0; i+n <= len(p); i++ {
				if w := f.Worth(p[i : i+n]); w > most {
					best, most = p[i:i+n], w
				}
			}
		}
		if best == "" {
			return []string{""}
		}
		return append(escapes(best), best)
	}
}
