package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wirepatch/dataplane/internal/build"
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
	Jobs        int      // how many pairs at a time; 0: one
	Log         io.Writer
	Done        func([]Result) error // told all results so far, sorted, whenever there is another one; may be nil
}

// stallLimit is when a server that does not answer counts as stalled, where the
// other version has answered.
const stallLimit = 6 * time.Second

// quiet is how long a fixed server may take, before it counts as one that waits.
const quiet = 8 * time.Second

// Run proves definitions, several at a time: each has namespaces, servers and a
// dataplane of its own. The error is about what kept it from working at all; what
// could not be done for one pair, and what does not hold, is in the results.
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
	program, err := build.Dataplane(ctx, out)
	if err != nil {
		return nil, err
	}
	o.Log = &together{w: o.Log}
	r := &runner{Options: o, out: out, definitions: definitions, program: program,
		install: &installer{ctx: ctx, cache: out, log: o.Log}}
	return r.all(ctx, dirs)
}

// all proves the definitions in dirs.
func (r *runner) all(ctx context.Context, dirs []string) ([]Result, error) {
	work := make(chan string)
	var workers sync.WaitGroup
	for range max(1, r.Jobs) {
		workers.Go(func() {
			for dir := range work {
				r.add(r.pair(ctx, dir), len(dirs))
			}
		})
	}
	for _, dir := range dirs {
		select {
		case work <- dir:
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	return r.results, errors.Join(ctx.Err(), r.err)
}

// pair proves one definition. What keeps it from being proved is its result.
func (r *runner) pair(ctx context.Context, dir string) *Result {
	p, err := load(dir)
	if err != nil {
		return &Result{ID: filepath.Base(dir), failed: err}
	}
	res := &Result{ID: p.definition.ID, versions: [2]string{p.describe(p.Vulnerable), p.describe(p.Fixed)}}
	res.failed = r.one(ctx, p, res)
	return res
}

// add tells a result, and keeps it, unless its work was cut short.
func (r *runner) add(res *Result, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.install.ctx.Err() != nil {
		return
	}
	if r.Install && res.failed == nil {
		return
	}
	at, _ := slices.BinarySearchFunc(r.results, res.ID, func(have Result, id string) int { return strings.Compare(have.ID, id) })
	r.results = slices.Insert(r.results, at, *res)
	fmt.Fprintf(r.Log, "%d of %d: %s\n", len(r.results), of, res.line())
	if r.Done != nil && !r.Install {
		r.err = errors.Join(r.err, r.Done(r.results))
	}
}

type runner struct {
	Options
	out, definitions, program string
	install                   *installer

	mu      sync.Mutex // of what follows
	results []Result   // sorted
	err     error
}

// together writes what several say one behind the other.
type together struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *together) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(b)
}

// one proves one definition, in namespaces of its own.
func (r *runner) one(ctx context.Context, p *proof, res *Result) error {
	id := p.definition.ID
	bad, err := r.install.install(p, "vulnerable", p.Vulnerable)
	if err != nil {
		return err
	}
	good, err := r.install.install(p, "fixed", p.Fixed)
	if err != nil || r.Install {
		return err
	}
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
			*w.to = &world{ctx: ctx, host: h, name: w.name, bed: w.bed, server: s, proof: p, own: newOwnHost(h, w.bed), limit: quiet}
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
	return err
}
