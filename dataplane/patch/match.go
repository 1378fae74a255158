package patch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

var _ protocol.Rules = (*Set)(nil)

// Wants implements protocol.Rules.
func (s *Set) Wants(kind string) bool { return s.kinds[kind] }

// Match implements protocol.Rules. Rules are asked in the order of the elements,
// of the definitions' ids and within them. A later rule sees a field as an
// earlier one in correct mode has set it; none is asked about an element that is
// removed, or after the message is rejected, dropped, spoiled or the session reset. Where
// several set the same field, the first correction carries the last one's value,
// for a decoder makes one edit of a field, and the others are there as reports.
func (s *Set) Match(m *protocol.Message) []protocol.Correction { return s.match(m, "") }

// Awaits implements protocol.Awaiter.
func (s *Set) Awaits(name string) bool { return s.awaits[name] }

// Hold implements protocol.Holder.
func (s *Set) Hold(kind string) int { return s.holds[kind] }

// match is Match for the sessions of one service.
func (s *Set) match(m *protocol.Message, service string) []protocol.Correction {
	kinds := s.protocols[m.Protocol]
	if len(kinds) == 0 {
		return nil // what was found changes nothing by itself
	}
	sc := s.pool.Get().(*scratch)
	defer func() {
		sc.release()
		s.pool.Put(sc)
	}()
	sc.act = activation{m: m, date: s.now, places: &sc.places, state: s.state, service: service}
	if needsPlaces(kinds) || needsPlaces(s.finders[m.Protocol]) {
		sc.places.find(m) // in any case: the next part counts on
	}
	out, ended := s.surveyOf(m, service, sc)
	if ended {
		return out
	}
	for i := range m.Elements {
		k := kinds[m.Elements[i].Kind]
		if k == nil {
			continue
		}
		if k.candidates(m, &m.Elements[i], sc); len(sc.found) == 0 {
			continue
		}
		if out, ended = s.element(m, service, i, k, sc, out); ended {
			break
		}
	}
	return out
}

// element asks the rules about one element. ended means that the message is not
// forwarded and needs no more corrections.
func (s *Set) element(m *protocol.Message, service string, i int, k *kindIndex, sc *scratch, out []protocol.Correction) (_ []protocol.Correction, ended bool) {
	e := m.Elements[i]
	copied := false
	sc.act.e, sc.act.index = &e, i
	for at := 0; at < len(sc.found); at++ {
		n := sc.found[at]
		if e.Span.Start < m.Told && !s.rules[n].again() || m.Told > 0 && s.rules[n].action == protocol.Interim {
			continue
		}
		c, ok := s.ask(s.rules[n], service, sc, i)
		if !ok {
			continue
		}
		r := s.rules[n]
		r.def.corrections.Add(1)
		out = append(out, c)
		if c.Shadow {
			continue
		}
		if c.Action == protocol.Set {
			out = mergeSet(out)
		}
		switch c.Action {
		case protocol.Reject, protocol.Drop, protocol.Reset, protocol.Spoil:
			return out, true
		case protocol.Remove:
			return out, false
		case protocol.Set: // c, which mergeSet did not change
			if !copied {
				e.Fields, copied = slices.Clone(e.Fields), true
			}
			e.Field(c.Field).Value = c.Value
			// The new value may concern other rules than the old one did.
			k.candidates(m, &e, sc)
			at, _ = slices.BinarySearch(sc.found, n+1)
			at--
		}
	}
	return out, false
}

// again says whether the rule may correct an element otherwise when what is
// elsewhere in the message is read in another way (protocol.Message.Told).
func (r *rule) again() bool {
	return len(r.reads) > 0 && r.calc == nil && r.action != protocol.Report
}

// surveyOf has the survey of a message at hand: the decoder's, or one of what is
// shown now.
func (s *Set) surveyOf(m *protocol.Message, service string, sc *scratch) (out []protocol.Correction, ended bool) {
	if !s.surveyed[m.Protocol] {
		return nil, false
	}
	if v, _ := m.Survey.(*survey); v != nil {
		sc.act.survey = v
		v.place(m, s.sameKinds[m.Protocol])
		return nil, false
	}
	sc.act.survey = &survey{}
	out = s.look(m, service, sc, sc.act.survey)
	return out, len(out) > 0
}

func needsPlaces(kinds map[string]*kindIndex) bool {
	for _, k := range kinds {
		if k.places {
			return true
		}
	}
	return false
}

// ask evaluates one rule and works out its correction, and charges the time to
// the definition. What a rule remembers is remembered at once.
func (s *Set) ask(r *rule, service string, sc *scratch, i int) (c protocol.Correction, ok bool) {
	mode := r.def.modeIn(service)
	if mode == Off {
		return c, false
	}
	b := &r.def.budget
	if at := b.stands(sc.act.m); at != judged {
		return s.unjudged(r, at, service, sc.act.m, mode, i)
	}
	clock := b.clock(sc.took)
	start := clock()
	sc.act.rule = r
	holds, err := r.holds(&sc.act)
	if holds {
		c, ok = r.correction(&sc.act, i, mode == Shadow)
	} else if r.tooDear(err, &sc.act) {
		c, ok = r.refusal(i, mode == Shadow), true
	}
	took := clock() - start
	sc.took += max(0, min(took, budgetMost))
	if b.charge(sc.act.m, took) && s.onAside != nil {
		s.onAside(r.def.ID, b.why())
	}
	if !ok && sc.took > s.limits.message && r.refuses(sc.act.m) {
		r.def.unjudged.add(r, errMessageTooDear)
		c, ok = r.refusal(i, mode == Shadow), true
	}
	return c, ok
}

// unjudged is what becomes of a message that a rule is not asked about: for what
// its client has cost, or because the definition is set aside, which its service
// may want to be closed for. It concerns the definition, as far as that is known
// without an evaluation, so it does not pass where it might have been corrected.
// Rules that remember count, too: what they miss, those that correct would.
func (s *Set) unjudged(r *rule, at standing, service string, m *protocol.Message, mode string, i int) (c protocol.Correction, ok bool) {
	r.def.errors.Add(1)
	if at == first && s.onLimited != nil {
		s.onLimited(r.def.ID, clientOf(m).String())
	}
	if mode == Correct && r.def.corrects && (at != out || s.closed[service]) {
		return r.refusal(i, false), true
	}
	return c, false
}

// mergeSet gives the value of the last correction, a Set, to the first effective
// one of the same field; then the last one only reports.
func mergeSet(out []protocol.Correction) []protocol.Correction {
	last := &out[len(out)-1]
	for i := range out[:len(out)-1] {
		c := &out[i]
		if c.Element == last.Element && c.Field == last.Field && c.Action == protocol.Set && !c.Shadow {
			c.Value = last.Value
			last.Action = protocol.Report
			break
		}
	}
	return out
}

// holds evaluates a rule's condition. What cannot be evaluated does not hold.
func (r *rule) holds(act *activation) (bool, error) {
	if r.cond == nil {
		return true, nil
	}
	v, _, err := r.cond.Eval(act)
	if err != nil {
		r.failed(err)
		return false, err
	}
	return v == types.True, nil
}

// tooDear says whether an evaluation was broken off for what it cost, of a rule
// that would have corrected a client's message. The client chose what to send:
// else it would be enough to send more of it for no rule to hold.
func (r *rule) tooDear(err error, act *activation) bool {
	var broken interpreter.EvalCancelledError
	return errors.As(err, &broken) && r.refuses(act.m)
}

// refuses says whether a message that the rule cannot judge is refused.
func (r *rule) refuses(m *protocol.Message) bool {
	return m.Dir == session.ToServer && (r.finds || r.calc == nil && r.action != protocol.Report)
}

// refusal resets the session of a message that cannot be judged.
func (r *rule) refusal(element int, shadow bool) protocol.Correction {
	return protocol.Correction{Definition: r.def.ID, Revision: r.def.Revision, Rule: r.index, Shadow: shadow, Action: protocol.Reset, Element: element}
}

// correction works out what a rule that holds asks for; false when that would
// change nothing, or fails.
func (r *rule) correction(act *activation, element int, shadow bool) (protocol.Correction, bool) {
	c := protocol.Correction{
		Definition: r.def.ID, Revision: r.def.Revision, Rule: r.index,
		Shadow: shadow, Action: r.action, Element: element, Name: r.name, First: r.first, Late: r.late, Aware: r.aware,
	}
	var err error
	if r.calc != nil {
		do := r.remember
		if r.finds {
			do = r.find
		}
		if err = do(act); err == nil {
			return c, false
		}
		r.failed(err)
		if r.tooDear(err, act) || r.refuses(act.m) && errors.Is(err, errFoundTooMuch) {
			return r.refusal(element, shadow), true
		}
		return c, false
	}
	switch r.action {
	case protocol.Set:
		old, ok := textField(act.e, r.field)
		if !ok {
			return c, false
		}
		c.Field = r.field
		if c.Value, err = r.newValue(act, old); err == nil && c.Value == old {
			return c, false
		}
	case protocol.Reject, protocol.Interim:
		c.Reply, err = r.reply.fill(act)
	case protocol.Insert:
		c.Insert = &protocol.Insertion{Before: r.before}
		for _, f := range r.fields {
			var v string
			if v, err = f.value.fill(act, nil); err != nil {
				break
			}
			c.Insert.Fields = append(c.Insert.Fields, [2]string{f.name, v})
		}
	}
	if err != nil {
		r.failed(err)
		if r.tooDear(err, act) {
			return r.refusal(element, shadow), true
		}
		return c, false
	}
	return c, true
}

// remember gives a session variable its new value.
func (r *rule) remember(act *activation) error {
	v, _, err := r.calc.Eval(act)
	if err != nil {
		return err
	}
	value := v.Value()
	if s, ok := value.(string); ok && len(s) > MaxRemembered {
		return fmt.Errorf("remember: text of %d bytes; want at most %d", len(s), MaxRemembered)
	}
	r.def.remembered[r.index].Store(true)
	if act.m.Memory != nil && !act.m.Memory.Set(r.slot, value) {
		return errors.New("remember: the session has too many variables")
	}
	return nil
}

func textField(e *protocol.Element, name string) (string, bool) {
	f := e.Field(name)
	if f == nil {
		return "", false
	}
	switch v := f.Value.(type) {
	case string:
		return v, true
	case int64:
		return types.Int(v).ConvertToType(types.StringType).Value().(string), true
	}
	return "", false
}

func (r *rule) newValue(act *activation, old string) (string, error) {
	switch {
	case r.name == "cut":
		return old[:min(len(old), r.cut)], nil
	case r.match == nil:
		return r.value.fill(act, nil)
	case !r.match.MatchString(old):
		return old, nil
	}
	with, err := r.value.fill(act, func(s string) string { return strings.ReplaceAll(s, "$", "$$") })
	if err != nil {
		return "", err
	}
	return r.match.ReplaceAllString(old, with), nil
}

func (r *reply) fill(act *activation) (*protocol.Reply, error) {
	out := &protocol.Reply{Status: r.status, Framing: r.framing, Close: r.close}
	for _, f := range []struct {
		to   *string
		from *template
	}{{&out.Version, r.version}, {&out.Reason, r.reason}, {&out.Body, r.body}, {&out.Raw, r.raw}} {
		var err error
		if *f.to, err = f.from.fill(act, nil); err != nil {
			return nil, err
		}
	}
	for _, h := range r.headers {
		name, err := h[0].fill(act, nil)
		if err != nil {
			return nil, err
		}
		value, err := h[1].fill(act, nil)
		if err != nil {
			return nil, err
		}
		out.Headers = append(out.Headers, [2]string{name, value})
	}
	return out, nil
}
