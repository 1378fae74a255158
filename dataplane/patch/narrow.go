package patch

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"wirepatch/dataplane/protocol"
)

// heldVars are the message variables of a protocol that are elements, too, or are
// about them: a decoder knows them only once it holds what rules ask for.
func heldVars(s *protocol.Schema) map[string]bool {
	m := map[string]bool{}
	for name := range s.Vars {
		if _, ok := s.Elements[name]; ok || name == codingVar {
			m[name] = true
		}
	}
	return m
}

// indexEarly indexes, for each kind, the rules that ask for it by what is known
// before its elements are: literals in message variables. n is the first number
// that is free.
func (s *Set) indexEarly(n int) int {
	rules, numbers := map[string][]*rule{}, map[string][]int32{}
	add := func(kind string, r *rule, number int, guards []guard) {
		rules[kind] = append(rules[kind], &rule{guards: guards})
		numbers[kind] = append(numbers[kind], int32(number))
	}
	for i, r := range s.rules {
		add(r.kind, r, i, slices.DeleteFunc(slices.Clone(r.guards), r.needsElement))
		for _, v := range r.reads {
			if v != r.kind {
				add(v, r, i, nil)
			}
		}
	}
	s.early = map[string]*kindIndex{}
	for kind := range rules {
		s.early[kind] = newKindIndex(n, rules[kind], numbers[kind])
		n++
	}
	return n
}

// needsElement says whether a guard looks at anything but early variables.
func (r *rule) needsElement(g guard) bool {
	return slices.ContainsFunc(g, func(l literal) bool { return !l.isVar || r.held[l.subject] })
}

// WantsOf implements protocol.Narrower: conditions are evaluated with all that
// is not known yet left open, and rules whose condition cannot hold any more ask
// for nothing.
func (s *Set) WantsOf(m *protocol.Message, kind string) bool {
	return s.kinds[kind] && s.wantsOf(m, kind, "")
}

func (s *Set) wantsOf(m *protocol.Message, kind, service string) bool {
	for range s.concerned(m, kind, service) {
		return true
	}
	return false
}

// concerned are the rules that ask for elements of a kind and may still hold for m.
func (s *Set) concerned(m *protocol.Message, kind, service string) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		k := s.early[kind]
		if k == nil {
			return
		}
		sc := s.pool.Get().(*scratch)
		defer func() {
			sc.release()
			s.pool.Put(sc)
		}()
		k.candidates(m, &protocol.Element{}, sc)
		for _, n := range sc.found {
			r := s.rules[n]
			if r.def.modeIn(service) != Off && r.def.Protocol == m.Protocol && s.mayConcern(r, m, service) && !yield(n) {
				return
			}
		}
	}
}

// mayConcern says whether a rule wants to see more of a message, if only to
// refuse it, and charges the time of finding that out.
func (s *Set) mayConcern(r *rule, m *protocol.Message, service string) bool {
	b := &r.def.budget
	if at := b.stands(m); at != judged {
		return at != out || s.closed[service]
	}
	if r.cond == nil {
		return true
	}
	clock := b.clock(0)
	start := clock()
	may := r.mayHold(m, s.now)
	if b.charge(m, clock()-start) && s.onAside != nil {
		s.onAside(r.def.ID, b.why())
	}
	return may
}

// mayHold says whether a condition can still hold. One that fails for what is
// known fails for all; one that is broken off for its cost was not judged.
func (r *rule) mayHold(m *protocol.Message, date func() time.Time) bool {
	if r.cond == nil {
		return true
	}
	v, _, err := r.cond.Eval(&earlyActivation{r: r, m: m, date: date})
	var broken interpreter.EvalCancelledError
	return err == nil && v != types.False || errors.As(err, &broken)
}

// earlyActivation gives CEL what is known of a message before its elements.
type earlyActivation struct {
	r    *rule
	m    *protocol.Message
	date func() time.Time
}

var _ cel.Activation = (*earlyActivation)(nil)

// ResolveName implements cel.Activation.
func (a *earlyActivation) ResolveName(name string) (any, bool) {
	_, field := a.r.elem.Fields[name]
	switch {
	case field, a.r.held[name], name == stateVar, strings.HasPrefix(name, placePrefix), strings.HasPrefix(name, sessionPrefix), strings.HasPrefix(name, foundPrefix), strings.HasPrefix(name, parameterPrefix):
		return types.NewUnknown(1, nil), true
	case name == DateVar:
		return a.date().UTC().Format(DateFormat), true
	}
	if v, ok := a.m.Lookup(name); ok {
		return v, true
	}
	return types.NewUnknown(1, nil), true
}

// Parent implements cel.Activation.
func (a *earlyActivation) Parent() cel.Activation { return nil }
