package prove

import (
	"math/rand/v2"
	"slices"
)

// variant is an exchange said otherwise: HTTP requests, or steps.
type variant struct {
	name     string
	requests []request
	steps    []step
}

// variants are all that a protocol's mutations make of an entry.
func (p *proof) variants(e *entry, name string) (out []variant) {
	add := func(mutation string, f func(rng *rand.Rand) variant) {
		if slices.Contains(p.Without, mutation) || slices.Contains(e.without, mutation) {
			return
		}
		v := f(rand.New(rand.NewPCG(seedOf(name, mutation), 1)))
		if v.name = mutation; len(v.requests)+len(v.steps) > 0 {
			out = append(out, v)
		}
	}
	switch {
	case len(e.requests) == 1:
		for _, m := range mutations {
			add(m.name, func(rng *rand.Rand) variant { return variant{requests: m.f(e.requests[0], rng)} })
		}
	case len(e.lines) > 0:
		for _, m := range lineMutations {
			add(m.name, func(*rand.Rand) variant { return variant{steps: m.f(slices.Clone(e.lines))} })
		}
	case len(e.packets) > 0:
		for _, m := range packetMutations[p.definition.Protocol] {
			add(m.name, func(*rand.Rand) variant { return variant{steps: p.stepsOf(nil, m.f(clones(e.packets)))} })
		}
	}
	return out
}

func clones(list [][]byte) (out [][]byte) {
	for _, b := range list {
		out = append(out, slices.Clone(b))
	}
	return out
}

// stepsOf sends commands, each answered before the next, or packets.
func (p *proof) stepsOf(lines []string, packets [][]byte) (out []step) {
	for _, l := range lines {
		out = append(out, commands(l))
	}
	for _, b := range packets {
		out = append(out, step{send: b})
	}
	return out
}

// variantNames are the names of the mutations that exchanges of a protocol may have.
func variantNames(protocol string) []string {
	var names []string
	for _, m := range mutations {
		names = append(names, m.name)
	}
	if protocol == "ftp" {
		for _, m := range lineMutations {
			names = append(names, m.name)
		}
	}
	for _, m := range packetMutations[protocol] {
		names = append(names, m.name)
	}
	return names
}
