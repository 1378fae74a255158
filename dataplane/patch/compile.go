package patch

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"wirepatch/dataplane/protocol"
)

// compiler compiles one definition.
type compiler struct {
	envs   *environments
	schema *protocol.Schema
	at     string // kind of the rule's element
	errs   []error
	reads  []string // message variables of the rule that are elements, too
}

func (c *compiler) fail(p Pos, format string, args ...any) {
	c.errs = append(c.errs, p.errorf(format, args...))
}

// rule is a compiled Rule.
type rule struct {
	def    *loaded
	index  int // within the definition
	kind   string
	cond   cel.Program // nil: always
	guards []guard     // alternatives of which the condition needs one each
	action protocol.Action
	name   string
	field  string
	value  *template // set, replace
	cut    int
	match  *regexp.Regexp // replace
	reply  *reply
	reads  []string // message variables that are elements, too
}

type reply struct {
	status            int
	reason, body, raw *template
	headers           [][2]*template
	close             bool
}

var actions = map[string]protocol.Action{
	"remove": protocol.Remove, "set": protocol.Set, "cut": protocol.Set, "replace": protocol.Set,
	"reject": protocol.Reject, "drop": protocol.Drop, "reset": protocol.Reset, "report": protocol.Report,
}

// compileRule compiles one rule; nil after a fault.
func (c *compiler) compileRule(r *Rule, def *loaded, index int) *rule {
	before := len(c.errs)
	elem, ok := c.schema.Elements[r.At.Value]
	if !ok {
		kinds := slices.Sorted(maps.Keys(c.schema.Elements))
		c.fail(r.At.Pos, "at: protocol %s has no element %q; want one of %s", c.schema.Protocol, clip(r.At.Value), strings.Join(kinds, ", "))
		return nil
	}
	c.at, c.reads = r.At.Value, nil
	out := &rule{def: def, index: index, kind: c.at, action: actions[r.Do.Kind], name: r.Do.Kind}
	if r.When.Value != "" {
		prog, ast := c.program(r.When, r.When.Value, c.at, cel.BoolType)
		out.cond = prog
		if ast != nil {
			out.guards = guardsOf(ast, elem, c.schema)
		}
	}
	c.compileDo(&r.Do, elem, out)
	out.reads = c.reads
	if len(c.errs) > before {
		return nil
	}
	return out
}

func (c *compiler) compileDo(d *Do, elem protocol.ElementType, out *rule) {
	switch d.Kind {
	case "set":
		c.field(d, elem, out)
		out.value = c.template(d.To)
	case "cut":
		c.field(d, elem, out)
		out.cut = d.Max
	case "replace":
		c.field(d, elem, out)
		re, err := regexp.Compile(d.Pattern.Value)
		if err != nil {
			c.fail(d.Pattern.Pos, "pattern: %v; want a regular expression as RE2 has them", err)
		}
		out.match, out.value = re, c.template(d.With)
	case "reject":
		out.reply = c.reply(&d.Reply)
	}
}

func (c *compiler) field(d *Do, elem protocol.ElementType, out *rule) {
	var settable []string
	for name, f := range elem.Fields {
		if f.Settable {
			settable = append(settable, name)
		}
	}
	slices.Sort(settable)
	out.field = d.Field.Value
	if !slices.Contains(settable, out.field) {
		c.fail(d.Field.Pos, "field: %q of %s cannot be changed; want one of %s", clip(out.field), c.at, strings.Join(settable, ", "))
	}
}

func (c *compiler) reply(r *Reply) *reply {
	out := &reply{status: r.Status, close: r.Close}
	out.reason, out.body, out.raw = c.template(r.Reason), c.template(r.Body), c.template(r.Raw)
	for _, h := range r.Headers {
		out.headers = append(out.headers, [2]*template{c.template(h[0]), c.template(h[1])})
	}
	return out
}
