package demo_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/qemu/demo"
	"wirepatch/qemu/lab"
)

// start starts the portal at path.
func start(t *testing.T, path string) *lab.Portal {
	t.Helper()
	p, err := lab.StartPortal(path, "127.0.0.1:0", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// TestOverCable puts no appliance between the hosts: then the vulnerable
// server is as vulnerable through the wire as straight, and a patched one
// behind the wire shows that there is nothing to demonstrate.
func TestOverCable(t *testing.T) {
	vulnerable, patched, err := lab.BuildPortals(t.Context(), filepath.Join("..", ".."), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v, p := start(t, vulnerable), start(t, patched)
	for _, tc := range []struct {
		name, straight, behind string
		want                   []string // one for each failed check, in order
	}{
		{"vulnerable", v.Address, v.Address, []string{"step 1: through the appliance comes", "step 2: through the appliance comes", "step 3: through the appliance comes"}},
		{"patched behind the wire", v.Address, p.Address, nil},
		{"patched on all ways", p.Address, p.Address, []string{"step 1: the vulnerable server answers like", "step 2: the vulnerable server answers like", "step 3: the vulnerable server answers like"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := lab.New(tc.behind)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			l.Cable(nil, nil)
			var out bytes.Buffer
			w := demo.Ways{Straight: tc.straight, Patched: p.Address, Lab: l, Service: lab.Service6}
			err = demo.Run(context.Background(), w, &demo.Printer{W: &out})
			t.Log(out.String())
			if err == nil && len(tc.want) > 0 {
				t.Fatalf("Run() = nil; want %q", tc.want)
			}
			if err == nil {
				return
			}
			rest := err.Error()
			for _, w := range tc.want {
				_, after, found := strings.Cut(rest, w)
				if !found {
					t.Errorf("Run() = %v; want %q in it", err, w)
				}
				rest = after
			}
			if got := strings.Count("\n"+err.Error(), "\nstep "); got != len(tc.want) {
				t.Errorf("Run() names %d faults; want %d: %v", got, len(tc.want), err)
			}
		})
	}
}
