package patch

import "wirepatch/dataplane/session"

// Texts are what rules of a protocol look for in its messages, by direction:
// without one of them in a message no rule holds for it. They serve whoever
// looks at messages before the rules do, and knows no rules.
type Texts struct {
	Of [2][]string // in lower case
	// Every says that there is a rule that must be asked about every message.
	Every [2]bool
}

// Sight is what whoever looks for texts says of himself.
type Sight struct {
	// Visible says whether the value of a field of an element's kind (or, with an
	// empty kind, of a message variable) is part of a message as it is written.
	Visible func(kind, name string) bool
	// Worth says how well a text tells few messages from the many; 0: not at all,
	// and yet it can be looked for.
	Worth func(text string) int
}

// Texts gathers the texts of a protocol's rules, of each rule those of the guard
// that is worth most. Where rules on a direction have none, or rules on
// responses ask what the request was, every message concerned must be looked at.
func (s *Set) Texts(protocol string, sight Sight) Texts {
	var out Texts
	seen := [2]map[string]bool{{}, {}}
	for _, r := range s.rules {
		if r.def.Protocol != protocol {
			continue
		}
		if r.looksBack {
			out.Every[session.ToServer] = true
		}
		g := r.visibleGuard(&sight)
		if g == nil {
			out.Every[r.dir] = true
			continue
		}
		for _, l := range g {
			if !seen[r.dir][l.text] {
				seen[r.dir][l.text] = true
				out.Of[r.dir] = append(out.Of[r.dir], l.text)
			}
		}
	}
	return out
}

// visibleGuard returns the guard that is worth most, by its worst literal, of
// those that can be seen in a message; nil: there is none.
func (r *rule) visibleGuard(sight *Sight) guard {
	var best guard
	most := -1
	for _, g := range r.guards {
		if worth := r.worth(g, sight); worth > most {
			best, most = g, worth
		}
	}
	return best
}

// worth is that of the worst literal; -1 when one of them is not seen in
// messages of the rule's direction, or is empty.
func (r *rule) worth(g guard, sight *Sight) int {
	least := -1
	for i, l := range g {
		kind := r.kind
		if l.isVar {
			kind = ""
			if r.schema.Vars[l.subject].Dir != r.dir {
				return -1
			}
		}
		if l.text == "" || !sight.Visible(kind, l.subject) {
			return -1
		}
		if n := sight.Worth(l.text); i == 0 || n < least {
			least = n
		}
	}
	return least
}
