package patch

import (
	"maps"
	"slices"
	"testing"

	"wirepatch/dataplane/protocol"
)

// TestStrikes: which rules take a field away for its name alone.
func TestStrikes(t *testing.T) {
	schema := testSchema
	schema.Elements = maps.Clone(schema.Elements)
	e := schema.Elements["request.header"]
	e.Fields = maps.Clone(e.Fields)
	e.Fields["folded"] = protocol.FieldType{Type: protocol.Bool}
	schema.Elements["request.header"] = e
	look := plainLook()
	look.Only = func(kind, name string) []any {
		if name == "folded" {
			return []any{false}
		}
		return nil
	}
	look.Strike = func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "x-no-room" })
	}
	remove := func(when string) string {
		return "  - {at: request.header, when: '" + when + "', do: {remove: element}}\n"
	}
	for _, c := range []struct {
		name, rules string
		mode        string
		services    map[string]string
		want        []string
	}{
		{name: "a name", rules: remove(`name == "x-a"`), want: []string{"x-a"}},
		{name: "the other way round", rules: remove(`"x-a" == name`), want: []string{"x-a"}},
		{name: "and not folded", rules: remove(`name == "x-a" && !folded`), want: []string{"x-a"}},
		{name: "folded", rules: remove(`name == "x-a" && folded`)},
		{name: "not the name", rules: remove(`name != "x-a"`)},
		{name: "not only the name", rules: remove(`name == "x-a" && value == "b"`)},
		{name: "one of two", rules: remove(`name == "x-a" || name == "x-b"`)},
		{name: "the value", rules: remove(`value == "x-a"`)},
		{name: "what is about the session", rules: remove(`name == "connection"`)},
		{name: "another correction", rules: "  - {at: request.header, when: 'name == \"x-a\"', do: {set: {field: value, to: b}}}\n"},
		{name: "a report", rules: "  - {at: request.header, when: 'name == \"x-a\"', do: report}\n"},
		{name: "of a response", rules: "  - {at: response.header, when: 'name == \"x-a\"', do: {remove: element}}\n"},
		{name: "two rules for one", rules: remove(`name == "x-a"`) + remove(`name == "x-a"`)},
		{name: "two rules", rules: remove(`name == "x-a"`) + remove(`name == "x-b"`), want: []string{"x-a", "x-b"}},
		{name: "no room", rules: remove(`name == "x-no-room"`)},
		{name: "shadow", rules: remove(`name == "x-a"`), mode: Shadow},
		{name: "off for one service", rules: remove(`name == "x-a"`), services: map[string]string{"s": Off}},
		{name: "on for one service", rules: remove(`name == "x-a"`), mode: Off, services: map[string]string{"s": Correct}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustParse(t, "WP-2099-1", c.rules)
			modes := map[string]string{}
			if c.mode != "" {
				modes[d.ID] = c.mode
			}
			set, errs := Compile([]*Definition{d}, map[string]protocol.Schema{"http": schema}, modes, WithServiceModes(map[string]map[string]string{d.ID: c.services}))
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			texts := set.Texts("http", look)
			var got []string
			for _, k := range texts.Strikes {
				got = append(got, k.Name)
				if k.Definition != d.ID || k.Element != "request.header" {
					t.Errorf("strike %+v; want it of %s", k, d.ID)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("strikes %q; want %q", got, c.want)
			}
			if len(c.want) > 0 && len(texts.Of[0]) > 0 {
				t.Errorf("texts %q of what is struck", texts.Of[0])
			}
		})
	}
}
