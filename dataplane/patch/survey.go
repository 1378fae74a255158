package patch

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"wirepatch/dataplane/protocol"
)

// foundPrefix begins the names of what find rules have found in the message.
const foundPrefix = "found."

// Bounds of what one find rule's name stands for in one message. A client that
// has more found is refused: what a rule did not see could not be corrected.
const maxFound = 256

// sameVars say where an element stands among those of its kind that have the same
// key, or name, as it came. They are of the placeVars.
const (
	sameIndex = "element.same_index" // how many came before it
	sameCount = "element.same_count" // how many the message has
)

// survey is what rules know of a whole message before they are asked what to do:
// what find rules found in it, and how often keys occur. Decoders that show a
// message in batches show it twice, and carry the survey from the first time to the
// second (protocol.Surveyor); for others each batch has one of its own.
type survey struct {
	found map[protocol.Name][]string
	count map[same]int64 // of the whole message
	seen  map[same]int64 // of the batches before, the second time
	index []int64        // of the batch at hand, by element
	keys  []same         // the same
}

// same stands for a key among the elements of a kind. Whoever chooses keys does not
// know the seed.
type same struct {
	kind string
	key  uint64
}

var sameSeed = maphash.MakeSeed()

// sameOf is an element's key; false when it has none.
func sameOf(e *protocol.Element) (same, bool) {
	for i := range e.Fields {
		switch f := &e.Fields[i]; f.Name {
		case "key", nameField:
			s, ok := f.Value.(string)
			if f.Name == nameField {
				s = lowerASCII(s)
			}
			return same{e.Kind, maphash.String(sameSeed, s)}, ok
		}
	}
	return same{}, false
}

// surveys says whether the rule needs a survey of the elements that it is about.
func (r *rule) surveys() bool { return r.finds || r.same }

// SurveyOf implements protocol.Surveyor.
func (s *Set) SurveyOf(kind string) bool { return s.surveys[kind] }

// Survey implements protocol.Surveyor.
func (s *Set) Survey(m *protocol.Message) []protocol.Correction { return s.surveyFor(m, "") }

func (s *Set) surveyFor(m *protocol.Message, service string) []protocol.Correction {
	if !s.surveyed[m.Protocol] {
		return nil
	}
	sc := s.pool.Get().(*scratch)
	defer func() {
		sc.release()
		s.pool.Put(sc)
	}()
	v, _ := m.Survey.(*survey)
	if v == nil {
		v = &survey{}
		m.Survey = v
	}
	sc.act = activation{m: m, date: s.now, places: &sc.places, survey: v, state: s.state, service: service}
	if needsPlaces(s.finders[m.Protocol]) {
		sc.places.find(m)
	}
	return s.look(m, service, sc, v)
}

// look surveys the elements of m. What it returns refuses the message.
func (s *Set) look(m *protocol.Message, service string, sc *scratch, v *survey) []protocol.Correction {
	if s.sameKinds[m.Protocol] != nil {
		if v.count == nil {
			v.count = map[same]int64{}
		}
		for i := range m.Elements {
			if e := &m.Elements[i]; s.sameKinds[m.Protocol][e.Kind] {
				if k, ok := sameOf(e); ok {
					v.count[k]++
				}
			}
		}
	}
	v.place(m, s.sameKinds[m.Protocol])
	kinds := s.finders[m.Protocol]
	for i := range m.Elements {
		e := &m.Elements[i]
		k := kinds[e.Kind]
		if k == nil {
			continue
		}
		if k.candidates(m, e, sc); len(sc.found) == 0 {
			continue
		}
		sc.act.e, sc.act.index = e, i
		for _, n := range sc.found {
			if c, ok := s.ask(s.rules[n], service, sc, i); ok && !c.Shadow {
				s.rules[n].def.corrections.Add(1)
				return []protocol.Correction{c}
			}
		}
	}
	return nil
}

// place works out where the elements of a batch stand among their equals, behind
// those of the batches before it.
func (v *survey) place(m *protocol.Message, kinds map[string]bool) {
	v.index, v.keys = v.index[:0], v.keys[:0]
	if kinds == nil {
		return
	}
	if !m.Continues || v.seen == nil {
		v.seen = map[same]int64{}
	}
	for i := range m.Elements {
		k, ok := same{}, false
		if kinds[m.Elements[i].Kind] {
			k, ok = sameOf(&m.Elements[i])
		}
		v.index, v.keys = append(v.index, v.seen[k]), append(v.keys, k)
		if ok {
			v.seen[k]++
		}
	}
}

// among resolves one of sameVars.
func (v *survey) among(name string, i int) (any, bool) {
	if v == nil || i >= len(v.index) {
		return nil, false
	}
	if name == sameIndex {
		return v.index[i], true
	}
	return v.count[v.keys[i]], true
}

// foundBy is what the rules of a definition found, never nil.
func (a *activation) foundBy(name string) (any, bool) {
	if a.survey == nil {
		return []string{}, true
	}
	if list := a.survey.found[protocol.Name{Definition: a.rule.def.ID, Variable: name}]; list != nil {
		return list, true
	}
	return []string{}, true
}

var errFoundTooMuch = errors.New("find: more was found than can be kept")

// find adds what a find rule finds.
func (r *rule) find(act *activation) error {
	v, _, err := r.calc.Eval(act)
	if err != nil {
		return err
	}
	text, ok := v.Value().(string)
	if !ok {
		return fmt.Errorf("find: value has type %T; want text", v.Value())
	}
	r.def.remembered[r.index].Store(true)
	if act.survey.found == nil {
		act.survey.found = map[protocol.Name][]string{}
	}
	list := act.survey.found[r.slot]
	if len(list) >= maxFound || len(text) > MaxRemembered {
		return errFoundTooMuch
	}
	act.survey.found[r.slot] = append(list, text)
	return nil
}

var foundType = cel.ListType(cel.StringType)

// finders are the kinds of element at which the rules of the definition find
// something, by its name.
func (c *compiler) finders() map[string][]string {
	kinds := map[string][]string{}
	if c.def == nil {
		return kinds
	}
	for i := range c.def.Rules {
		if r := &c.def.Rules[i]; r.Do.Kind == "find" {
			kinds[r.Do.Name.Value] = append(kinds[r.Do.Name.Value], r.At.Value)
		}
	}
	return kinds
}

// surveyed checks what an expression reads of a survey, by the name of a variable.
func (c *compiler) surveyed(t Text, name, kind string) {
	found := strings.HasPrefix(name, foundPrefix)
	if name != sameIndex && name != sameCount && !found {
		return
	}
	if c.finding && name != sameIndex {
		c.fail(t.Pos, "%s is not known yet when something is to be found; want a condition on the element, or another rule that reads what was found", name)
	}
	if found {
		kinds := c.finders()[name[len(foundPrefix):]]
		if !slices.ContainsFunc(kinds, func(k string) bool { return c.schema.Elements[k].Dir == c.schema.Elements[kind].Dir }) {
			c.fail(t.Pos, "%s is found in the other direction; want a rule that finds it in the same message", name)
		}
		return
	}
	c.same = true
	fields := c.schema.Elements[kind].Fields
	_, key := fields["key"]
	if _, named := fields[nameField]; !key && !named {
		c.fail(t.Pos, "%s: %s has neither key nor name; want an element that has one", name, kind)
	}
}
