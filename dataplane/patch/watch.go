package patch

import (
	"slices"
	"sync"

	"wirepatch/dataplane/protocol"
)

// watchIndex finds, in what elements of one kind are made from, the texts without
// which no rule on them can hold.
type watchIndex struct {
	parts *automaton
	rules [][]int32      // by literal of parts
	with  map[int32]bool // rules that need one of them
}

// watchIndexOf returns the index of a kind for texts in some fields, which it
// makes when it is first asked for.
func (s *Set) watchIndexOf(kind string, fields []protocol.Written) *watchIndex {
	once, _ := s.watches.LoadOrStore(kind, sync.OnceValue(func() *watchIndex {
		w, texts := &watchIndex{with: map[int32]bool{}}, map[string][]int32{}
		for i, r := range s.rules {
			if r.kind != kind {
				continue
			}
			for _, text := range telling(r.guards, fields) {
				w.with[int32(i)] = true
				if !slices.Contains(texts[text], int32(i)) {
					texts[text] = append(texts[text], int32(i))
				}
			}
		}
		var literals []string
		for text, rules := range texts {
			literals, w.rules = append(literals, text), append(w.rules, rules)
		}
		w.parts = newAutomaton(literals)
		return w
	}))
	return once.(func() *watchIndex)()
}

// telling chooses, among a rule's guards on these fields, the one whose shortest
// text is the longest, for that is there by chance the least often.
func telling(gs []guard, fields []protocol.Written) []string {
	var best []string
	longest := minPart - 1
	for _, g := range gs {
		texts, shortest := written(g, fields)
		if len(texts) > 0 && shortest > longest {
			best, longest = texts, shortest
		}
	}
	return best
}

// written are the literals of a guard as they are written, and the length of the
// shortest; nil where one is not about these fields.
func written(g guard, fields []protocol.Written) (texts []string, shortest int) {
	shortest = maxLiteral
	for _, l := range g {
		i := slices.IndexFunc(fields, func(w protocol.Written) bool { return w.Field == l.subject })
		if l.isVar || i < 0 {
			return nil, 0
		}
		text := l.text
		if l.exact {
			text = fields[i].Before + text + fields[i].After
		}
		texts, shortest = append(texts, text), min(shortest, len(text))
	}
	return texts, shortest
}

// Watch implements protocol.Watcher.
func (s *Set) Watch(m *protocol.Message, kind string, fields []protocol.Written) (protocol.Search, bool) {
	return s.watch(m, kind, fields, "")
}

func (s *Set) watch(m *protocol.Message, kind string, fields []protocol.Written, service string) (protocol.Search, bool) {
	found := &search{index: s.watchIndexOf(kind, fields)}
	for n := range s.concerned(m, kind, service) {
		r := s.rules[n]
		switch {
		case r.dir != m.Dir:
		case !found.index.with[n] || r.def.budget.stands(m) != judged:
			return nil, false
		default:
			found.among = append(found.among, n)
		}
	}
	if found.among == nil {
		return nil, true
	}
	slices.Sort(found.among)
	return found, true
}

// search is a watchIndex for the rules that may concern one message.
type search struct {
	index *watchIndex
	among []int32 // sorted
}

// Scan implements protocol.Search.
func (s *search) Scan(state int32, b []byte) (next int32, found bool) {
	a := s.index.parts
	for _, c := range b {
		state = a.next[state*a.classes+int32(a.class[c])]
		for _, literal := range a.found[state] {
			if slices.ContainsFunc(s.index.rules[literal], s.concerns) {
				return state, true
			}
		}
	}
	return state, false
}

func (s *search) concerns(rule int32) bool {
	_, ok := slices.BinarySearch(s.among, rule)
	return ok
}
