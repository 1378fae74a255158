package patch

import (
	"strconv"
	"strings"
	"testing"
)

func withLet(lets, rules string) string { return rules + "\nlet:\n" + lets }

// A named expression stands for itself in conditions, texts and values.
func TestLet(t *testing.T) {
	d := mustParse(t, "WP-2099-1", withLet(`  small: value.lowerAscii() // a comment
  evil: >-
    small.contains("evil")
    || small == "bad"
  twice: 'small + "-" + small'
  fails: 1 / 0 == 1
`, `  - {at: request.header, when: 'name == "b" && "bad" in found.texts', do: {remove: element}}
  - {at: request.header, when: evil && name == "a", do: {set: {field: value, to: "<${twice}>"}}}
  - {at: request.header, when: 'name == "a"', do: {find: {name: texts, value: small}}}
  - {at: request.header, when: 'name == "c" && (value == "c" || fails)', do: {remove: element}}
`))
	s := mustCompile(t, nil, d)
	for _, c := range []struct{ a, b, want string }{
		{"Very EVIL", "x", `set element 1 value "<very evil-very evil>"`},
		{"BAD", "x", `set element 1 value "<bad-bad>", remove element 2`},
		{"good", "x", ""},
	} {
		var got []string
		for _, m := range s.Match(request("GET", "/", "a", c.a, "b", c.b)) {
			switch m.Name {
			case "set":
				got = append(got, "set element 1 value "+strconv.Quote(m.Value))
			default:
				got = append(got, m.Name+" element 2")
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%q: %s; want %s", c.a, strings.Join(got, ", "), c.want)
		}
	}
	// It is worked out where it is needed, so one that fails elsewhere harms nothing.
	if got := s.Match(request("GET", "/", "c", "c")); len(got) != 1 {
		t.Errorf("beside an expression that fails: %v; want the removal", got)
	}
	if got := s.Match(request("GET", "/", "c", "d")); len(got) != 0 || s.Definitions()[0].Errors != 1 {
		t.Errorf("with an expression that fails: %v, %d errors; want none and 1", got, s.Definitions()[0].Errors)
	}
}

// Faults of named expressions, and of what uses them, have their own place.
func TestLetFaults(t *testing.T) {
	const use = `  - {at: request.header, when: a, do: {remove: element}}`
	for _, c := range []struct{ name, lets, rules, want string }{
		{"unknown", "  a: valeu == \"x\"\n", use, `t.yaml:16:6: let: a, for a rule at request.header: undeclared reference to 'valeu'`},
		{"in a block", "  a: |-\n    value == \"x\" &&\n    valeu == \"x\"\n", use, `t.yaml:18:1: let: a, for a rule at request.header: undeclared reference to 'valeu'`},
		{"in what uses it", "  a: value == \"x\"\n", "  - {at: request.header, when: a && valeu, do: {remove: element}}", `t.yaml:14:37: undeclared reference to 'valeu'; want one of a, index`},
		{"of another element", "  a: path == \"x\"\n", use, `t.yaml:16:6: let: a, for a rule at request.header: undeclared reference to 'path'`},
		{"not a condition", "  a: value\n", use, `t.yaml:14:32: expression has type string; want bool`},
		{"too early", "  a: b\n  b: value == \"x\"\n", use, `undeclared reference to 'b'`},
		{"itself", "  a: a\n", use, `undeclared reference to 'a'`},
		{"unused", "  a: value == \"x\"\n  b: value\n", use, `t.yaml:17:3: let: nothing uses b`},
		{"a field's name", "  a: value == \"x\"\n  name: value\n", use, `t.yaml:17:3: let: name is a field or variable of http`},
		{"a variable's name", "  a: value == \"x\"\n  request: value\n", use, `let: request is a field or variable of http`},
		{"two expressions", "  a: 'value == \"x\"), (true'\n", use, `let: a, for a rule at request.header: Syntax error`},
	} {
		d, err := Parse("t.yaml", []byte(head+withLet(c.lets, c.rules)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if _, errs := Compile([]*Definition{d}, testSchemas, nil); len(errs) == 0 || !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("%s: %v; want %s", c.name, errs, c.want)
		}
	}
	for lets, want := range map[string]string{"  A: value\n": `let: name "A"; want lower-case letters`, "  {}\n": `let: found 0 expressions; want 1 to 32`} {
		if _, err := Parse("t.yaml", []byte(head+withLet(lets, use))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", lets, err, want)
		}
	}
}
