package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"wirepatch/dataplane/protocol"
)

// Load reads every definition under dir, each as <id>/patch.yaml, compiles them
// and runs each one's own tests, but for those that a Memory (WithMemory) has
// passed. One with a fault or a failed test is set aside
// with its reason in Set.Definitions, and the rest go on; errs repeats the
// reasons. Modes and options are as for Compile. A dir that cannot be read is an error; one
// that is not there is an empty Set.
func Load(dir string, decoders map[string]Decoder, modes map[string]string, opts ...Option) (set *Set, errs []error) {
	asked := new(Set)
	for _, o := range opts {
		o(asked)
	}
	sumOf, err := asked.memory.sumOf(dir)
	if err != nil {
		return &Set{}, []error{fmt.Errorf("read the protocols: %w", err)}
	}
	files, err := list(dir)
	if err != nil {
		errs = append(errs, err)
	}
	all := make([]vetted, len(files))
	each(max(asked.workers, 1), len(files), func(i int) { all[i] = vet(files[i], sumOf, asked.memory, decoders) })
	schemas := map[string]protocol.Schema{}
	for name, d := range decoders {
		schemas[name] = d.Schema
	}
	var sound []*Definition
	var passed []Sum
	tests := 0
	for _, v := range all {
		if v.tested {
			tests++
		}
		if v.err == nil {
			sound, passed = append(sound, v.def), append(passed, v.sum)
		}
	}
	asked.memory.keep(passed)
	set, more := Compile(sound, schemas, modes, append(opts, func(o *Set) { o.vetted = true })...)
	set.tested = tests
	errs = append(errs, more...)
	for _, v := range all {
		if v.err != nil {
			errs = append(errs, v.err)
			set.defs = append(set.defs, &loaded{Definition: v.def, mode: modeOf(modes, v.def), byService: set.services[v.def.ID], err: v.err.Error()})
		}
	}
	slices.SortStableFunc(set.defs, func(a, b *loaded) int { return byID(a.Definition, b.Definition) })
	return set, errs
}

// vetted is a definition that was read, and why it may not be used.
type vetted struct {
	def    *Definition
	sum    Sum
	tested bool
	err    error
}

// vet reads a definition and runs its tests, if it has not passed them before.
func vet(path string, sumOf func([]byte) Sum, memory *Memory, decoders map[string]Decoder) vetted {
	d, file, err := readFile(path)
	v := vetted{def: d, sum: sumOf(file), err: err}
	switch {
	case err == nil && memory.has(v.sum):
	case err == nil:
		v.tested, v.err = true, test(d, decoders)
	default:
		// The folder's name stands in for what could not be read.
		v.def = &Definition{Pos: Pos{File: path}, ID: filepath.Base(filepath.Dir(path))}
		if d != nil {
			v.def.Title, v.def.Revision, v.def.Vulnerabilities = d.Title, d.Revision, d.Vulnerabilities
		}
	}
	return v
}

// each calls do for 0 to n-1, so many of them at once.
func each(workers, n int, do func(int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(workers, n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}

// list returns the definitions' files. A folder without one is none of ours.
func list(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the definitions: %w", err)
	case len(entries) > MaxFiles:
		return nil, fmt.Errorf("read the definitions: %s has %d entries; want at most %d", dir, len(entries), MaxFiles)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name(), FileName)
		if _, err := os.Stat(path); err == nil {
			files = append(files, path)
		}
	}
	return files, nil
}

// test says why a definition may not be used; nil when its tests pass.
func test(d *Definition, decoders map[string]Decoder) error {
	dec, ok := decoders[d.Protocol]
	if !ok {
		return d.protocolPos.errorf("protocol: no decoder for %q, and no description of it in the folder "+ProtocolFolder, clip(d.Protocol))
	}
	var errs []error
	for _, f := range Test(d, dec) {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}
