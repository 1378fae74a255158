package main

import (
	"fmt"
	"log/slog"
	"slices"

	"wirepatch/board/settings"
	"wirepatch/dataplane/decoders"
	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/port"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// generation is settings and definitions, compiled: what is in force until the
// next one.
type generation struct {
	settings []settings.Service
	wire     settings.Wire
	services []*session.Service
	set      *patch.Set
	faults   []error // why definitions were set aside
}

// builder makes generations.
type builder struct{ options options }

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
	return s, nil
}

// build compiles the definitions for settings s. A definition with a fault is
// set aside and does not keep the others from being in force.
func (b *builder) build(s *settings.Settings) *generation {
	g := &generation{settings: s.Services, wire: s.Wire}
	g.set, g.faults = patch.Load(b.options.definitions, decoders.ForDefinitions(), s.Modes)
	for _, v := range s.Services {
		g.services = append(g.services, &session.Service{
			Name: v.Name, Address: v.Address, Port: v.Port, Exceed: exceed[v.Exceed],
			New: inspector(v, g.set),
		})
	}
	for _, err := range g.faults {
		slog.Error("definition set aside", "error", err)
	}
	slog.Info("definitions loaded", "definitions", g.set.String(), "services", len(g.services), "set aside", len(g.faults))
	return g
}

var exceed = map[string]session.Policy{"reset": session.PolicyReset, "pass": session.PolicyPass}

// inspector returns the maker of decoders for one service.
func inspector(v settings.Service, rules protocol.Rules) func(session.Conn, bool) session.Inspector {
	d, _ := decoders.Find(v.Protocol) // settings accept no other
	return func(c session.Conn, midStream bool) session.Inspector {
		conn := protocol.Conn{
			ClientAddress: c.Client.Addr().String(), ClientPort: int(c.Client.Port()),
			ServerAddress: c.Server.Addr().String(), ServerPort: int(c.Server.Port()),
		}
		return d.New(rules, conn, decoders.Options{Exceed: v.Exceed, MidStream: midStream})
	}
}

// portServices says what the ports are to hand up.
func portServices(s *settings.Settings) []port.Service {
	var out []port.Service
	for _, v := range s.Services {
		out = append(out, port.Service{Address: v.Address, Port: v.Port, FailClosed: v.Fail == "closed"})
	}
	return out
}

// install puts g in force. It runs on the loop, or before it. Sessions under
// way go on as they began; so what g protects no more is handed up until the
// last session of that service has ended, and the engine passes what is new.
func (l *loop) install(g *generation) error {
	wanted := portServices(&settings.Settings{Services: g.settings})
	l.draining, l.drainNames = nil, nil
	for i, old := range portServices(&settings.Settings{Services: l.current.settings}) {
		same := func(n port.Service) bool { return n.Address == old.Address && n.Port == old.Port }
		if !slices.ContainsFunc(wanted, same) {
			l.draining = append(l.draining, old)
			l.drainNames = append(l.drainNames, l.current.settings[i].Name)
		}
	}
	l.engine.SetServices(g.services)
	l.current = g
	for _, err := range g.faults {
		l.report("definition", "definition set aside: "+err.Error())
	}
	return l.setPorts()
}

func (l *loop) setPorts() error {
	return l.port.SetServices(append(portServices(&settings.Settings{Services: l.current.settings}), l.draining...))
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
		if open[l.drainNames[i]] == 0 {
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
