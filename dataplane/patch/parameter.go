package patch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml/ast"
)

// parameterPrefix begins the names of parameters in expressions.
const parameterPrefix = "parameter."

// Values are what owners give parameters: by definition, by service ("": all), by
// name, as they write it in the settings.
type Values map[string]map[string]map[string]string

// WithParameters gives definitions their owner's values.
func WithParameters(v Values) Option { return func(o *Set) { o.values = v } }

// parameters reads the parameters of a definition: names with default and about.
func (r *reader) parameters(n ast.Node) []Parameter {
	var out []Parameter
	for _, e := range r.mapping(n, "parameters") {
		p := Parameter{Pos: e.pos, Name: e.key}
		if !reVariable.MatchString(p.Name) {
			r.fail(e.pos, "parameters: name %q; want lower-case letters, digits and _", clip(p.Name))
		}
		for _, f := range r.mapping(e.node, "parameters."+p.Name, "default", "about") {
			if f.key == "about" {
				p.About = r.text(f.node, "about").Value
			} else {
				p.Default = r.value(f.node, "parameters."+p.Name+".default")
			}
		}
		if p.Default == nil || p.About == "" {
			r.fail(e.pos, "parameters.%s: want default and about: what the owner is to give", p.Name)
		}
		out = append(out, p)
	}
	if len(out) == 0 || len(out) > MaxVariables {
		r.fail(r.pos(n), "parameters: found %d; want 1 to %d", len(out), MaxVariables)
	}
	return out
}

// value is a text, a number, a truth value or a list of texts.
func (r *reader) value(n ast.Node, what string) any {
	switch n.(type) {
	case *ast.IntegerNode:
		return int64(r.number(n, what, 0, 1<<30))
	case *ast.BoolNode:
		return r.boolean(n, what)
	case *ast.SequenceNode:
		out := []string{}
		for _, v := range r.list(n, what) {
			out = append(out, r.text(v, what).Value)
		}
		return out
	}
	return r.text(n, what).Value
}

// given reads the parameters that a test gives.
func (r *reader) given(n ast.Node) map[string]any {
	out := map[string]any{}
	for _, e := range r.mapping(n, "parameters") {
		out[e.key] = r.value(e.node, "parameters."+e.key)
	}
	return out
}

// parameterType is the type in expressions.
func parameterType(v any) *cel.Type {
	if _, ok := v.([]string); ok {
		return cel.ListType(cel.StringType)
	}
	return typeOf(v)
}

// parameterValues works out what a definition's parameters are in each service
// that has values of its own, and ("") in all others.
func parameterValues(d *Definition, given map[string]map[string]string) (map[string]map[string]any, error) {
	all := map[string]any{}
	for _, p := range d.Parameters {
		all[p.Name] = p.Default
	}
	out := map[string]map[string]any{"": all}
	if err := override(d, all, given[""]); err != nil {
		return nil, err
	}
	for _, service := range slices.Sorted(maps.Keys(given)) {
		if service == "" {
			continue
		}
		own := maps.Clone(all)
		if err := override(d, own, given[service]); err != nil {
			return nil, err
		}
		out[service] = own
	}
	return out, nil
}

func override(d *Definition, values map[string]any, given map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		was, ok := values[name]
		if !ok {
			return d.errorf("settings of %s: there is no parameter %q; want %s", d.ID, clip(name), strings.Join(d.parameterNames(), ", "))
		}
		v, err := parameterOf(was, given[name])
		if err != nil {
			return d.errorf("settings of %s: %s: %v", d.ID, name, err)
		}
		values[name] = v
	}
	return nil
}

func (d *Definition) parameterNames() []string {
	names := []string{"none"}
	for _, p := range d.Parameters {
		names = append(names, p.Name)
	}
	return names[min(1, len(names)-1):]
}

// parameterOf reads a value as settings have it, of the type of another one.
func parameterOf(like any, text string) (any, error) {
	switch like.(type) {
	case int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("found %q; want a whole number", clip(text))
		}
		return n, nil
	case bool:
		switch text {
		case "yes", "true":
			return true, nil
		case "no", "false":
			return false, nil
		}
		return nil, fmt.Errorf("found %q; want yes or no", clip(text))
	case []string:
		list := []string{}
		for _, one := range strings.Split(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
		return list, nil
	}
	return text, nil
}

// parameter is the value of one in the service whose message this is.
func (a *activation) parameter(name string) (any, bool) {
	values, ok := a.rule.def.parameters[a.service]
	if !ok {
		values = a.rule.def.parameters[""]
	}
	v, ok := values[name]
	return v, ok
}

// checkGiven reports parameters of tests that the definition has not, or that
// are of another type.
func (c *compiler) checkGiven() {
	for i := range c.def.Tests {
		t := &c.def.Tests[i]
		for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
			at := slices.IndexFunc(c.def.Parameters, func(p Parameter) bool { return p.Name == name })
			if at < 0 {
				c.fail(t.Pos, "test: parameters: %s is no parameter of the definition; want %s", clip(name), strings.Join(c.def.parameterNames(), ", "))
			} else if want, got := parameterType(c.def.Parameters[at].Default), parameterType(t.Parameters[name]); !want.IsExactType(got) {
				c.fail(t.Pos, "test: parameters: %s has the type %s; want %s, as its default", clip(name), got, want)
			}
		}
	}
}

// give has a test run with its own parameters.
func (t *tester) give(v *Vector) {
	for _, l := range t.set.defs {
		own := map[string]any{}
		for _, p := range l.Parameters {
			own[p.Name] = p.Default
		}
		maps.Copy(own, v.Parameters)
		l.parameters = map[string]map[string]any{"": own}
	}
}

// GivenParameter is a parameter and its values, as settings would have them.
type GivenParameter struct {
	Name, About   string
	Type, Default string            // "text", "number", "truth" or "list"
	Values        map[string]string // in force: in single services, and ("") in all others
}

// givenParameters tells what the owner may give, and what is in force. A definition
// that was set aside for its values has none in force.
func (l *loaded) givenParameters() (out []GivenParameter) {
	for _, p := range l.Parameters {
		g := GivenParameter{Name: p.Name, About: p.About, Default: settingsText(p.Default), Values: map[string]string{}}
		switch p.Default.(type) {
		case int64:
			g.Type = "number"
		case bool:
			g.Type = "truth"
		case []string:
			g.Type = "list"
		default:
			g.Type = "text"
		}
		for service, values := range l.parameters {
			g.Values[service] = settingsText(values[p.Name])
		}
		out = append(out, g)
	}
	return out
}

// settingsText writes a value as settings have it: what parameterOf reads.
func settingsText(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []string:
		return strings.Join(v, ", ")
	}
	return fmt.Sprint(v)
}
