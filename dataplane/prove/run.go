package prove

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// Options say what is proved, and where things lie.
type Options struct {
	Definitions string   // folder of the definitions
	Out         string   // folder for what is installed and built, and for the logs
	IDs         []string // of definitions; empty: all that have a proof
	Install     bool     // nothing is proved, only the servers are installed
	Quick       bool     // the exchanges as they are written down, without mutations
	Verbose     bool     // all failures
	Log         io.Writer
}

// stallLimit is when a server that does not answer counts as stalled, where the
// other version has answered.
const stallLimit = 6 * time.Second

// quiet is how long a fixed server may take, before it counts as one that waits.
const quiet = 8 * time.Second

// Run proves definitions one after the other. The error is about what could not
// be done; what does not hold is in the results.
func Run(ctx context.Context, o Options) ([]Result, error) {
	definitions, err := filepath.Abs(o.Definitions)
	if err != nil {
		return nil, err
	}
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return nil, err
	}
	dirs, err := withProof(definitions, o.IDs)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	r := &runner{Options: o, out: out, definitions: definitions, program: filepath.Join(out, "dataplane"),
		install: &installer{ctx: ctx, cache: out, log: o.Log}}
	c := exec.CommandContext(ctx, "go", "build", "-o", r.program, "wirepatch/dataplane")
	if b, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the dataplane: %w\n%s", err, b)
	}
	var results []Result
	for _, dir := range dirs {
		p, err := load(dir)
		if err != nil {
			return results, err
		}
		res, err := r.one(ctx, p)
		if err != nil {
			return results, fmt.Errorf("%s: %w", p.definition.ID, err)
		}
		if o.Install {
			continue
		}
		fmt.Fprintln(o.Log, res.line())
		results = append(results, *res)
	}
	return results, nil
}

type runner struct {
	Options
	out, definitions, program string
	install                   *installer
}

// one proves one definition, in namespaces of its own.
func (r *runner) one(ctx context.Context, p *proof) (*Result, error) {
	id := p.definition.ID
	bad, err := r.install.install(p, "vulnerable", p.Vulnerable)
	if err != nil {
		return nil, err
	}
	good, err := r.install.install(p, "fixed", p.Fixed)
	if err != nil {
		return nil, err
	}
	if r.Install {
		return &Result{ID: id}, nil
	}
	res := &Result{ID: id, versions: [2]string{p.Vulnerable.describe(), p.Fixed.describe()}}
	begin := time.Now()
	h := &netns.Host{Ctx: ctx}
	err = h.Guard(func() error {
		b := newBox(h, r.program, r.definitions, p, filepath.Join(r.out, id+"-dataplane.log"))
		j := &judge{ctx: ctx, p: p, log: r.Log, quick: r.Quick, verbose: r.Verbose, r: res, noted: time.Now()}
		for _, w := range []struct {
			to   **world
			name string
			v    version
			dir  string
			bed  *netns.Bed
		}{
			{&j.fixed, "fixed", p.Fixed, good, netns.NewCable(h)},
			{&j.alone, "vulnerable", p.Vulnerable, bad, netns.NewCable(h)},
			{&j.through, "corrected", p.Vulnerable, bad, b.Bed},
		} {
			s, err := newServer(r.install, p, w.name, w.v, w.dir, w.bed)
			if err != nil {
				return err
			}
			*w.to = &world{ctx: ctx, name: w.name, bed: w.bed, server: s, proof: p, own: newOwnHost(h, w.bed), limit: quiet}
			h.Cleanup(s.down)
			if err := s.up(ctx); err != nil {
				return err
			}
		}
		if err := j.run(); err != nil {
			return err
		}
		return b.corrected(h, p)
	})
	res.took = time.Since(begin)
	return res, err
}
