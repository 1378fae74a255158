package patch

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// compiler compiles one definition.
type compiler struct {
	envs   *environments
	schema *protocol.Schema
	def    *Definition
	own    map[string]*cel.Env // by kind, where the definition has variables of its own
	at     string              // kind of the rule's element
	errs   []error
	reads  []string // message variables of the rule that are elements, too
	places bool     // the rule reads element.…
	same   bool     // the rule reads element.same_…
	// finding: the rule finds what others read.
	finding bool
	held    map[string]bool // message variables of the protocol that are elements, too
	aware   bool            // the rule reads what content coding was undone
	awaits  bool            // the rule is about what a client sends and reads what is remembered of answers
	back    bool            // the rule is about a response and reads what the request was
	// Of named expressions, by their place: those that rules use, and those with faults
	// that have been told.
	letUsed, letFaulty map[int]bool
}

func (c *compiler) fail(p Pos, format string, args ...any) {
	c.errs = append(c.errs, p.errorf(format, args...))
}

// rule is a compiled Rule.
type rule struct {
	def     *loaded
	index   int // within the definition
	kind    string
	cond    cel.Program // nil: always
	strikes *strikes    // cond, if it is one of those
	need    *need       // what cond needs; nil: that is not known
	guards  []guard     // the same in texts, of each guard one
	action  protocol.Action
	name    string
	field   string
	value   *template // set, replace
	cut     int
	match   *regexp.Regexp // replace
	reply   *reply
	before  bool        // insert
	fields  []fieldText // insert
	first   bool        // move
	slot    protocol.Name
	calc    cel.Program // remember
	late    protocol.Late
	hold    int
	reads   []string // message variables that are elements, too
	places  bool     // reads element.…
	same    bool     // reads element.same_…
	aware   bool     // reads what content coding was undone
	finds   bool     // finds what others read, before they are asked
	elem    protocol.ElementType
	held    map[string]bool // see compiler
	schema  *protocol.Schema
	dir     session.Direction
	awaits  bool // it is about what a client sends and reads what is remembered of answers
	// looksBack: it is about a response and reads what the request was.
	looksBack bool
}

type fieldText struct {
	name  string
	value *template
}

type reply struct {
	status                     int
	version, reason, body, raw *template
	headers                    [][2]*template
	framing                    string
	close                      bool
}

var actions = map[string]protocol.Action{
	"remove": protocol.Remove, "set": protocol.Set, "cut": protocol.Set, "replace": protocol.Set,
	"reject": protocol.Reject, "drop": protocol.Drop, "reset": protocol.Reset, "report": protocol.Report,
	"insert": protocol.Insert, "move": protocol.Move, "reply": protocol.Interim, "spoil": protocol.Spoil,
	"remember": protocol.Report, "find": protocol.Report,
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
	c.at, c.reads, c.places, c.back, c.same, c.aware, c.awaits, c.finding = r.At.Value, nil, false, false, false, false, false, r.Do.Kind == "find"
	out := &rule{def: def, index: index, kind: c.at, elem: elem, held: c.held, action: actions[r.Do.Kind], name: r.Do.Kind, hold: r.Hold, late: lates[r.Else.Value],
		dir: elem.Dir, schema: c.schema}
	if r.When.Value != "" {
		prog, ast := c.program(r.When, r.When.Value, c.at, cel.BoolType)
		out.cond = prog
		if ast != nil {
			out.need = needOf(ast, elem, c.schema)
			out.strikes = strikesOf(ast, elem, c.schema)
			out.guards = out.need.guards()
		}
	}
	if r.Hold > 0 && !elem.Holds {
		kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(c.schema.Elements)), func(k string) bool { return !c.schema.Elements[k].Holds })
		want := "it left out, for this protocol has none"
		if len(kinds) > 0 {
			want = "it at one of " + strings.Join(kinds, ", ")
		}
		c.fail(r.Pos, "hold: nothing more is held for a rule at %s; want %s", c.at, want)
	}
	if r.Else.Value == "spoil" {
		c.spoils("else: spoil", r.Else.Pos)
	}
	c.compileDo(&r.Do, elem, out)
	out.reads, out.places, out.looksBack, out.same, out.aware, out.awaits, out.finds = c.reads, c.places, c.back, c.same, c.aware, c.awaits, c.finding
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
	case "reject", "reply":
		if d.Reply.Status != 0 && !c.schema.Numbered {
			c.fail(d.Pos, "%s: replies of %s are no number and text; want {raw: TEXT}", d.Kind, c.schema.Protocol)
		}
		if (d.Reply.Headers != nil || d.Reply.Body.Line != 0) && c.schema.Protocol != "http" {
			c.fail(d.Pos, "%s: replies of %s have no headers and no body; want reason", d.Kind, c.schema.Protocol)
		}
		if d.Reply.Status > 599 && c.schema.Protocol != "websocket" {
			c.fail(d.Pos, "status: %d is no status of %s; want at most 599", d.Reply.Status, c.schema.Protocol)
		}
		for _, t := range []Text{d.Reply.Version, d.Reply.Framing} {
			if t.Line != 0 && c.schema.Protocol != "http" {
				c.fail(t.Pos, "version, framing: replies of %s have none; want them with protocol http only", c.schema.Protocol)
			}
		}
		out.reply = c.reply(&d.Reply)
	case "spoil":
		c.spoils("spoil", d.Pos)
	case "drop":
		if c.schema.Protocol == "http" {
			c.fail(d.Pos, "drop: the client would take the next answer for this one; want reject, of which {raw: \"\", close: true} says nothing and ends the session")
		}
	case "insert":
		c.insert(d, elem, out)
	case "move":
		out.first = d.First
	case "remember":
		c.remember(d, out)
	case "find":
		out.slot = protocol.Name{Definition: c.def.ID, Variable: d.Name.Value}
		out.calc, _ = c.program(d.Value, d.Value.Value, c.at, cel.StringType)
	}
}

// spoils refuses what makes a message invalid where no decoder can.
func (c *compiler) spoils(what string, at Pos) {
	if c.schema.Protocol != "http" && c.schema.Protocol != "websocket" {
		c.fail(at, "%s: nothing of %s can be made invalid; it is for protocols http and websocket", what, c.schema.Protocol)
	}
}

// insert compiles the fields of a new element.
func (c *compiler) insert(d *Do, elem protocol.ElementType, out *rule) {
	out.before = d.Before
	for _, f := range d.Fields {
		if _, ok := elem.Fields[f[0].Value]; !ok {
			c.fail(f[0].Pos, "insert.fields: %s has no field %q; want one of %s", c.at, clip(f[0].Value), strings.Join(slices.Sorted(maps.Keys(elem.Fields)), ", "))
			continue
		}
		out.fields = append(out.fields, fieldText{f[0].Value, c.template(f[1])})
	}
}

// remember compiles the value of a session variable, which keeps its type.
func (c *compiler) remember(d *Do, out *rule) {
	i := slices.IndexFunc(c.def.Session, func(v Variable) bool { return v.Name == d.Name.Value })
	if i < 0 {
		var names []string
		for _, v := range c.def.Session {
			names = append(names, v.Name)
		}
		c.fail(d.Name.Pos, "remember.name: found %q; want a name that the definition's session lists: %s", clip(d.Name.Value), strings.Join(names, ", "))
		return
	}
	v := c.def.Session[i]
	out.slot = protocol.Name{Definition: c.def.ID, Variable: v.Name}
	out.calc, _ = c.program(d.Value, d.Value.Value, c.at, typeOf(v.Initial))
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
	if len(settable) == 0 {
		c.fail(d.Field.Pos, "field: nothing of %s can be changed; want another correction, or another element", c.at)
		return
	}
	if !slices.Contains(settable, out.field) {
		c.fail(d.Field.Pos, "field: %q of %s cannot be changed; want one of %s", clip(out.field), c.at, strings.Join(settable, ", "))
	}
}

func (c *compiler) reply(r *Reply) *reply {
	out := &reply{status: r.Status, framing: r.Framing.Value, close: r.Close, version: c.template(r.Version)}
	out.reason, out.body, out.raw = c.template(r.Reason), c.template(r.Body), c.template(r.Raw)
	for _, h := range r.Headers {
		out.headers = append(out.headers, [2]*template{c.template(h[0]), c.template(h[1])})
	}
	return out
}
