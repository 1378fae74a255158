package patch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// valid says why a value does not fit a JSON Schema, of which it knows what ours
// has.
func valid(root, s map[string]any, v any) string {
	if ref, ok := s["$ref"].(string); ok {
		defs := root["$defs"].(map[string]any)
		return valid(root, defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), v)
	}
	if one, ok := s["oneOf"].([]any); ok {
		fits := 0
		for _, o := range one {
			if valid(root, o.(map[string]any), v) == "" {
				fits++
			}
		}
		if fits != 1 {
			return fmt.Sprintf("%v fits %d of its forms", v, fits)
		}
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fmt.Sprintf("%v is none of %v", v, enum)
	}
	kinds, _ := s["type"].([]any)
	if k, ok := s["type"]; ok && kinds == nil {
		kinds = []any{k}
	}
	if kinds != nil && !slices.ContainsFunc(kinds, func(k any) bool { return k == kindOfValue(v) }) {
		return fmt.Sprintf("%v is %s, not %v", v, kindOfValue(v), kinds)
	}
	within := func(n int, low, high string) bool {
		l, hasLow := s[low].(float64)
		h, hasHigh := s[high].(float64)
		return (!hasLow || float64(n) >= l) && (!hasHigh || float64(n) <= h)
	}
	switch x := v.(type) {
	case string:
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
			return fmt.Sprintf("%q does not match %s", x, p)
		}
	case uint64:
		if !within(int(x), "minimum", "maximum") {
			return fmt.Sprint(x, " is out of range")
		}
	case []any:
		if !within(len(x), "minItems", "maxItems") {
			return fmt.Sprint(len(x), " items")
		}
		for _, item := range x {
			if items, ok := s["items"].(map[string]any); ok {
				if why := valid(root, items, item); why != "" {
					return why
				}
			}
		}
	case map[string]any:
		if !within(len(x), "minProperties", "maxProperties") {
			return fmt.Sprint(len(x), " keys")
		}
		return validObject(root, s, x)
	}
	return ""
}

func validObject(root, s, x map[string]any) string {
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, k := range required {
		if _, ok := x[k.(string)]; !ok {
			return fmt.Sprintf("%v is missing", k)
		}
	}
	for k, v := range x {
		if names, ok := s["propertyNames"].(map[string]any); ok {
			if why := valid(root, names, k); why != "" {
				return why
			}
		}
		p, known := properties[k].(map[string]any)
		if !known {
			if s["additionalProperties"] == false {
				return "unknown key " + k
			}
			if p, known = s["additionalProperties"].(map[string]any); !known {
				continue
			}
		}
		if why := valid(root, p, v); why != "" {
			return k + ": " + why
		}
	}
	return ""
}

func kindOfValue(v any) any {
	switch v.(type) {
	case string:
		return "string"
	case uint64:
		return "integer"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

// The published schema is the one that the parser's tables make; it takes every
// definition that there is, and refuses what the parser refuses.
func TestJSONSchema(t *testing.T) {
	want, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	published, err := os.ReadFile("../../docs/definition.schema.json")
	if err != nil || string(published) != string(want) {
		t.Fatalf("docs/definition.schema.json is stale, %v; run: go run ./definitions schema > docs/definition.schema.json", err)
	}
	var root map[string]any
	if err := json.Unmarshal(want, &root); err != nil {
		t.Fatal(err)
	}
	verdict := func(text []byte) string {
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			return err.Error()
		}
		return valid(root, root, v)
	}
	files, err := filepath.Glob("../../definitions/*/" + FileName)
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d definitions, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if why := verdict(text); why != "" {
			t.Errorf("%s: the schema refuses it: %s", f, why)
		}
	}
	for _, rules := range []string{
		"  - {at: a, do: reset}", "  - {at: a, when: b, hold: 5, else: spoil, do: {reject: {status: 403, headers: [A: b], close: true}}}",
		"  - {at: a, do: reset}\nlet: {b: c}", "  - {at: a, do: reset}\nlet: {}", "  - {at: a, do: reset}\nlet: {B: c}", "  - {at: a, do: reset}\nlet: [b]", "  - {at: a, do: reset}\nlet: {b: [c]}",
		"  - {at: a, do: {reply: {raw: x}}}", "  - {at: a, do: {insert: {before: element, fields: {a: b}}}}", "  - {at: a, do: {move: last}}",
		"  - {at: a, do: {move: middle}}", "  - {at: a, do: {reply: {raw: x, close: true}}}", "  - {at: a, do: {insert: {fields: {a: b}}}}", "  - {do: reset}",
		"  - {at: a, do: explode}", "  - {at: a, else: b, do: reset}", "  - {at: a, do: {set: {field: b}}}", "  - {at: a, do: {remove: element, move: first}}",
		"  - {at: a, do: {reject: {status: 403, raw: x}}}", "  - {at: a, do: {reject: {reason: x}}}", "  []", "  - {at: a, hold: 0, do: reset}",
	} {
		_, err := Parse("t.yaml", []byte(head+rules))
		if why := verdict([]byte(head + rules)); (why == "") != (err == nil) {
			t.Errorf("%s: the parser says %v, the schema %q", rules, err, why)
		}
	}
}
