package patch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wirepatch/dataplane/protocol"
)

// The modes of a definition.
const (
	Off     = "off"     // not in force
	Shadow  = "shadow"  // works out what it would change, changes nothing
	Correct = "correct" // corrects
)

// Set is a generation of compiled definitions: protocol.Rules. It does not
// change once made, apart from its counters, and serves any number of sessions
// at once.
type Set struct {
	defs      []*loaded
	rules     []*rule
	protocols map[string]map[string]*kindIndex // by protocol, by kind
	finders   map[string]map[string]*kindIndex // the same, of the rules that find
	sameKinds map[string]map[string]bool       // kinds whose equals are counted, by protocol
	surveys   map[string]bool                  // kinds that are surveyed, of all protocols
	surveyed  map[string]bool                  // protocols
	kinds     map[string]bool                  // of all protocols
	holds     map[string]int                   // by kind
	awaits    map[string]bool                  // by protocol: see protocol.Awaiter
	pool      sync.Pool
	now       func() time.Time
	state     *State
	early     map[string]*kindIndex        // by kind; see WantsOf
	watches   sync.Map                     // by kind; see Watch
	services  map[string]map[string]string // modes by definition and service
	products  map[string][]string          // by service
	scoped    bool                         // products are known
	values    Values                       // of parameters
	limits    limits                       // see budget
	closed    map[string]bool              // services that nothing passes unprotected to
	onAside   func(id, why string)
	onLimited func(id, client string)
	memory    *Memory // see Load
	workers   int     // see Load
	vetted    bool    // all have been compiled before, without a fault
	tested    int     // definitions whose tests were run
}

// Option is something that a Set is made with beside its definitions.
type Option func(*Set)

// WithState has rates counted on from an earlier generation's.
func WithState(s *State) Option { return func(o *Set) { o.state = s } }

// WithServiceModes gives definitions modes of their own in single services: by
// definition id, by service.
func WithServiceModes(m map[string]map[string]string) Option {
	return func(o *Set) { o.services = m }
}

// WithMemory spares Load the tests of definitions that have passed them.
func WithMemory(m *Memory) Option { return func(o *Set) { o.memory = m } }

// WithWorkers has Load read and test so many definitions at once; without it one
// after the other, which leaves the processors to the wire.
func WithWorkers(n int) Option { return func(o *Set) { o.workers = n } }

// WithAside has f told when a definition is set aside at run time. It is called
// from Match and must return at once.
func WithAside(f func(id, why string)) Option { return func(o *Set) { o.onAside = f } }

// WithLimited has f told when a definition's cost has a client kept from it,
// now and then. It is called from Match and must return at once.
func WithLimited(f func(id, client string)) Option { return func(o *Set) { o.onLimited = f } }

// WithClosed names the services whose messages are refused, rather than passed,
// where a definition that they concern is set aside at run time.
func WithClosed(services map[string]bool) Option { return func(o *Set) { o.closed = services } }

// loaded is a definition with its counters.
type loaded struct {
	*Definition
	mode        string
	byService   map[string]string         // modes in single services
	parameters  map[string]map[string]any // by service ("": all others), by name
	err         string                    // why it is set aside
	budget      budget
	corrects    bool          // not all of its rules only report or remember
	remembered  []atomic.Bool // by rule: it has remembered something
	corrections atomic.Uint64
	errors      atomic.Uint64
	unjudged    *unjudged // nil: nobody asks what could not be judged
}

// Info is the state of one definition.
type Info struct {
	ID              string
	Revision        int
	Title           string
	Vulnerabilities []string
	Mode            string
	Services        map[string]string // modes in single services
	Only            string            // product whose servers it is confined to; "": all that speak its protocol
	Parameters      []GivenParameter
	Error           string // why it is set aside; "" when it is in force
	Corrections     uint64 // corrections asked for since this Set was made, in shadow mode too
	Errors          uint64 // evaluations that failed or cost too much, and so matched nothing
}

// Compile makes a Set of definitions. schemas are by protocol, modes by
// definition id; a definition without one is in its own default mode. Errors are for what
// was left out: a definition with a fault is set aside whole, with its reason in
// Definitions, and the others go on.
func Compile(defs []*Definition, schemas map[string]protocol.Schema, modes map[string]string, opts ...Option) (*Set, []error) {
	return compileAt(defs, schemas, modes, time.Now, opts...)
}

func compileAt(defs []*Definition, schemas map[string]protocol.Schema, modes map[string]string, now func() time.Time, opts ...Option) (*Set, []error) {
	envs, err := newEnvironments()
	if err != nil {
		return &Set{}, []error{err}
	}
	s := &Set{now: now, kinds: map[string]bool{}, holds: map[string]int{}, awaits: map[string]bool{}, protocols: map[string]map[string]*kindIndex{}, limits: defaultLimits}
	for _, o := range opts {
		o(s)
	}
	if s.state == nil {
		s.state = NewState()
	}
	var errs []error
	ids := map[string]bool{}
	sorted := slices.Clone(defs)
	slices.SortStableFunc(sorted, byID)
	for _, d := range sorted {
		l := &loaded{Definition: d, mode: modeOf(modes, d), byService: s.services[d.ID], budget: budget{limits: &s.limits, at: s.limits.day()}, corrects: corrects(d), remembered: make([]atomic.Bool, len(d.Rules))}
		s.within(l)
		s.defs = append(s.defs, l)
		rules, err := s.compileDefinition(envs, l, schemas)
		if ids[d.ID] {
			err = d.errorf("id %s is there twice; want each id once", d.ID)
		}
		ids[d.ID] = true
		if err != nil {
			l.err = err.Error()
			errs = append(errs, err)
		} else if l.inForce() {
			s.rules = append(s.rules, rules...)
		}
	}
	s.index()
	return s, errs
}

// corrects says whether a definition does more than report and remember.
func corrects(d *Definition) bool {
	return slices.ContainsFunc(d.Rules, func(r Rule) bool { return !slices.Contains([]string{"report", "remember", "find"}, r.Do.Kind) })
}

// inForce says whether the definition is on anywhere.
func (l *loaded) inForce() bool {
	for _, m := range l.byService {
		if m != Off {
			return true
		}
	}
	return l.mode != Off
}

func (s *Set) compileDefinition(envs *environments, l *loaded, schemas map[string]protocol.Schema) (_ []*rule, err error) {
	for _, m := range append(slices.Collect(maps.Values(l.byService)), l.mode) {
		if m != Off && m != Shadow && m != Correct {
			return nil, l.errorf("mode of %s is %q; want %s, %s or %s", l.ID, m, Off, Shadow, Correct)
		}
	}
	schema, ok := schemas[l.Protocol]
	if !ok {
		return nil, l.protocolPos.errorf("protocol: no decoder for %q, and no description of it in the folder "+ProtocolFolder, clip(l.Protocol))
	}
	if l.parameters, err = parameterValues(l.Definition, s.values[l.ID]); err != nil {
		return nil, err
	}
	if s.vetted && !l.inForce() {
		return nil, nil
	}
	c := &compiler{envs: envs, schema: &schema, def: l.Definition, held: heldVars(&schema)}
	seen := map[string]bool{}
	for _, v := range l.Session {
		if seen[v.Name] {
			c.fail(v.Pos, "session: variable %s is there twice; want it once", v.Name)
		}
		seen[v.Name] = true
	}
	c.checkGiven()
	var out []*rule
	for i := range l.Rules {
		if r := c.compileRule(&l.Rules[i], l, i); r != nil {
			out = append(out, r)
		}
	}
	c.checkLets()
	return out, errors.Join(c.errs...)
}

// modeOf is a definition's mode: the owner's word, else its own default.
func modeOf(modes map[string]string, d *Definition) string {
	if m, ok := modes[d.ID]; ok {
		return m
	}
	return cmp.Or(d.Default, Correct)
}

func (s *Set) index() {
	type place struct {
		protocol, kind string
		finds          bool
	}
	rules, numbers := map[place][]*rule{}, map[place][]int32{}
	for i, r := range s.rules {
		p := place{r.def.Protocol, r.kind, r.finds}
		rules[p], numbers[p] = append(rules[p], r), append(numbers[p], int32(i))
	}
	n := 0
	s.finders, s.sameKinds = map[string]map[string]*kindIndex{}, map[string]map[string]bool{}
	s.surveys, s.surveyed = map[string]bool{}, map[string]bool{}
	in := map[bool]map[string]map[string]*kindIndex{false: s.protocols, true: s.finders}
	for p := range rules {
		of := in[p.finds]
		if of[p.protocol] == nil {
			of[p.protocol] = map[string]*kindIndex{}
		}
		of[p.protocol][p.kind] = newKindIndex(n, rules[p], numbers[p])
		s.kinds[p.kind] = true
		n++
	}
	for _, r := range s.rules {
		s.holds[r.kind] = max(s.holds[r.kind], r.hold)
		s.awaits[r.def.Protocol] = s.awaits[r.def.Protocol] || r.awaits
		if r.places {
			in[r.finds][r.def.Protocol][r.kind].places = true
		}
		if r.same {
			if s.sameKinds[r.def.Protocol] == nil {
				s.sameKinds[r.def.Protocol] = map[string]bool{}
			}
			s.sameKinds[r.def.Protocol][r.kind] = true
		}
		if r.surveys() {
			s.surveys[r.kind], s.surveyed[r.def.Protocol] = true, true
		}
		for _, v := range r.reads {
			// A variable that is an element, too, a body, is known only where the
			// decoder publishes the element.
			s.kinds[v] = true
		}
	}
	n = s.indexEarly(n)
	total := len(s.rules)
	s.pool.New = func() any { return newScratch(total, n) }
}

// Definitions tells the state of all definitions, by id.
func (s *Set) Definitions() []Info {
	out := make([]Info, 0, len(s.defs))
	for _, d := range s.defs {
		why := d.err
		if slow := d.budget.why(); slow != "" {
			why = slow
		}
		out = append(out, Info{
			ID: d.ID, Revision: d.Revision, Title: d.Title, Vulnerabilities: d.Vulnerabilities,
			Mode: d.mode, Services: d.byService, Only: d.confinedTo(), Parameters: d.givenParameters(), Error: why,
			Corrections: d.corrections.Load(), Errors: d.errors.Load(),
		})
	}
	return out
}

// Tested is how many definitions' tests Load has run: of those that a Memory did
// not know.
func (s *Set) Tested() int { return s.tested }

func (s *Set) String() string {
	return fmt.Sprintf("%d definitions, %d rules", len(s.defs), len(s.rules))
}
