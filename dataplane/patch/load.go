package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"wirepatch/dataplane/protocol"
)

// Load reads every definition under dir, each as <id>/patch.yaml, compiles them
// and runs each one's own tests. One with a fault or a failed test is set aside
// with its reason in Set.Definitions, and the rest go on; errs repeats the
// reasons. Modes and options are as for Compile. A dir that cannot be read is an error; one
// that is not there is an empty Set.
func Load(dir string, decoders map[string]Decoder, modes map[string]string, opts ...Option) (set *Set, errs []error) {
	defs, aside, err := readAll(dir)
	if err != nil {
		errs = append(errs, err)
	}
	schemas := map[string]protocol.Schema{}
	for name, d := range decoders {
		schemas[name] = d.Schema
	}
	var sound []*Definition
	for _, d := range defs {
		if err := tested(d, decoders); err != nil {
			aside = append(aside, setAside{d, err})
			continue
		}
		sound = append(sound, d)
	}
	set, more := Compile(sound, schemas, modes, opts...)
	errs = append(errs, more...)
	for _, a := range aside {
		errs = append(errs, a.err)
		set.defs = append(set.defs, &loaded{Definition: a.def, mode: modeOf(modes, a.def), byService: set.services[a.def.ID], err: a.err.Error()})
	}
	slices.SortStableFunc(set.defs, func(a, b *loaded) int { return byID(a.Definition, b.Definition) })
	return set, errs
}

type setAside struct {
	def *Definition
	err error
}

// readAll reads the files. A folder without a definition is none of ours.
func readAll(dir string) (defs []*Definition, aside []setAside, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read the definitions: %w", err)
	case len(entries) > MaxFiles:
		return nil, nil, fmt.Errorf("read the definitions: %s has %d entries; want at most %d", dir, len(entries), MaxFiles)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name(), FileName)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		d, err := ReadFile(path)
		if err == nil {
			defs = append(defs, d)
			continue
		}
		// The folder's name stands in for what could not be read.
		named := &Definition{Pos: Pos{File: path}, ID: e.Name()}
		if d != nil {
			named.Title, named.Revision, named.Vulnerabilities = d.Title, d.Revision, d.Vulnerabilities
		}
		aside = append(aside, setAside{named, err})
	}
	return defs, aside, nil
}

// tested says why a definition may not be used; nil when its tests pass.
func tested(d *Definition, decoders map[string]Decoder) error {
	dec, ok := decoders[d.Protocol]
	if !ok {
		return d.protocolPos.errorf("protocol: no decoder for %q", clip(d.Protocol))
	}
	var errs []error
	for _, f := range Test(d, dec) {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}
