package patch

import (
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

func (r *reader) tests(n ast.Node) []Vector {
	items := r.list(n, "tests")
	if len(items) < 2 || len(items) > MaxTests {
		r.fail(r.pos(n), "tests: found %d; want 2 to %d: at least one that triggers and one harmless neighbour", len(items), MaxTests)
		return nil
	}
	out := make([]Vector, 0, len(items))
	names := map[string]bool{}
	for _, item := range items {
		v := r.vector(item)
		if names[v.Name] {
			r.fail(v.Pos, "tests: name %q is there twice; want a name of its own for each", clip(v.Name))
		}
		names[v.Name] = true
		out = append(out, v)
	}
	return out
}

var vectorKeys = []string{"name", "client", "request", "server", "response", "client_gets", "ends", "corrections", "over", "parameters", "steps"}

func (r *reader) vector(n ast.Node) Vector {
	v := Vector{Pos: r.pos(n), Ends: endsOpen, Corrections: -1}
	from := 0
	for _, e := range r.mapping(n, "test", vectorKeys...) {
		switch e.key {
		case "name":
			v.Name = r.text(e.node, "name").Value
		case "client", "request":
			v.Client = r.text(e.node, e.key)
			from++
		case "server":
			v.Server = r.optional(e)
		case "response":
			v.Response = r.optional(e)
		case "client_gets":
			v.ClientGets = r.optional(e)
		case "ends":
			v.Ends = r.text(e.node, "ends").Value
			if ends := []string{endsOpen, endsClose, endsReset}; !slices.Contains(ends, v.Ends) {
				r.fail(r.pos(e.node), "ends: found %q; want one of %s", clip(v.Ends), strings.Join(ends, ", "))
			}
		case "corrections":
			v.Corrections = r.number(e.node, "corrections", 0, 1000)
		case "over":
			if v.Over = r.text(e.node, "over").Value; v.Over != overTCP && v.Over != overUDP {
				r.fail(r.pos(e.node), "over: found %q; want %s or %s", clip(v.Over), overTCP, overUDP)
			}
		case "parameters":
			v.Parameters = r.given(e.node)
		case "steps":
			v.Steps = r.steps(e.node)
			from++
		}
	}
	if v.Steps != nil && (v.Server != nil || v.Response != nil || v.ClientGets != nil) {
		r.fail(v.Pos, "test: server, response and client_gets stand beside steps; want them within the steps")
	}
	if v.Name == "" {
		r.fail(v.Pos, `test: key "name" is missing; want what the test shows`)
	}
	if from != 1 {
		r.fail(v.Pos, "test: want exactly one of client, request, steps: the bytes that the client sends, or the steps of a conversation")
	}
	return v
}

// steps reads a conversation: what each side sends, in order.
func (r *reader) steps(n ast.Node) []Step {
	items := r.list(n, "steps")
	if len(items) == 0 || len(items) > MaxSteps {
		r.fail(r.pos(n), "steps: found %d; want 1 to %d", len(items), MaxSteps)
		return nil
	}
	out := make([]Step, 0, len(items))
	for _, item := range items {
		s, from := Step{Pos: r.pos(item)}, 0
		for _, e := range r.mapping(item, "step", "client", "server", "server_gets", "client_gets") {
			switch e.key {
			case "client", "server":
				s.Sends, s.FromServer = r.text(e.node, e.key), e.key == "server"
				from++
			case "server_gets":
				s.ServerGets = r.optional(e)
			case "client_gets":
				s.ClientGets = r.optional(e)
			}
		}
		if from != 1 {
			r.fail(s.Pos, "step: want exactly one of client, server: the bytes that this side sends")
		}
		out = append(out, s)
	}
	return out
}

func (r *reader) optional(e entry) *Text {
	t := r.text(e.node, e.key)
	return &t
}

// readFull fills b as far as there is something to read.
func readFull(f io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(f, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}
