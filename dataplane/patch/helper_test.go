package patch

import (
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// testSchema is a small protocol of this package's tests.
var testSchema = protocol.Schema{
	Protocol: "http", Numbered: true,
	Elements: map[string]protocol.ElementType{
		"request.line": {Doc: "line", Fields: map[string]protocol.FieldType{
			"method": {Type: protocol.String, Settable: true},
			"path":   {Type: protocol.String, Settable: true},
		}},
		"request.header": {Doc: "header", Holds: true, Fields: map[string]protocol.FieldType{
			"name":  {Type: protocol.String},
			"value": {Type: protocol.String, Settable: true},
			"index": {Type: protocol.Int},
		}},
		"request.end": {Doc: "end", Fields: map[string]protocol.FieldType{"size": {Type: protocol.Int}}},
		"response.header": {Doc: "header", Dir: session.ToClient, Fields: map[string]protocol.FieldType{
			"name":  {Type: protocol.String},
			"value": {Type: protocol.String, Settable: true},
		}},
	},
	Vars: map[string]protocol.Var{
		"request.path":    {Type: protocol.String},
		"request.headers": {Type: protocol.StringMap},
		"response.status": {Type: protocol.Int, Dir: session.ToClient},
	},
}

var testSchemas = map[string]protocol.Schema{"http": testSchema}

// head is a definition without its rules.
const head = `id: WP-2099-1
revision: 1
title: t
vulnerabilities: [CVE-2099-1]
product: {name: p, affected: ["<1.0"]}
behaviour: b
sources: ["https://example.org/a"]
protocol: http
proof: vectors only
tests:
  - {name: a, client: a, server: b}
  - {name: b, client: a}
rules:
`

// rules makes a definition of rules.
func mustParse(t testing.TB, id, rules string) *Definition {
	t.Helper()
	d, err := Parse("t.yaml", []byte(strings.Replace(head, "WP-2099-1", id, 1)+rules))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return d
}

func mustCompile(t testing.TB, modes map[string]string, defs ...*Definition) *Set {
	t.Helper()
	s, errs := compileAt(defs, testSchemas, modes, func() time.Time { return TestTime })
	if len(errs) > 0 {
		t.Fatalf("Compile: %v", errs)
	}
	return s
}

// request makes a message of name, value pairs; the first pair is method and path.
func request(pairs ...string) *protocol.Message {
	m := &protocol.Message{Protocol: "http"}
	headers := map[string][]string{}
	m.Elements = append(m.Elements, element("request.line", "method", pairs[0], "path", pairs[1]))
	for i := 2; i+1 < len(pairs); i += 2 {
		m.Elements = append(m.Elements, element("request.header", "name", pairs[i], "value", pairs[i+1]))
		n := lowerASCII(pairs[i])
		headers[n] = append(headers[n], pairs[i+1])
	}
	vars := map[string]any{"request.path": pairs[1], "request.headers": headers}
	m.Lookup = func(name string) (any, bool) {
		v, ok := vars[name]
		return v, ok
	}
	return m
}

func element(kind string, fields ...string) protocol.Element {
	e := protocol.Element{Kind: kind}
	for i := 0; i < len(fields); i += 2 {
		e.Fields = append(e.Fields, protocol.Field{Name: fields[i], Value: fields[i+1]})
	}
	return e
}
