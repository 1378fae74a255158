package patch

import (
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"wirepatch/dataplane/protocol"
)

// Strike is a rule that takes a field of a message's head away for its name
// alone, in every service, so that somebody who knows no rules can do it.
type Strike struct {
	Name       string // of the field, in lower case
	Element    string // its kind
	Definition string
	Revision   int
	Rule       int
	def        *loaded
}

// Count notes that it was done once.
func (s *Strike) Count() { s.def.corrections.Add(1) }

// strikes is what a rule's condition says when it says no more than which field.
type strikes struct {
	name  string
	falls []string // fields of the element that must be false
}

// strikesOf reads a condition like name == "x-a" && !folded; nil: it is another.
func strikesOf(a *celast.AST, elem protocol.ElementType, s *protocol.Schema) *strikes {
	out := &strikes{}
	if !out.read(&needer{elem: elem, schema: s}, a.Expr()) || out.name == "" {
		return nil
	}
	return out
}

func (k *strikes) read(n *needer, e celast.Expr) bool {
	if e.Kind() != celast.CallKind {
		return false
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd:
		return k.read(n, args[0]) && k.read(n, args[1])
	case operators.LogicalNot:
		s := n.plain(args[0])
		k.falls = append(k.falls, s.name)
		return s.ok && s.typ == protocol.Bool
	case operators.Equals:
		if args[0].Kind() == celast.LiteralKind {
			args = []celast.Expr{args[1], args[0]}
		}
		s := n.plain(args[0])
		text, ok := constant(args[1])
		if !ok || !s.ok || s.name != "name" || s.typ != protocol.String || k.name != "" || text != lowerASCII(text) {
			return false
		}
		k.name = text
		return true
	}
	return false
}

// plain is the subject that an expression is, if it is a field of the element as
// it stands.
func (n *needer) plain(e celast.Expr) subject {
	if e.Kind() != celast.IdentKind {
		return subject{}
	}
	s := n.named(e.AsIdent())
	s.ok = s.ok && !s.isVar
	return s
}

// kept are fields that say what becomes of the session: whoever takes one away
// must know what the two ends make of that.
var kept = []string{"connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}

// strike is what r does when that is no more than to take a field of a request
// away; nil when it is not.
func (look *Look) strike(r *rule) *Strike {
	k := r.strikes
	if k == nil || r.action != protocol.Remove || r.field != "" || r.places || !r.def.correctsAll() || look.Written(r.kind, "name") != protocol.FieldName {
		return nil
	}
	if slices.Contains(kept, k.name) || strings.ContainsFunc(k.name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == ':' }) {
		return nil
	}
	for _, f := range k.falls {
		if !slices.Equal(look.Only(r.kind, f), []any{false}) {
			return nil
		}
	}
	return &Strike{Name: k.name, Element: r.kind, Definition: r.def.ID, Revision: r.def.Revision, Rule: r.index, def: r.def}
}

// correctsAll says whether the definition corrects in every service.
func (l *loaded) correctsAll() bool {
	for _, m := range l.byService {
		if m != Correct {
			return false
		}
	}
	return l.mode == Correct
}

// strikes finds the rules on requests that are strikes and that look.Strike
// takes: none that shares its field with another.
func (s *Set) strikes(protocol string, look *Look) map[*rule]*Strike {
	if look.Strike == nil {
		return nil
	}
	found, times := map[*rule]*Strike{}, map[string]int{}
	var names []string
	for _, r := range s.rules {
		if r.def.Protocol != protocol || r.dir != 0 {
			continue
		}
		if k := look.strike(r); k != nil {
			found[r] = k
			if times[k.Name]++; times[k.Name] == 1 {
				names = append(names, k.Name)
			}
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return times[n] > 1 })
	taken := look.Strike(names)
	for r, k := range found {
		if !slices.Contains(taken, k.Name) {
			delete(found, r)
		}
	}
	return found
}
