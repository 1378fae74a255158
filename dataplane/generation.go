package main

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"

	"wirepatch/board/settings"
	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/session"
)

// generation is settings and definitions, compiled: what is in force until the
// next one.
type generation struct {
	settings []settings.Service
	wire     settings.Wire
	services []*session.Service
	set      *patch.Set
	rules    map[string]*patch.Live   // of all services that there ever were, by name
	faults   []error                  // why definitions were set aside
	vetting  port.Vetting             // what the ports may let go on by themselves
	strikes  map[string]*patch.Strike // what they correct, by the field's name
	asked    []string                 // definitions because of which they may not
}

// builder makes generations. What outlives them is its own: what rules have
// counted, and through what the sessions of a service ask the rules in force.
type builder struct {
	options options
	state   *patch.State
	rules   map[string]*patch.Live
	aside   func(id, why string)    // told when a definition is set aside at run time
	limited func(id, client string) // told when a definition's cost has a client kept from it
	memory  *patch.Memory           // nil: none
	begun   bool                    // a generation was built before
}

func newBuilder(o options) *builder {
	b := &builder{options: o, state: patch.NewState(), rules: map[string]*patch.Live{}, aside: func(string, string) {}, limited: func(string, string) {}}
	if o.memory != "" {
		var err error
		if b.memory, err = patch.OpenMemory(o.memory, o.firmware); err != nil {
			slog.Warn("the definitions are tested again", "error", err)
		}
	}
	return b
}

// workers is how many definitions are tested at once: as many as there are
// processors before the wire is inspected, one beside the work on it.
func (b *builder) workers() int {
	if b.begun {
		return 1
	}
	b.begun = true
	return runtime.GOMAXPROCS(0)
}

// settings reads appliance.ini. With an error comes an empty one.
func (b *builder) settings() (*settings.Settings, error) {
	read := settings.Load
	if b.options.settings != "" {
		read = func() (*settings.Settings, error) { return settings.Read(b.options.settings) }
	}
	s, err := read()
	if err != nil {
		return &settings.Settings{Wire: settings.DefaultWire}, fmt.Errorf("read settings: %w", err)
	}
	set, _ := decoders.Load(b.options.definitions) // faults are told when they are compiled
	if err := checkProtocols(s.Services, set); err != nil {
		return &settings.Settings{Wire: settings.DefaultWire}, fmt.Errorf("read settings: %w", err)
	}
	return s, nil
}

// build compiles the definitions for settings s. A definition with a fault is
// set aside and does not keep the others from being in force.
func (b *builder) build(s *settings.Settings) *generation {
	g := &generation{settings: protected(s), wire: s.Wire, rules: map[string]*patch.Live{}}
	decs, faults := decoders.Load(b.options.definitions)
	g.set, g.faults = patch.Load(b.options.definitions, decs.ForDefinitions(), s.Modes,
		patch.WithState(b.state), patch.WithServiceModes(s.ServiceModes), patch.WithParameters(s.Parameters), patch.WithProducts(productsOf(s.Services)), patch.WithAside(func(id, why string) { b.aside(id, why) }),
		patch.WithLimited(func(id, client string) { b.limited(id, client) }), patch.WithClosed(closedOf(s.Services)),
		patch.WithMemory(b.memory), patch.WithWorkers(b.workers()))
	if err := b.memory.Save(); err != nil {
		slog.Warn("the definitions will be tested again at the next start", "error", err)
	}
	g.faults = append(faults, g.faults...)
	for _, v := range g.settings {
		if b.rules[v.Name] == nil {
			b.rules[v.Name] = new(patch.Live)
		}
		g.services = append(g.services, sessionServices(v, decs, b.rules[v.Name])...)
	}
	maps.Copy(g.rules, b.rules)
	if s.Wire.KernelInspection {
		g.vetting, g.asked, g.strikes = vetting(g.set)
	}
	for _, err := range g.faults {
		slog.Error("definition set aside", "error", err)
	}
	slog.Info("definitions loaded", "definitions", g.set.String(), "tested", g.set.Tested(), "services", len(g.services), "set aside", len(g.faults))
	return g
}

// protected are the services to look after: none while the wire is bypassed.
func protected(s *settings.Settings) []settings.Service {
	if s.Wire.Bypass {
		return nil
	}
	return s.Services
}

// productsOf are the products that the owner says services run, by service.
func productsOf(services []settings.Service) map[string][]string {
	out := map[string][]string{}
	for _, v := range services {
		out[v.Name] = v.Products
	}
	return out
}

// closedOf are the services that fail closed.
func closedOf(services []settings.Service) map[string]bool {
	out := map[string]bool{}
	for _, v := range services {
		out[v.Name] = v.Fail == "closed"
	}
	return out
}

// vetting says which HTTP messages no rule of the set can concern, as far as the
// ports can tell, and which definitions must be asked about every message.
// The ports make the corrections of strikes themselves.
func vetting(set *patch.Set) (v port.Vetting, asked []string, strikes map[string]*patch.Strike) {
	strikes = map[string]*patch.Strike{}
	t := set.Texts("http", patch.Look{Sight: http.SimpleHeads, Worth: port.Worth, WorthLength: port.WorthLength, Strike: port.CanStrike})
	asked = slices.Compact(slices.Sorted(slices.Values(slices.Concat(t.Every[:]...))))
	v = port.Vetting{Requests: len(t.Every[session.ToServer]) == 0, Responses: len(t.Every[session.ToClient]) == 0,
		Texts: t.Of, Long: t.Long, Keep: t.LooksBack}
	for i := range t.Strikes {
		k := &t.Strikes[i]
		strikes[k.Name] = k
		v.Strike = append(v.Strike, k.Name)
	}
	return v, asked, strikes
}

// install puts g in force. It runs on the loop, or before it. Sessions under
// way ask the new definitions from their next message on, but keep their service; so what g protects no more is handed up until the
// last session of that service has ended, and the engine passes what is new.
func (l *loop) install(g *generation) error {
	l.tellStruck() // by the rules that were
	maps.Copy(l.strikes, g.strikes)
	// Stricter rules are in force below before they are here, and looser ones after.
	l.port.SetVetting(g.vetting)
	wanted := portServices(g.settings, g.wire)
	l.draining, l.drainNames = nil, nil
	for _, v := range l.current.settings {
		for _, old := range portsOf(v, l.current.wire) {
			same := func(n port.Service) bool {
				return n.Transport == old.Transport && n.Address == old.Address && n.Port == old.Port
			}
			if !slices.ContainsFunc(wanted, same) {
				old.Follow = false // what begins to end is the engine's
				l.draining = append(l.draining, old)
				l.drainNames = append(l.drainNames, v.Name)
			}
		}
	}
	l.engine.SetServices(g.services)
	set := g.set
	if g.wire.Bypass { // sessions under way are left alone, too
		set = new(patch.Set)
	}
	for name, rules := range g.rules {
		rules.Use(set.For(name))
	}
	l.current = g
	for _, err := range g.faults {
		l.report("definition", "definition set aside: "+err.Error())
	}
	return l.setPorts()
}

func (l *loop) setPorts() error {
	return l.port.SetServices(append(portServices(l.current.settings, l.current.wire), l.draining...))
}

// drain takes services off the ports whose last session has ended.
func (l *loop) drain(now session.Instant) {
	if len(l.draining) == 0 || now < l.drainAt {
		return
	}
	l.drainAt = now + int64(drainEvery)
	open := l.engine.Stats().PerService
	before := len(l.draining)
	for i := len(l.draining) - 1; i >= 0; i-- {
		if open[l.drainNames[i]] == 0 && l.census.generation == l.current && l.census.strays == 0 {
			l.draining = slices.Delete(l.draining, i, i+1)
			l.drainNames = slices.Delete(l.drainNames, i, i+1)
		}
	}
	if len(l.draining) == before {
		return
	}
	if err := l.setPorts(); err != nil {
		slog.Error("services that are no longer protected stay on the ports", "error", err)
	}
}
