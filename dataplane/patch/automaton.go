package patch

// automaton finds a set of literals in a text in one pass (Aho and Corasick,
// 1975), without regard to ASCII case. It is a dense table over the classes of
// bytes that the literals tell apart, so its speed does not depend on how many
// there are.
type automaton struct {
	class   [256]uint8
	classes int32
	next    []int32   // state*classes + class; the next state
	found   [][]int32 // by state: the literals that end there
}

// maxLiteral is how much of a literal is searched for, in bytes. A longer one is
// found by its beginning, which bounds the table; the condition itself decides.
const maxLiteral = 16

// newAutomaton builds the table. Literals must be lower-case and not empty; a
// match reports their index.
func newAutomaton(literals []string) *automaton {
	a := &automaton{classes: 1}
	a.classify(literals)
	a.found = [][]int32{nil}
	a.addState()
	for i, l := range literals {
		a.insert(l[:min(len(l), maxLiteral)], int32(i))
	}
	a.link()
	return a
}

func (a *automaton) classify(literals []string) {
	for _, l := range literals {
		for i := 0; i < len(l) && i < maxLiteral; i++ {
			if a.class[l[i]] == 0 {
				a.class[l[i]] = uint8(min(a.classes, 255))
				a.classes = min(a.classes+1, 256)
			}
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		a.class[c] = a.class[c+'a'-'A']
	}
}

func (a *automaton) addState() {
	for range a.classes {
		a.next = append(a.next, -1)
	}
}

func (a *automaton) insert(l string, id int32) {
	s := int32(0)
	for i := 0; i < len(l); i++ {
		at := s*a.classes + int32(a.class[l[i]])
		if a.next[at] < 0 {
			a.next[at] = int32(len(a.found))
			a.found = append(a.found, nil)
			a.addState()
		}
		s = a.next[at]
	}
	a.found[s] = append(a.found[s], id)
}

// link turns the trie into the full table: what is missing leads where the
// longest suffix of the text so far would have led.
func (a *automaton) link() {
	fail := make([]int32, len(a.found))
	queue := make([]int32, 0, len(a.found))
	for c := range a.classes {
		if s := a.next[c]; s > 0 {
			queue = append(queue, s)
		} else {
			a.next[c] = 0
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		a.found[s] = append(a.found[s], a.found[fail[s]]...)
		for c := range a.classes {
			at := s*a.classes + c
			to := a.next[fail[s]*a.classes+c]
			if n := a.next[at]; n > 0 {
				fail[n] = to
				queue = append(queue, n)
			} else {
				a.next[at] = to
			}
		}
	}
}

// scan adds the indexes of the literals found in text to ids, some of them
// perhaps more than once.
func (a *automaton) scan(text string, ids []int32) []int32 {
	s := int32(0)
	for i := 0; i < len(text); i++ {
		s = a.next[s*a.classes+int32(a.class[text[i]])]
		if f := a.found[s]; f != nil {
			ids = append(ids, f...)
		}
	}
	return ids
}
