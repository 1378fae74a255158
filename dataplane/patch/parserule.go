package patch

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"wirepatch/dataplane/protocol"
)

var reVariable = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// lates are the values of a rule's else.
var lates = map[string]protocol.Late{
	"close": protocol.LateClose, "reset": protocol.LateReset, "spoil": protocol.LateSpoil, "pass": protocol.LatePass,
}

func (r *reader) rules(n ast.Node) []Rule {
	items := r.list(n, "rules")
	if len(items) == 0 || len(items) > MaxRules {
		r.fail(r.pos(n), "rules: found %d; want 1 to %d", len(items), MaxRules)
		return nil
	}
	out := make([]Rule, 0, len(items))
	for _, item := range items {
		out = append(out, r.rule(item))
	}
	return out
}

func (r *reader) rule(n ast.Node) Rule {
	rule := Rule{Pos: r.pos(n)}
	for _, e := range r.mapping(n, "rule", "at", "when", "hold", "else", "do") {
		switch e.key {
		case "at":
			rule.At = r.text(e.node, "at")
		case "when":
			rule.When = r.text(e.node, "when")
			if strings.TrimSpace(rule.When.Value) == "" {
				r.fail(rule.When.Pos, "when: found nothing; want a CEL condition, or no such key for a rule that always applies")
			}
		case "hold":
			rule.Hold = r.number(e.node, "hold", 1, MaxHold)
		case "else":
			rule.Else = r.text(e.node, "else")
			if _, ok := lates[rule.Else.Value]; !ok {
				r.fail(rule.Else.Pos, "else: found %q; want one of %s", clip(rule.Else.Value), strings.Join(slices.Sorted(maps.Keys(lates)), ", "))
			}
		case "do":
			rule.Do = r.do(e.node)
		}
	}
	if rule.At.Value == "" {
		r.fail(rule.Pos, `rule: key "at" is missing; want the kind of element, for instance request.header`)
	}
	if rule.Do.Kind == "" {
		r.fail(rule.Pos, `rule: a valid "do" is missing; want what to do`)
	}
	return rule
}

var (
	bareActions = []string{"drop", "reset", "report", "spoil"}
	mapActions  = []string{"remove", "set", "cut", "replace", "insert", "move", "reject", "reply", "remember", "find"}
)

func (r *reader) do(n ast.Node) Do {
	d := Do{Pos: r.pos(n)}
	if s, ok := n.(*ast.StringNode); ok {
		if !slices.Contains(bareActions, s.Value) {
			r.fail(d.Pos, "do: found %q; want %s, or a mapping with one of %s", clip(s.Value), strings.Join(bareActions, ", "), strings.Join(mapActions, ", "))
			return d
		}
		d.Kind = s.Value
		return d
	}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		r.fail(d.Pos, "do: found %s; want %s, or a mapping with one of %s", kindOf(n), strings.Join(bareActions, ", "), strings.Join(mapActions, ", "))
		return d
	}
	entries := r.mapping(n, "do", mapActions...)
	if len(entries) != 1 {
		r.fail(d.Pos, "do: found %d actions; want exactly one of %s, %s", len(entries), strings.Join(mapActions, ", "), strings.Join(bareActions, ", "))
		return d
	}
	e := entries[0]
	d.Kind = e.key
	switch e.key {
	case "remove":
		if t := r.text(e.node, "remove"); t.Value != "element" {
			r.fail(t.Pos, `remove: found %q; want "element"`, clip(t.Value))
		}
	case "reject", "reply":
		r.reply(&d.Reply, e.node, e.key)
	case "insert":
		r.insert(&d, e.node)
	case "move":
		t := r.text(e.node, "move")
		if d.First = t.Value == "first"; !d.First && t.Value != "last" {
			r.fail(t.Pos, `move: found %q; want first or last`, clip(t.Value))
		}
	default:
		r.change(&d, e.node)
	}
	return d
}

// insert reads {before or after: element, fields: {name: TEXT, …}}.
func (r *reader) insert(d *Do, n ast.Node) {
	places := 0
	for _, e := range r.mapping(n, "insert", "before", "after", "fields") {
		switch e.key {
		case "before", "after":
			places++
			d.Before = e.key == "before"
			if t := r.text(e.node, "insert."+e.key); t.Value != "element" {
				r.fail(t.Pos, `insert.%s: found %q; want "element"`, e.key, clip(t.Value))
			}
		case "fields":
			for _, f := range r.mapping(e.node, "insert.fields") {
				d.Fields = append(d.Fields, [2]Text{{Pos: f.pos, Value: f.key}, r.text(f.node, "insert.fields."+f.key)})
			}
		}
	}
	if places != 1 || len(d.Fields) == 0 {
		r.fail(d.Pos, "insert: want one of before, after, and fields with at least one field")
	}
}

// changeKeys holds what these actions need.
var changeKeys = map[string][]string{
	"set":     {"field", "to"},
	"cut":     {"field", "max"},
	"replace": {"field", "pattern", "with"},
	// remember and find have no field, but a variable.
	"remember": {"name", "value"},
	"find":     {"name", "value"},
}

func (r *reader) change(d *Do, n ast.Node) {
	keys := changeKeys[d.Kind]
	entries := r.mapping(n, d.Kind, keys...)
	for _, e := range entries {
		what := d.Kind + "." + e.key
		switch e.key {
		case "field":
			d.Field = r.text(e.node, what)
		case "to":
			d.To = r.text(e.node, what)
		case "max":
			d.Max = r.number(e.node, what, 0, 1<<30)
		case "pattern":
			d.Pattern = r.text(e.node, what)
		case "with":
			d.With = r.text(e.node, what)
		case "name":
			d.Name = r.text(e.node, what)
		case "value":
			d.Value = r.text(e.node, what)
		}
	}
	if d.Kind == "find" && !reVariable.MatchString(d.Name.Value) {
		r.fail(d.Name.Pos, "find.name: found %q; want lower-case letters, digits and _", clip(d.Name.Value))
	}
	if len(entries) != len(keys) {
		r.fail(d.Pos, "%s: found %d keys; want all of %s", d.Kind, len(entries), strings.Join(keys, ", "))
	}
}

// reply reads what a reject or a reply sends. A reply goes out while the message
// goes on, so it has no close.
func (r *reader) reply(p *Reply, n ast.Node, what string) {
	keys := []string{"status", "reason", "headers", "body", "raw"}
	if what == "reject" {
		keys = append(keys, "version", "framing", "close")
	}
	raw, other := false, false
	for _, e := range r.mapping(n, what, keys...) {
		other = other || e.key != "raw" && e.key != "close"
		switch in := what + "." + e.key; e.key {
		case "status":
			p.Status = r.number(e.node, in, 100, 4999) // beyond 599 not for every protocol; see compiler.reply
		case "reason":
			p.Reason = r.text(e.node, in)
		case "version":
			p.Version = r.text(e.node, in)
		case "framing":
			p.Framing = r.text(e.node, in)
			if !slices.Contains(protocol.Framings, p.Framing.Value) {
				r.fail(p.Framing.Pos, "%s: found %q; want one of %s", in, clip(p.Framing.Value), strings.Join(protocol.Framings, ", "))
			}
		case "headers":
			p.Headers = r.headers(e.node, in)
		case "body":
			p.Body = r.text(e.node, in)
		case "raw":
			p.Raw, raw = r.text(e.node, in), true
		case "close":
			p.Close = r.boolean(e.node, in)
		}
	}
	if raw == other {
		r.fail(r.pos(n), "%s: want either raw, or status with reason, headers, body and the like as needed", what)
	} else if other && p.Status == 0 {
		r.fail(r.pos(n), "%s: key \"status\" is missing", what)
	}
}

// headers reads a list of one-entry mappings, so that order and repetition stay.
func (r *reader) headers(n ast.Node, what string) [][2]Text {
	var out [][2]Text
	for _, item := range r.list(n, what) {
		if text, ok := item.(*ast.StringNode); ok {
			r.fail(r.pos(item), "%s: found text; want NAME: TEXT, without quotes around both, as in \"- Content-Type: text/plain\", not %q", what, clip(text.Value))
			continue
		}
		entries := r.mapping(item, what)
		if len(entries) != 1 {
			r.fail(r.pos(item), "%s: found %d entries in one item; want one, as in \"- Content-Type: text/plain\"", what, len(entries))
			continue
		}
		e := entries[0]
		name := Text{Pos: e.pos, Value: e.key}
		if name.Value == "" || strings.ContainsAny(name.Value, "\r\n: ") {
			r.fail(e.pos, "%s: name %q; want a header name", what, clip(name.Value))
		}
		out = append(out, [2]Text{name, r.text(e.node, what)})
	}
	return out
}

// variables reads the session variables: names with their initial values.
func (r *reader) variables(n ast.Node) []Variable {
	var out []Variable
	for _, e := range r.mapping(n, "session") {
		v := Variable{Pos: e.pos, Name: e.key}
		if !reVariable.MatchString(v.Name) {
			r.fail(e.pos, "session: name %q; want lower-case letters, digits and _", clip(v.Name))
		}
		switch e.node.(type) {
		case *ast.IntegerNode:
			v.Initial = int64(r.number(e.node, "session."+v.Name, 0, 1<<30))
		case *ast.BoolNode:
			v.Initial = r.boolean(e.node, "session."+v.Name)
		default:
			v.Initial = r.text(e.node, "session."+v.Name).Value
		}
		out = append(out, v)
	}
	if len(out) == 0 || len(out) > MaxVariables {
		r.fail(r.pos(n), "session: found %d variables; want 1 to %d", len(out), MaxVariables)
	}
	return out
}
