package main

import (
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// A definition must not be got round by a message so large that its condition
// would cost too much: values as long as a head may be are still corrected.
func TestLargeValues(t *testing.T) {
	const most = 64 << 10 // the decoder's limit of a head
	set := allOn(t)
	var all = map[string]any{"request.query": strings.Repeat("a&", most/2) + "n=a%22", "request.method": "POST", "request.version": "HTTP/1.1", "request.headers": map[string][]string{}}
	tests := []struct {
		id, kind, name, value string
	}{
		{"WP-2023-26125", "request.header", "x-forwarded-prefix", strings.Repeat("/.x", most/3)},
		{"WP-2023-26125", "request.header", "x-forwarded-prefix", strings.Repeat("a", most) + "."},
		{"WP-2022-32149", "request.header", "accept-language", strings.Repeat("-", most)},
		{"WP-2025-25200", "request.header", "x-forwarded-for", strings.Repeat(" ,", most/2-64) + strings.Repeat(" ", 128)},
		{"WP-2025-32442", "request.header", "content-type", "Application/json;" + strings.Repeat("a;", most/2)},
		{"WP-2022-41919", "request.header", "content-type", "a/b;" + strings.Repeat("a;", most/2) + "text/plain"},
		{"WP-2023-29401", "response.header", "content-disposition", `attachment; filename="a""`},
	}
	for _, tt := range tests {
		data := []byte(tt.name + ": " + tt.value + "\r\n")
		m := &protocol.Message{Protocol: "http", Data: data, Elements: []protocol.Element{{Kind: tt.kind, Span: protocol.Span{End: len(data)}, Fields: []protocol.Field{
			{Name: "name", Value: tt.name}, {Name: "value", Value: tt.value}, {Name: "folded", Value: false}}}}}
		if strings.HasPrefix(tt.kind, "response") {
			m.Dir = session.ToClient
		}
		m.Lookup = func(name string) (any, bool) {
			v, ok := all[name]
			return v, ok
		}
		if got := set.Match(m); len(got) == 0 || got[0].Definition != tt.id {
			t.Errorf("Match of a %s of %d bytes = %v; want a correction of %s", tt.name, len(tt.value), got, tt.id)
		}
	}
	for _, d := range set.Definitions() {
		if d.Errors > 0 {
			t.Errorf("%s: %d evaluations failed or cost too much; want none", d.ID, d.Errors)
		}
	}
}

// allOn returns the product's definitions, all of them correcting.
func allOn(t *testing.T, but ...string) *patch.Set {
	t.Helper()
	off, errs := patch.Load(".", allDecoders(), nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	modes := map[string]string{}
	for _, d := range off.Definitions() {
		if modes[d.ID] = patch.Correct; slices.Contains(but, d.ID) {
			modes[d.ID] = patch.Off
		}
	}
	set, errs := patch.Load(".", allDecoders(), modes)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}
