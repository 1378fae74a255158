package patch

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

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
	for _, e := range r.mapping(n, "rule", "at", "when", "do") {
		switch e.key {
		case "at":
			rule.At = r.text(e.node, "at")
		case "when":
			rule.When = r.text(e.node, "when")
			if strings.TrimSpace(rule.When.Value) == "" {
				r.fail(rule.When.Pos, "when: found nothing; want a CEL condition, or no such key for a rule that always applies")
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
	bareActions = []string{"drop", "reset", "report"}
	mapActions  = []string{"remove", "set", "cut", "replace", "reject"}
)

func (r *reader) do(n ast.Node) Do {
	d := Do{Pos: r.pos(n)}
	if s, ok := n.(*ast.StringNode); ok {
		if !slices.Contains(bareActions, s.Value) {
			r.fail(d.Pos, "do: found %q; want drop, reset, report, or a mapping with one of %s", clip(s.Value), strings.Join(mapActions, ", "))
			return d
		}
		d.Kind = s.Value
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
	case "reject":
		r.reply(&d.Reply, e.node)
	default:
		r.change(&d, e.node)
	}
	return d
}

// changeKeys holds what set, cut and replace need, field first.
var changeKeys = map[string][]string{
	"set":     {"field", "to"},
	"cut":     {"field", "max"},
	"replace": {"field", "pattern", "with"},
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
		}
	}
	if len(entries) != len(keys) {
		r.fail(d.Pos, "%s: found %d keys; want all of %s", d.Kind, len(entries), strings.Join(keys, ", "))
	}
}

func (r *reader) reply(p *Reply, n ast.Node) {
	raw, other := false, false
	for _, e := range r.mapping(n, "reject", "status", "reason", "headers", "body", "raw", "close") {
		other = other || e.key != "raw" && e.key != "close"
		switch e.key {
		case "status":
			p.Status = r.number(e.node, "reject.status", 200, 599)
		case "reason":
			p.Reason = r.text(e.node, "reject.reason")
		case "headers":
			p.Headers = r.headers(e.node)
		case "body":
			p.Body = r.text(e.node, "reject.body")
		case "raw":
			p.Raw, raw = r.text(e.node, "reject.raw"), true
		case "close":
			p.Close = r.boolean(e.node, "reject.close")
		}
	}
	if raw == other {
		r.fail(r.pos(n), "reject: want either raw, or status with reason, headers and body as needed")
	} else if other && p.Status == 0 {
		r.fail(r.pos(n), "reject: key \"status\" is missing")
	}
}

// headers reads a list of one-entry mappings, so that order and repetition stay.
func (r *reader) headers(n ast.Node) [][2]Text {
	var out [][2]Text
	for _, item := range r.list(n, "reject.headers") {
		entries := r.mapping(item, "reject.headers")
		if len(entries) != 1 {
			r.fail(r.pos(item), "reject.headers: found %d entries in one item; want one, as in \"- Content-Type: text/plain\"", len(entries))
			continue
		}
		e := entries[0]
		name := Text{Pos: e.pos, Value: e.key}
		if name.Value == "" || strings.ContainsAny(name.Value, "\r\n: ") {
			r.fail(e.pos, "reject.headers: name %q; want a header name", clip(name.Value))
		}
		out = append(out, [2]Text{name, r.text(e.node, "reject.headers")})
	}
	return out
}
