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

var vectorKeys = []string{"name", "client", "request", "server", "response", "client_gets", "ends", "corrections"}

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
		}
	}
	if v.Name == "" {
		r.fail(v.Pos, `test: key "name" is missing; want what the test shows`)
	}
	if from != 1 {
		r.fail(v.Pos, "test: want exactly one of client, request: the bytes that the client sends")
	}
	return v
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
