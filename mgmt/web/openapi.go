package web

import (
	"encoding"
	"net/http"
	"reflect"
	"strings"
	"time"

	"wirepatch/firmware/release"
)

// schema is a piece of JSON Schema, as OpenAPI 3.1 takes it.
type schema = map[string]any

// openAPI describes the API: its requests from the routes and apiDocs, its
// answers from the Go types that are written.
func (s *Site) openAPI() schema {
	paths := schema{}
	for _, r := range s.routes() {
		d, ok := apiDocs[r.method+" "+r.path]
		if !ok {
			continue
		}
		ops, _ := paths[r.path].(schema)
		if ops == nil {
			ops = schema{}
			paths[r.path] = ops
		}
		ops[strings.ToLower(r.method)] = operation(r, d)
	}
	return schema{
		"openapi": "3.1.0",
		"info":    schema{"title": "Wirepatch", "version": release.Version, "description": "All that the management page can do. Texts say what they mean in docs/management.md."},
		"paths":   paths,
		"components": schema{
			"securitySchemes": schema{
				"token":   schema{"type": "http", "scheme": "bearer"},
				"session": schema{"type": "apiKey", "in": "cookie", "name": sessionCookie},
			},
			"schemas": schema{"Error": typeSchema(reflect.TypeFor[apiError]())},
		},
	}
}

func operation(r route, d apiDoc) schema {
	op := schema{"summary": d.summary, "responses": schema{
		"200":     schema{"description": "done", "content": content(d)},
		"default": schema{"description": "what is wrong and what to do", "content": schema{"application/json": schema{"schema": schema{"$ref": "#/components/schemas/Error"}}}},
	}}
	if r.access == signedIn {
		op["security"] = []schema{{"session": []string{}}, {"token": []string{}}}
		if r.people {
			op["security"] = []schema{{"session": []string{}}}
		}
		op["x-roles"] = r.may.String()
	}
	params := []schema{}
	for _, part := range strings.Split(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			params = append(params, schema{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": schema{"type": "string"}})
		}
	}
	for _, f := range d.query {
		params = append(params, schema{"name": f.name, "in": "query", "description": f.doc, "schema": f.schema()})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if d.takes != "" {
		op["requestBody"] = schema{"required": true, "content": schema{d.takes: schema{"schema": schema{"type": "string", "format": "binary"}}}}
	} else if r.method == http.MethodPost {
		op["requestBody"] = schema{"required": true, "content": schema{"application/json": schema{"schema": bodySchema(d.in)}}}
	}
	return op
}

func content(d apiDoc) schema {
	if d.file != "" {
		return schema{d.file: schema{"schema": schema{"type": "string", "format": "binary"}}}
	}
	if d.lines {
		return schema{"application/jsonl": schema{"schema": typeSchema(reflect.TypeOf(d.out))}}
	}
	out := schema{"type": "object"}
	if d.out != nil {
		out = typeSchema(reflect.TypeOf(d.out))
	}
	return schema{"application/json": schema{"schema": out}}
}

func (f field) schema() schema {
	v := schema{"type": []string{"string", "number", "boolean"}, "description": f.doc}
	if f.values != nil {
		v = schema{"enum": f.values, "description": f.doc}
	}
	return v
}

func bodySchema(in []field) schema {
	properties, required := schema{}, []string{}
	for _, f := range in {
		properties[f.name] = f.schema()
		if !f.optional {
			required = append(required, f.name)
		}
	}
	return schema{"type": "object", "properties": properties, "required": required}
}

var (
	timeType = reflect.TypeFor[time.Time]()
	textType = reflect.TypeFor[encoding.TextMarshaler]()
)

// typeSchema describes what encoding/json makes of a type.
func typeSchema(t reflect.Type) schema {
	switch {
	case t == timeType:
		return schema{"type": "string", "format": "date-time"}
	case t.Implements(textType):
		return schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema{"anyOf": []schema{typeSchema(t.Elem()), {"type": "null"}}}
	case reflect.Struct:
		v := schema{"type": "object", "properties": schema{}, "required": []string{}}
		addFields(v, t)
		return v
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": []string{"string", "null"}, "contentEncoding": "base64"}
		}
		return schema{"type": []string{"array", "null"}, "items": typeSchema(t.Elem())}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": typeSchema(t.Elem())}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Float64, reflect.Float32:
		return schema{"type": "number"}
	case reflect.Interface:
		return schema{}
	}
	return schema{"type": "integer"}
}

func addFields(v schema, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			addFields(v, f.Type)
			continue
		case name == "-" || !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		v["properties"].(schema)[name] = typeSchema(f.Type)
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			v["required"] = append(v["required"].([]string), name)
		}
	}
}

func (s *Site) apiDescription(w http.ResponseWriter, _ *http.Request, _ visit) {
	writeJSON(w, http.StatusOK, s.openAPI())
}
