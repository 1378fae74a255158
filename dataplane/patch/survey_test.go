package patch

import (
	"fmt"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
)

// inBatches shows a message as decoders do that show it twice, some elements at a time.
func inBatches(set protocol.Rules, m *protocol.Message, size int) string {
	all := m.Elements
	var out []string
	for _, ask := range []func(*protocol.Message) []protocol.Correction{set.(protocol.Surveyor).Survey, set.Match} {
		m.Continues = false
		for at := 0; at < len(all); at += size {
			m.Elements = all[at:min(at+size, len(all))]
			for _, c := range ask(m) {
				out = append(out, fmt.Sprint(at+c.Element, ":", c.Rule))
				if c.Action == protocol.Reset {
					return strings.Join(out, " ") + " reset"
				}
			}
			m.Continues = true
		}
	}
	return strings.Join(out, " ")
}

// What one element has is known to the rules on all others, in front of it and
// behind it, whether the message is shown at once or in batches.
func TestFind(t *testing.T) {
	set := mustCompile(t, nil, mustParse(t, "WP-2099-1", `
  - {at: request.header, when: name == "names", do: {find: {name: names, value: value.lowerAscii()}}}
  - {at: request.header, when: 'found.names.exists(n, n == name)', do: {remove: element}}
  - {at: request.line, when: 'found.names.size() > 1 && "b" in found.names', do: report}
`), mustParse(t, "WP-2099-2", `
  - {at: request.header, when: name == "other", do: {find: {name: names, value: "'q'"}}}
  - {at: request.line, when: found.names.size() > 0, do: report}
`))
	for _, tt := range []struct {
		m    *protocol.Message
		want string
	}{
		{request("GET", "/", "a", "1", "b", "2"), ""},
		{request("GET", "/", "a", "1", "b", "2", "names", "B"), "2:1"},
		{request("GET", "/", "names", "B", "a", "1", "b", "2"), "3:1"},
		{request("GET", "/", "b", "1", "names", "B", "c", "2", "names", "a", "a", "3"), "0:2 1:1 5:1"},
		{request("GET", "/", "b", "1", "other", "x"), "0:1"},
	} {
		if got := actionsOf(set.Match(tt.m)); got != tt.want {
			t.Errorf("at once: Match = %q; want %q", got, tt.want)
		}
		for _, size := range []int{1, 2, 100} {
			m := *tt.m
			if got := inBatches(set.For(""), &m, size); got != tt.want {
				t.Errorf("in batches of %d: %q; want %q", size, got, tt.want)
			}
		}
	}
}

// A client that has more found than is kept is refused: rules might miss the rest.
func TestFindTooMuch(t *testing.T) {
	set := mustCompile(t, nil, mustParse(t, "WP-2099-1", `
  - {at: request.header, when: name == "a", do: {find: {name: values, value: value}}}
  - {at: request.line, when: '"last" in found.values', do: reset}
`))
	many := []string{"GET", "/"}
	for range maxFound - 1 {
		many = append(many, "a", "b")
	}
	if got := actionsOf(set.Match(request(append(many, "a", "last")...))); got != "0:1" {
		t.Errorf("as many as are kept: %q; want them found", got)
	}
	for what, m := range map[string]*protocol.Message{
		"one more": request(append(many, "a", "b", "a", "last")...),
		"a long":   request("GET", "/", "a", strings.Repeat("x", MaxRemembered+1)),
	} {
		if cs := set.Match(m); len(cs) != 1 || cs[0].Action != protocol.Reset {
			t.Errorf("%s: %+v; want the session reset", what, cs)
		}
		m.Survey = nil
		if got := inBatches(set, m, 10); !strings.HasSuffix(got, "reset") {
			t.Errorf("%s, in batches: %q; want the session reset", what, got)
		}
	}
}

// Elements are counted among those of their kind with the same name.
func TestSame(t *testing.T) {
	set := mustCompile(t, nil, mustParse(t, "WP-2099-1", `
  - {at: request.header, when: element.same_index >= 2, do: report}
  - {at: request.header, when: element.same_count == 2 && element.same_index == 0, do: report}
`))
	m := func() *protocol.Message {
		return request("GET", "/", "a", "1", "b", "2", "A", "3", "c", "4", "B", "5", "a", "6")
	}
	const want = "2:1 6:0"
	if got := actionsOf(set.Match(m())); got != want {
		t.Errorf("at once: Match = %q; want %q", got, want)
	}
	for _, size := range []int{1, 3, 100} {
		if got := inBatches(set, m(), size); got != want {
			t.Errorf("in batches of %d: %q; want %q", size, got, want)
		}
	}
}

func TestSurveyFaults(t *testing.T) {
	for _, tt := range []struct{ rules, want string }{
		{"  - {at: request.header, when: found.a.size() > 0, do: reset}", "undeclared reference to 'found'"},
		{"  - {at: request.header, do: {find: {name: a, value: value}}}\n  - {at: response.header, when: found.a.size() > 0, do: reset}", "in the other direction"},
		{"  - {at: request.header, do: {find: {name: a, value: value}}}\n  - {at: request.header, when: found.a.size() > 0, do: {find: {name: b, value: value}}}", "not known yet"},
		{"  - {at: request.header, when: element.same_count > 1, do: {find: {name: a, value: value}}}", "not known yet"},
		{"  - {at: request.line, when: element.same_count > 1, do: reset}", "neither key nor name"},
		{"  - {at: request.header, do: {find: {name: a, value: '1'}}}", "type int; want string"},
		{"  - {at: request.header, when: found.b.size() > 0, do: {find: {name: a, value: value}}}", "want one of"},
	} {
		_, errs := Compile([]*Definition{mustParse(t, "WP-2099-1", tt.rules)}, testSchemas, nil)
		if len(errs) == 0 || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("Compile(%s) = %v; want an error with %q", tt.rules, errs, tt.want)
		}
	}
	if _, err := Parse("t.yaml", []byte(head+"  - {at: request.line, do: {find: {name: A, value: method}}}")); err == nil || !strings.Contains(err.Error(), "find.name") {
		t.Errorf("Parse = %v; want an error about find.name", err)
	}
}
