package main

import (
	"math"
	"slices"
)

// figure is one result: a ratio to the bridge, or a value.
type figure struct {
	name  string
	Ratio *float64 `json:"ratio,omitempty"`
	Value *float64 `json:"value,omitempty"`
}

func number(v float64) *float64 {
	v = math.Round(v*1e4) / 1e4
	return &v
}

// median of an odd number is the middle one, else the mean of the two.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// values are those of one way, round by round.
func (s samples) values(name, way string) []float64 {
	var out []float64
	for _, v := range s[name][way] {
		out = append(out, v.value)
	}
	return out
}

// paired is the median over the rounds of f of two ways.
func (s samples) paired(name, one, other string, f func(a, b float64) float64) *float64 {
	a, b := s.values(name, one), s.values(name, other)
	if len(a) == 0 || len(a) != len(b) {
		return nil
	}
	out := make([]float64, len(a))
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return number(median(out))
}

func quotient(a, b float64) float64   { return a / b }
func difference(a, b float64) float64 { return a - b }

// figures are the results of the rounds. A ratio of round trips is the
// bridge's time to the wire's, so that more is better everywhere.
func (l *lab) figures() []figure {
	var out []figure
	add := func(f figure) {
		if f.Ratio != nil || f.Value != nil {
			out = append(out, f)
		}
	}
	for _, m := range l.chosen {
		pair := m.compared()
		switch m.name {
		case "unprotected.rtt":
			add(figure{name: m.name + "_p50", Ratio: l.samples.paired(m.name, pair[1], pair[0], quotient)})
		case "inspected.rtt":
			add(figure{name: "inspected.added_rtt_p50_us", Value: l.samples.paired(m.name, pair[0], pair[1], difference)})
		case "update":
			add(figure{name: "update.stall_ms", Value: l.samples.paired(m.name, pair[0], pair[1], difference)})
		case "definitions":
			lost := func(few, many float64) float64 { return 1 - many/few }
			add(figure{name: "definitions.slowdown_10_10000", Value: l.samples.paired(m.name, pair[0], pair[1], lost)})
		case "sessions":
			lost := func(few, many float64) float64 { return 1 - many/few }
			add(figure{name: "sessions.slowdown_1k_1m", Value: l.samples.paired(m.name, pair[0], pair[1], lost)})
		default:
			add(figure{name: m.name, Ratio: l.samples.paired(m.name, pair[0], pair[1], quotient)})
		}
	}
	return out
}
