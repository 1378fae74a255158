package patch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// DateVar is the variable with the present time, as HTTP writes it (RFC 9110
// section 5.6.7). It is there for every protocol.
const DateVar = "date"

// DateFormat is DateVar's layout.
const DateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// environments makes the CEL environments, one for each kind of element, since
// each has fields of its own.
type environments struct {
	base *cel.Env
	kind map[string]*cel.Env // by protocol and kind
}

func newEnvironments() (*environments, error) {
	base, err := baseEnv()
	if err != nil {
		return nil, fmt.Errorf("make the CEL environment: %w", err)
	}
	return &environments{base: base, kind: map[string]*cel.Env{}}, nil
}

// baseEnv is what all environments share. Making it is slow, so it is made once.
var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{
		cel.OptionalTypes(), ext.Strings(), ext.Regex(), ext.Bindings(),
		cel.ParserExpressionSizeLimit(maxExprSize),
		cel.ParserRecursionLimit(64),
		cel.Variable(DateVar, cel.StringType),
		cel.Variable(stateVar, stateType),
		cel.Macros(rateMacros...),
	}
	for name, t := range placeVars {
		opts = append(opts, cel.Variable(name, t))
	}
	for _, f := range functions {
		opts = append(opts, f.opt)
	}
	return cel.NewEnv(opts...)
})

// of returns the environment of the rules at kind: its fields and every message
// variable. That a variable is not known yet in this direction is found later,
// so that it can be said better than "undeclared".
func (e *environments) of(s *protocol.Schema, kind string) (*cel.Env, error) {
	key := s.Protocol + " " + kind
	if env := e.kind[key]; env != nil {
		return env, nil
	}
	var opts []cel.EnvOption
	fields := s.Elements[kind].Fields
	for name, f := range fields {
		opts = append(opts, cel.Variable(name, celType(f.Type)))
	}
	for name, v := range s.Vars {
		if _, hidden := fields[name]; !hidden && name != DateVar {
			opts = append(opts, cel.Variable(name, celType(v.Type)))
		}
	}
	env, err := e.base.Extend(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the CEL environment of %s: %w", kind, err)
	}
	e.kind[key] = env
	return env, nil
}

func celType(t protocol.Type) *cel.Type {
	switch t {
	case protocol.Int:
		return cel.IntType
	case protocol.Bool:
		return cel.BoolType
	case protocol.StringList:
		return cel.ListType(cel.StringType)
	case protocol.StringMap:
		return stringMap
	case protocol.IntList:
		return cel.ListType(cel.IntType)
	}
	return cel.StringType
}

// sessionPrefix begins the names of session variables in expressions.
const sessionPrefix = "session."

func typeOf(initial any) *cel.Type {
	switch initial.(type) {
	case int64:
		return cel.IntType
	case bool:
		return cel.BoolType
	}
	return cel.StringType
}

// env returns the environment of a definition's rules at kind: that of all
// definitions, with its own session variables and parameters.
func (c *compiler) env(kind string) (*cel.Env, error) {
	env, err := c.envs.of(c.schema, kind)
	found := c.finders()
	if err != nil || c.def == nil || len(c.def.Session)+len(c.def.Parameters)+len(found) == 0 {
		return env, err
	}
	if own := c.own[kind]; own != nil {
		return own, nil
	}
	var opts []cel.EnvOption
	for _, v := range c.def.Session {
		opts = append(opts, cel.Variable(sessionPrefix+v.Name, typeOf(v.Initial)))
	}
	for _, p := range c.def.Parameters {
		opts = append(opts, cel.Variable(parameterPrefix+p.Name, parameterType(p.Default)))
	}
	for name := range found {
		opts = append(opts, cel.Variable(foundPrefix+name, foundType))
	}
	if env, err = env.Extend(opts...); err != nil {
		return nil, fmt.Errorf("make the CEL environment of %s: %w", kind, err)
	}
	if c.own == nil {
		c.own = map[string]*cel.Env{}
	}
	c.own[kind] = env
	return env, nil
}

// program compiles one expression for the rules at kind. want lists the types
// that it may have. The returned AST serves the search for literals.
func (c *compiler) program(t Text, src, kind string, want ...*cel.Type) (cel.Program, *celast.AST) {
	env, err := c.env(kind)
	if err != nil {
		c.fail(t.Pos, "%v", err)
		return nil, nil
	}
	lets := c.letsOf(env, src, c.lets())
	if !c.letsHold(env, kind, lets) {
		return nil, nil
	}
	src, lines := c.bound(src, lets)
	ast, issues := env.Compile(src)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			c.fail(t.inside(e.Location.Line()-lines, e.Location.Column()+1), "%s", c.explain(e.Message))
		}
		return nil, nil
	}
	if !slices.ContainsFunc(want, ast.OutputType().IsExactType) {
		c.fail(t.Pos, "expression has type %s; want %s", ast.OutputType(), typeNames(want))
		return nil, nil
	}
	native := ast.NativeRep()
	c.variables(t, native, kind)
	c.lowerCaseNames(t, native)
	c.constants(t, native)
	p, err := env.Program(ast, append(costOptions(native), cel.EvalOptions(cel.OptOptimize))...)
	if err != nil {
		c.fail(t.Pos, "%v; want an expression that can be evaluated", err)
		return nil, nil
	}
	return p, native
}

// codingVar tells what content coding was undone of what a rule is shown.
const codingVar = "request.coding"

// variables notes the message variables that an expression reads, and refuses
// what is not known yet when an element of this kind is decided.
func (c *compiler) variables(t Text, a *celast.AST, kind string) {
	dir := session.ToServer
	if kind != "" {
		dir = c.schema.Elements[kind].Dir
	}
	for _, ref := range a.ReferenceMap() {
		if _, ok := placeVars[ref.Name]; ok {
			c.places = true
		}
		c.surveyed(t, ref.Name, kind)
		if name, ok := strings.CutPrefix(ref.Name, sessionPrefix); ok && dir == session.ToServer && c.def != nil {
			c.awaits = c.awaits || slices.ContainsFunc(c.def.Rules, func(r Rule) bool {
				return r.Do.Kind == "remember" && r.Do.Name.Value == name && c.schema.Elements[r.At.Value].Dir == session.ToClient
			})
		}
		v, ok := c.schema.Vars[ref.Name]
		if !ok || ref.Name == "" {
			continue
		}
		if v.Dir > dir {
			c.fail(t.Pos, "%s is not known when %s is decided; want a variable of the request", ref.Name, kind)
		}
		if dir == session.ToClient && v.Dir == session.ToServer && !v.Ambient {
			c.back = true
		}
		c.aware = c.aware || ref.Name == codingVar
		if _, held := c.schema.Elements[ref.Name]; held && ref.Name != c.schema.Elements[kind].Within {
			c.reads = append(c.reads, ref.Name)
		}
	}
}

// lowerCaseNames refuses comparisons of a name with a text that has capitals,
// which never hold.
func (c *compiler) lowerCaseNames(t Text, a *celast.AST) {
	if _, ok := c.schema.Elements[c.at].Fields[nameField]; !ok {
		return
	}
	check := func(name, text celast.Expr) {
		if name.Kind() != celast.IdentKind || name.AsIdent() != nameField || text.Kind() != celast.LiteralKind {
			return
		}
		if s, ok := text.AsLiteral().(types.String); ok && lowerASCII(string(s)) != string(s) {
			c.fail(t.Pos, "name is in lower case, so it is never %q; want %q", string(s), lowerASCII(string(s)))
		}
	}
	celast.PreOrderVisit(a.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.CallKind {
			return
		}
		call := e.AsCall()
		switch args := call.Args(); call.FunctionName() {
		case operators.Equals, operators.NotEquals:
			check(args[0], args[1])
			check(args[1], args[0])
		case operators.In:
			if args[1].Kind() == celast.ListKind {
				for _, item := range args[1].AsList().Elements() {
					check(args[0], item)
				}
			}
		case "contains", "startsWith", "endsWith":
			check(call.Target(), args[0])
		}
	}))
}

// constants refuses constant arguments with which a function fails, or never holds,
// whatever comes.
func (c *compiler) constants(t Text, a *celast.AST) {
	celast.PreOrderVisit(a.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.CallKind || len(e.AsCall().Args()) < 2 || e.AsCall().Args()[1].Kind() != celast.LiteralKind {
			return
		}
		text, ok := e.AsCall().Args()[1].AsLiteral().(types.String)
		switch name := e.AsCall().FunctionName(); {
		case !ok:
		case name == "addressIn":
			if types.IsError(addressIn(types.String("0.0.0.0"), text)) {
				c.fail(t.Pos, "addressIn: found %q; want an address or a prefix, as 192.0.2.0/24", clip(string(text)))
			}
		case strings.HasPrefix(name, "regex."):
			if _, err := regexp.Compile(string(text)); err != nil {
				c.fail(t.Pos, "%s: %v; want a regular expression as RE2 has them", name, err)
			}
		}
	}))
}

// explain adds to CEL's message what the author can use instead.
func (c *compiler) explain(msg string) string {
	if !strings.HasPrefix(msg, "undeclared reference") || c.schema == nil {
		return msg + "; want a CEL expression"
	}
	var names []string
	if e, ok := c.schema.Elements[c.at]; ok {
		for n := range e.Fields {
			names = append(names, n)
		}
	}
	for n, v := range c.schema.Vars {
		if v.Dir <= c.schema.Elements[c.at].Dir && n != DateVar {
			names = append(names, n)
		}
	}
	if c.def != nil {
		for _, v := range c.def.Session {
			names = append(names, sessionPrefix+v.Name)
		}
		for _, p := range c.def.Parameters {
			names = append(names, parameterPrefix+p.Name)
		}
		for name := range c.finders() {
			names = append(names, foundPrefix+name)
		}
	}
	for i := range c.lets() {
		names = append(names, c.def.Let[i].Name.Value)
	}
	slices.Sort(names)
	msg = strings.TrimSuffix(msg, " (in container '')")
	places := slices.Sorted(maps.Keys(placeVars))
	return fmt.Sprintf("%s; want one of %s, %s, %s or a function of docs/definitions.md, Conditions", msg, strings.Join(names, ", "), strings.Join(places, ", "), DateVar)
}

func typeNames(ts []*cel.Type) string {
	var names []string
	for _, t := range ts {
		names = append(names, t.String())
	}
	return strings.Join(names, " or ")
}
