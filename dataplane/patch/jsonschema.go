package patch

import (
	"encoding/json"
	"maps"
	"slices"

	"wirepatch/dataplane/protocol"
)

// JSONSchema is the schema (draft 2020-12) of definition files, for editors and
// other tools. It is made of the tables that the parser reads by, and says what
// a file may hold; whether conditions and fields are right only the parser and
// the decoders' schemas tell.
func JSONSchema() ([]byte, error) {
	s := schemaOf(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Wirepatch inline patch definition",
		"$defs": map[string]any{
			"text":  map[string]any{"type": "string", "maxLength": MaxText},
			"rule":  ruleSchema(),
			"test":  testSchemaOf(),
			"reply": replySchema(false), "reject": replySchema(true),
		},
	}, definitionProperties(), slices.DeleteFunc(slices.Clone(definitionKeys), func(k string) bool { return slices.Contains(optionalKeys, k) }))
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// schemaOf is a mapping with these keys and no others.
func schemaOf(base, properties map[string]any, required []string) map[string]any {
	base["type"], base["properties"], base["additionalProperties"] = "object", properties, false
	if len(required) > 0 {
		base["required"] = required
	}
	return base
}

func object(properties map[string]any, required ...string) map[string]any {
	return schemaOf(map[string]any{}, properties, required)
}

var text = map[string]any{"$ref": "#/$defs/text"}

func texts(pattern string) map[string]any {
	item := map[string]any{"type": "string"}
	if pattern != "" {
		item["pattern"] = pattern
	}
	return map[string]any{"type": "array", "minItems": 1, "items": item}
}

func wholeFrom(low, high int) map[string]any {
	return map[string]any{"type": "integer", "minimum": low, "maximum": high}
}

func among(values ...string) map[string]any { return map[string]any{"enum": values} }

// parameterSchema is a value of a parameter.
var parameterSchema = map[string]any{"type": []string{"string", "integer", "boolean", "array"}, "items": map[string]any{"type": "string"}}

func definitionProperties() map[string]any {
	return map[string]any{
		"id": map[string]any{"type": "string", "pattern": reID.String()}, "revision": wholeFrom(1, 1<<30), "title": text,
		"vulnerabilities": texts(reVulnerability.String()), "behaviour": text, "sources": texts(reSource.String()),
		"limits": map[string]any{"type": "array", "items": text}, "default": among(Off, Shadow, Correct), "scope": among(ScopeProduct), "protocol": text, "proof": text,
		"product": object(map[string]any{
			"name": text, "cpe": map[string]any{"type": "string", "pattern": reCPE.String()}, "affected": texts(reRange.String()),
		}, "name", "affected"),
		"session": map[string]any{
			"type": "object", "minProperties": 1, "maxProperties": MaxVariables, "propertyNames": map[string]any{"pattern": reVariable.String()},
			"additionalProperties": map[string]any{"type": []string{"string", "integer", "boolean"}},
		},
		"parameters": map[string]any{
			"type": "object", "minProperties": 1, "maxProperties": MaxVariables, "propertyNames": map[string]any{"pattern": reVariable.String()},
			"additionalProperties": object(map[string]any{"default": parameterSchema, "about": text}, "default", "about"),
		},
		"let": map[string]any{
			"type": "object", "minProperties": 1, "maxProperties": MaxLet, "propertyNames": map[string]any{"pattern": reVariable.String()},
			"additionalProperties": text,
		},
		"rules": map[string]any{"type": "array", "minItems": 1, "maxItems": MaxRules, "items": map[string]any{"$ref": "#/$defs/rule"}},
		"tests": map[string]any{"type": "array", "minItems": 2, "maxItems": MaxTests, "items": map[string]any{"$ref": "#/$defs/test"}},
	}
}

func ruleSchema() map[string]any {
	change := map[string]any{
		"field": text, "to": text, "max": wholeFrom(0, 1<<30), "pattern": text, "with": text, "name": text, "value": text,
	}
	actions := map[string]any{
		"remove": among("element"), "move": among("first", "last"),
		"reject": map[string]any{"$ref": "#/$defs/reject"}, "reply": map[string]any{"$ref": "#/$defs/reply"},
		"insert": map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"fields"}, "minProperties": 2, "maxProperties": 2,
			"properties": map[string]any{
				"before": among("element"), "after": among("element"),
				"fields": map[string]any{"type": "object", "minProperties": 1, "additionalProperties": text},
			},
		},
	}
	for action, keys := range changeKeys {
		properties := map[string]any{}
		for _, k := range keys {
			properties[k] = change[k]
		}
		actions[action] = object(properties, keys...)
	}
	one := object(actions)
	one["minProperties"], one["maxProperties"] = 1, 1
	return object(map[string]any{
		"at": text, "when": text, "hold": wholeFrom(1, MaxHold), "else": among(slices.Sorted(maps.Keys(lates))...),
		"do": map[string]any{"oneOf": []any{among(bareActions...), one}},
	}, "at", "do")
}

func replySchema(closes bool) map[string]any {
	properties := map[string]any{
		"status": wholeFrom(100, 4999), "reason": text, "body": text,
		"headers": map[string]any{"type": "array", "items": map[string]any{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": text}},
	}
	raw := map[string]any{"raw": text}
	if closes {
		properties["version"], properties["framing"] = text, among(protocol.Framings...)
		properties["close"], raw["close"] = map[string]any{"type": "boolean"}, map[string]any{"type": "boolean"}
	}
	return map[string]any{"oneOf": []any{object(raw, "raw"), object(properties, "status")}}
}

func testSchemaOf() map[string]any {
	properties := map[string]any{
		"name": text, "client": text, "request": text, "server": text, "response": text, "client_gets": text,
		"ends": among(endsOpen, endsClose, endsReset), "corrections": wholeFrom(0, 1000), "over": among("tcp", "udp"),
		"parameters": map[string]any{"type": "object", "additionalProperties": parameterSchema},
	}
	step := map[string]any{"client": text, "server": text, "server_gets": text, "client_gets": text}
	properties["steps"] = map[string]any{"type": "array", "minItems": 1, "maxItems": MaxSteps, "items": map[string]any{
		"type": "object", "additionalProperties": false, "properties": step,
		"oneOf": []any{map[string]any{"required": []string{"client"}}, map[string]any{"required": []string{"server"}}},
	}}
	test := object(properties, "name")
	var one []any
	for _, k := range []string{"client", "request", "steps"} {
		one = append(one, map[string]any{"required": []string{k}})
	}
	test["oneOf"] = one
	return test
}
