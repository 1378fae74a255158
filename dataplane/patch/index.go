package patch

import (
	"slices"

	"wirepatch/dataplane/protocol"
)

// kindIndex finds the rules worth evaluating for an element of one kind, at a
// cost that does not grow with the number of rules.
type kindIndex struct {
	id     int     // of the kind, within the Set
	always []int32 // rules without a literal to look for
	fields []*subjectIndex
	vars   []*subjectIndex
	places bool // a rule reads where the elements stand
}

// subjectIndex holds the literals that rules look for in one field or variable.
type subjectIndex struct {
	name    string
	exact   map[string][]int32 // whole value, lower-case, to rules
	longest int                // length of the longest key of exact
	parts   *automaton
	rules   [][]int32 // by literal of parts
}

// newKindIndex indexes each rule by one of its guards: the one whose literals
// the fewest rules share, so that a thousand rules on one header do not all wake
// up whenever that header passes.
func newKindIndex(id int, rules []*rule, numbers []int32) *kindIndex {
	shared := map[literal]int{}
	for _, r := range rules {
		for _, g := range r.guards {
			for _, l := range g {
				shared[l]++
			}
		}
	}
	k := &kindIndex{id: id}
	byField, byVar := map[string]*builder{}, map[string]*builder{}
	for i, r := range rules {
		g := rarest(r.guards, shared)
		if g == nil {
			k.always = append(k.always, numbers[i])
		}
		for _, l := range g {
			in := byField
			if l.isVar {
				in = byVar
			}
			if in[l.subject] == nil {
				in[l.subject] = &builder{exact: map[string][]int32{}, parts: map[string][]int32{}}
			}
			in[l.subject].add(l, numbers[i])
		}
	}
	k.fields, k.vars = build(byField), build(byVar)
	return k
}

// rarest chooses a rule's guard. Among equals a field is cheaper than a
// variable, and a whole value cheaper than a part of one.
func rarest(gs []guard, shared map[literal]int) guard {
	var best guard
	var least int
	for _, g := range gs {
		cost := 0
		for _, l := range g {
			cost = max(cost, shared[l]*4)
			if l.isVar {
				cost += 2
			}
			if !l.exact {
				cost++
			}
		}
		if best == nil || cost < least {
			best, least = g, cost
		}
	}
	return best
}

type builder struct{ exact, parts map[string][]int32 }

func (b *builder) add(l literal, rule int32) {
	in := b.parts
	if l.exact {
		in = b.exact
	}
	if !slices.Contains(in[l.text], rule) {
		in[l.text] = append(in[l.text], rule)
	}
}

func build(bs map[string]*builder) []*subjectIndex {
	var out []*subjectIndex
	for name, b := range bs {
		s := &subjectIndex{name: name, exact: b.exact, longest: -1}
		for key := range b.exact {
			s.longest = max(s.longest, len(key))
		}
		var literals []string
		for l, rules := range b.parts {
			literals = append(literals, l)
			s.rules = append(s.rules, rules)
		}
		if len(literals) > 0 {
			s.parts = newAutomaton(literals)
		}
		out = append(out, s)
	}
	return out
}

// find marks the rules whose literal is in value.
func (s *subjectIndex) find(value string, sc *scratch) {
	if len(value) <= s.longest {
		sc.lower = appendLower(sc.lower[:0], value)
		for _, n := range s.exact[string(sc.lower)] {
			sc.mark(n)
		}
	}
	if s.parts == nil {
		return
	}
	sc.hits = s.parts.scan(value, sc.hits[:0])
	for _, h := range sc.hits {
		for _, n := range s.rules[h] {
			sc.mark(n)
		}
	}
}

// candidates leaves in sc.found, sorted, the rules to evaluate for e.
func (k *kindIndex) candidates(m *protocol.Message, e *protocol.Element, sc *scratch) {
	byVar := k.byVariable(m, sc)
	sc.begin()
	for _, n := range byVar {
		sc.mark(n)
	}
	for _, n := range k.always {
		sc.mark(n)
	}
	for _, s := range k.fields {
		if f := e.Field(s.name); f != nil {
			if v, ok := f.Value.(string); ok {
				s.find(v, sc)
			}
		}
	}
	if len(sc.found) > 1 {
		slices.Sort(sc.found)
	}
}

// byVariable returns the rules that the message's variables let through. They
// are the same for each element of the message and found once.
func (k *kindIndex) byVariable(m *protocol.Message, sc *scratch) []int32 {
	if len(k.vars) == 0 {
		return nil
	}
	if sc.varsDone[k.id] {
		return sc.byVars[k.id]
	}
	sc.begin()
	for _, s := range k.vars {
		if v, ok := m.Lookup(s.name); ok {
			if text, ok := v.(string); ok {
				s.find(text, sc)
			}
		}
	}
	sc.byVars[k.id] = append(sc.byVars[k.id][:0], sc.found...)
	sc.varsDone[k.id] = true
	return sc.byVars[k.id]
}
