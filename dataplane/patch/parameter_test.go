package patch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/protocol"
)

const withParameters = `id: WP-2099-0001
revision: 1
title: t
vulnerabilities: [CVE-2099-0001]
product: {name: Shop Server, cpe: "cpe:2.3:a:example:shop", affected: ["<1.0"]}
behaviour: b
sources: [https://example.org/]
SCOPE
protocol: test
proof: vectors only
parameters:
  origins: {default: [], about: origins}
  most: {default: 3, about: how many}
  strict: {default: false, about: whether}
  word: {default: none, about: a word}
rules:
  - at: header
    when: name in parameter.origins || name == parameter.word && parameter.most > 4 && parameter.strict
    do: {remove: element}
tests:
  - {name: a, client: a}
  - {name: b, client: b}
`

func parameterSet(t *testing.T, scope string, opts ...Option) (*Set, []error) {
	t.Helper()
	d, err := Parse("patch.yaml", []byte(strings.Replace(withParameters, "SCOPE\n", scope, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return Compile([]*Definition{d}, map[string]protocol.Schema{"test": schemaWithHeader}, nil, opts...)
}

var schemaWithHeader = protocol.Schema{Protocol: "test", Elements: map[string]protocol.ElementType{"header": {Fields: map[string]protocol.FieldType{"name": {Type: protocol.String}}}}}

func header(name string) *protocol.Message {
	return &protocol.Message{Protocol: "test", Elements: []protocol.Element{{Kind: "header", Fields: []protocol.Field{{Name: "name", Value: name}}}}}
}

// A test gives parameters that the definition has, of their type.
func TestParametersOfTests(t *testing.T) {
	for given, want := range map[string]string{
		"origins: [c]": "",
		"origin: [c]":  "test: parameters: origin is no parameter of the definition; want origins, most, strict, word",
		"origins: c":   "test: parameters: origins has the type string; want list(string), as its default",
		"most: a":      "test: parameters: most has the type string; want int, as its default",
	} {
		d, err := Parse("patch.yaml", []byte(strings.NewReplacer("SCOPE\n", "", "{name: a, client: a}", "{name: a, client: a, parameters: {"+given+"}}").Replace(withParameters)))
		if err != nil {
			t.Fatal(err)
		}
		_, errs := Compile([]*Definition{d}, map[string]protocol.Schema{"test": schemaWithHeader}, nil)
		if (want == "") != (len(errs) == 0) || want != "" && !strings.HasSuffix(errs[0].Error(), want) {
			t.Errorf("%s: %v; want %s", given, errs, want)
		}
	}
}

// What the owner gives a parameter counts in the service it is given for, and
// what it is given for all services in the others.
func TestParameters(t *testing.T) {
	set, errs := parameterSet(t, "", WithParameters(Values{"WP-2099-0001": {
		"":     {"origins": "a, b ,", "most": "5"},
		"shop": {"origins": "c", "strict": "yes", "word": "d"},
		"mail": {"origins": ""},
	}}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for service, want := range map[string]string{"": "ab", "other": "ab", "shop": "cd", "mail": ""} {
		got := ""
		for _, name := range []string{"a", "b", "c", "d"} {
			if len(set.For(service).Match(header(name))) > 0 {
				got += name
			}
		}
		if got != want {
			t.Errorf("service %q: %q removed; want %q", service, got, want)
		}
	}
	told := set.Definitions()[0].Parameters[0]
	wantTold := GivenParameter{Name: "origins", About: told.About, Type: "list", Default: "", Values: map[string]string{"": "a, b", "shop": "c", "mail": ""}}
	if d := cmp.Diff(wantTold, told); d != "" {
		t.Errorf("what the owner is told (-want +got):\n%s", d)
	}
	for name, given := range map[string]map[string]string{
		"no parameter": {"origin": "a"}, "whole number": {"most": "many"}, "yes or no": {"strict": "maybe"},
	} {
		set, errs := parameterSet(t, "", WithParameters(Values{"WP-2099-0001": {"shop": given}}))
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), name) || len(set.For("shop").Match(header("a"))) > 0 {
			t.Errorf("%v: errors %v; want that of %q, and the definition set aside", given, errs, name)
		}
	}
}

// A definition of the scope product is in force where its product is known to
// be, or where the owner names it for the service.
func TestScope(t *testing.T) {
	values := WithParameters(Values{"WP-2099-0001": {"": {"origins": "a"}}})
	products := WithProducts(map[string][]string{"one": {"nginx", "shop server"}, "two": {"SHOP"}, "three": {"nginx"}, "four": nil})
	modes := WithServiceModes(map[string]map[string]string{"WP-2099-0001": {"four": Correct, "two": Off}})
	for _, tt := range []struct {
		name, scope, want string
		opts              []Option
	}{
		{"any server", "", "one two three four", []Option{values, products}},
		{"the product", "scope: product\n", "one two", []Option{values, products}},
		{"and as the owner says", "scope: product\n", "one four", []Option{values, products, modes}},
		{"nothing is known", "scope: product\n", "one two three four", []Option{values}},
	} {
		set, errs := parameterSet(t, tt.scope, tt.opts...)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var got []string
		for _, service := range []string{"one", "two", "three", "four"} {
			if len(set.For(service).Match(header("a"))) > 0 {
				got = append(got, service)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: in force in %v; want %s", tt.name, got, tt.want)
		}
	}
}
