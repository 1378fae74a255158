package patch

import (
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"wirepatch/dataplane/protocol"
)

// scratch is what one Match works with. It is used again and again, so that a
// message that nothing matches costs no memory.
type scratch struct {
	seen     []uint32 // by rule: the turn in which it was last marked
	turn     uint32
	found    []int32 // rules marked in this turn
	hits     []int32
	lower    []byte
	varsDone []bool    // by kind
	byVars   [][]int32 // by kind
	act      activation
	places   places
	took     time.Duration // for the message, so far
}

func newScratch(rules, kinds int) *scratch {
	return &scratch{
		seen:     make([]uint32, rules),
		varsDone: make([]bool, kinds),
		byVars:   make([][]int32, kinds),
	}
}

// begin starts a new turn with nothing marked.
func (sc *scratch) begin() {
	sc.found = sc.found[:0]
	if sc.turn++; sc.turn == 0 { // wrapped round: old marks would count again
		clear(sc.seen)
		sc.turn = 1
	}
}

// mark adds a rule to found, once.
func (sc *scratch) mark(n int32) {
	if sc.seen[n] != sc.turn {
		sc.seen[n] = sc.turn
		sc.found = append(sc.found, n)
	}
}

// release drops what belongs to the message.
func (sc *scratch) release() {
	clear(sc.varsDone)
	sc.act = activation{}
	sc.took = 0
	sc.places.forget()
}

// activation gives CEL the values of one element and its message.
type activation struct {
	m       *protocol.Message
	e       *protocol.Element
	index   int // of e in the message
	date    func() time.Time
	places  *places
	survey  *survey
	state   *State
	rule    *rule
	service string
}

var _ cel.Activation = (*activation)(nil)

// nameField is the field whose value rules see in lower case: names of headers
// and the like do not tell case apart, and an author should not have to think of it.
const nameField = "name"

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if a.e != nil {
		if f := a.e.Field(name); f != nil {
			if s, ok := f.Value.(string); ok && name == nameField {
				if low := lowerASCII(s); low != s {
					return low, true
				}
			}
			return f.Value, true
		}
	}
	switch {
	case strings.HasPrefix(name, placePrefix):
		return a.place(name)
	case strings.HasPrefix(name, sessionPrefix) && a.rule != nil:
		return a.remembered(name[len(sessionPrefix):])
	case strings.HasPrefix(name, foundPrefix) && a.rule != nil:
		return a.foundBy(name[len(foundPrefix):])
	case strings.HasPrefix(name, parameterPrefix) && a.rule != nil:
		return a.parameter(name[len(parameterPrefix):])
	case name == stateVar && a.rule != nil:
		return &stateVal{a.state, a.rule.def.ID, a.date()}, true
	}
	if name == DateVar && a.date != nil {
		return a.date().UTC().Format(DateFormat), true
	}
	if a.m == nil || a.m.Lookup == nil {
		return nil, false
	}
	return a.m.Lookup(name)
}

// remembered is the value of a session variable, its initial one at first.
func (a *activation) remembered(name string) (any, bool) {
	if a.m != nil && a.m.Memory != nil {
		if v, ok := a.m.Memory.Get(protocol.Name{Definition: a.rule.def.ID, Variable: name}); ok {
			return v, true
		}
	}
	for _, v := range a.rule.def.Session {
		if v.Name == name {
			return v.Initial, true
		}
	}
	return nil, false
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }
