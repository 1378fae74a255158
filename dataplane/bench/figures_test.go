package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol/http"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func TestPaired(t *testing.T) {
	s := samples{"m": {
		viaBridge: {{value: 100}, {value: 10}, {value: 50}},
		via100:    {{value: 90}, {value: 20}, {value: 40}},
	}}
	if got := s.paired("m", via100, viaBridge, quotient); got == nil || *got != 0.9 {
		t.Errorf("paired quotient = %v; want 0.9, the median of the rounds' ratios", got)
	}
	if got := s.paired("m", via100, viaBridge, difference); got == nil || *got != -10 {
		t.Errorf("paired difference = %v; want -10", got)
	}
	if got := s.paired("m", via10, viaBridge, quotient); got != nil {
		t.Errorf("paired with a way that was not measured = %v; want none", *got)
	}
}

func TestTurns(t *testing.T) {
	ways := []string{via100, via1k, via100k, via1m}
	for round, want := range [][]string{{via1k, via1m, via100, via100k}, {via100k, via100, via1m, via1k}} {
		if got := turns(ways, measurement{name: "sessions", ways: ways}.compared(), round); !slices.Equal(got, want) {
			t.Errorf("turns in round %d = %q; want %q", round, got, want)
		}
	}
}

// Every figure has a goal, and the chart holds a bar for each ratio.
func TestChart(t *testing.T) {
	var all []figure
	for name, g := range goals {
		if g.least > 0 {
			all = append(all, figure{name: name, Ratio: number(0.5)})
		}
	}
	svg := string(chart(all))
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("chart: %v", err)
		}
	}
	if got, want := strings.Count(svg, "<rect"), len(all)+1; got != want {
		t.Errorf("chart has %d rectangles; want %d", got, want)
	}
}

// The definitions of the bench must be in force: otherwise nothing is measured.
func TestDefinitions(t *testing.T) {
	dir := t.TempDir()
	if err := writeDefinitions(dir, 9); err != nil {
		t.Fatal(err)
	}
	decoders := map[string]patch.Decoder{"http": {Schema: http.Schema(), New: func(r protocol.Rules, c protocol.Conn) session.Inspector {
		return http.New(r, c, http.Options{})
	}}}
	set, errs := patch.Load(dir, decoders, nil)
	if len(errs) > 0 || len(set.Definitions()) != 9 {
		t.Errorf("Load = %d definitions, %v; want 9", len(set.Definitions()), errs)
	}
}
