package main

import (
	"maps"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/patch"
)

// snapshot runs on the loop.
func (l *loop) snapshot() snapshot {
	l.tellStruck()
	s := snapshot{room: l.room, generation: l.current, stats: l.engine.Stats(), corrections: l.corrections, ruined: l.ruined, doomed: uint64(len(l.doomed)), perPatch: maps.Clone(l.perPatch)}
	if s.counters, s.err = l.port.Counters(); s.err == nil {
		s.below = l.addBelow(&s.stats, s.counters)
		s.policies, s.err = l.policies()
	}
	return s
}

func sessionsOf(n snapshot) control.Sessions {
	s := n.stats
	return control.Sessions{Open: s.Open - s.Closing, Total: s.Total, Edited: s.Edited, Passed: s.Passed, PickedUp: s.PickedUp, Reset: s.Reset, Lost: n.ruined, Doomed: n.doomed, Flows: s.Flows, Dropped: s.Dropped, Replied: s.Replied, Untold: s.Untold,
		Engine: s.Open - s.Flows - s.Closing - n.below, EngineRoom: uint64(n.room.limits.Sessions), KernelRoom: uint64(n.room.below), HeldRoom: uint64(n.room.limits.Total),
		Aside: s.Aside, Crowded: s.Crowded, MemoryBytes: uint64(n.room.machine),
		HeldBytes: s.Held, BadChecksum: s.BadChecksum, Malformed: s.Malformed, Refused: s.Refused}
}

func servicesOf(s snapshot) []control.Service {
	out := []control.Service{}
	for i, v := range s.generation.settings {
		address := v.Address.String()
		if v.Address.IsSingleIP() {
			address = v.Address.Addr().String()
		}
		out = append(out, control.Service{Name: v.Name, Address: address, Port: int(v.Port), Protocol: v.Protocol, Over: v.Over,
			Fail: v.Fail, InForce: failOf(s.policies[i]), Exceed: v.Exceed, Products: v.Products, Sessions: s.stats.PerService[v.Name]})
	}
	return out
}

func definitionsOf(s snapshot) []control.Definition {
	out := []control.Definition{}
	if s.generation.set == nil {
		return out
	}
	for _, d := range s.generation.set.Definitions() {
		out = append(out, control.Definition{ID: d.ID, Revision: d.Revision, Title: d.Title, Vulnerabilities: d.Vulnerabilities,
			Mode: d.Mode, Services: d.Services, Error: d.Error, Corrections: s.perPatch[d.ID], Only: d.Only, Parameters: parametersOf(d)})
	}
	return out
}

func parametersOf(d patch.Info) (out []control.Parameter) {
	for _, p := range d.Parameters {
		out = append(out, control.Parameter(p))
	}
	return out
}
