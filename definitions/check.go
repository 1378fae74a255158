package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
)

// check parses and compiles the definitions that paths name, and with tests runs
// theirs. All of them together are compiled at last, for faults between them.
func check(paths []string, out io.Writer, tests bool) error {
	files, err := find(paths)
	if err != nil {
		return err
	}
	decs := allDecoders(paths...)
	schemas := map[string]protocol.Schema{}
	for name, d := range decs {
		schemas[name] = d.Schema
	}
	var sound []*patch.Definition
	faulty := 0
	for _, f := range files {
		if isDescription(f) {
			d, err := patch.ReadProtocol(f)
			if err != nil {
				faulty++
				fmt.Fprintln(out, err)
				continue
			}
			fmt.Fprintf(out, "ok    protocol %s\n", d.Name)
			continue
		}
		d, faults := one(f, decs, schemas, tests)
		for _, err := range faults {
			fmt.Fprintln(out, err)
		}
		if len(faults) > 0 {
			faulty++
			continue
		}
		sound = append(sound, d)
		fmt.Fprintf(out, "ok    %s revision %d, %d rules, %d tests\n", d.ID, d.Revision, len(d.Rules), len(d.Tests))
	}
	if _, errs := patch.Compile(sound, schemas, nil); len(errs) > 0 {
		faulty += len(errs)
		for _, err := range errs {
			fmt.Fprintln(out, err)
		}
	}
	if faulty > 0 {
		fmt.Fprintf(out, "%d of %d files have faults; an appliance would set them aside\n", faulty, len(files))
		return errFound
	}
	return nil
}

// isDescription says whether a file describes a protocol, by where it lies.
func isDescription(file string) bool {
	abs, err := filepath.Abs(file)
	return err == nil && filepath.Base(filepath.Dir(abs)) == patch.ProtocolFolder
}

func one(file string, decs map[string]patch.Decoder, schemas map[string]protocol.Schema, tests bool) (*patch.Definition, []error) {
	d, err := patch.ReadFile(file)
	if err != nil {
		return nil, []error{err}
	}
	if _, errs := patch.Compile([]*patch.Definition{d}, schemas, nil); len(errs) > 0 || !tests {
		return d, errs
	}
	var faults []error
	for _, f := range patch.Test(d, decs[d.Protocol]) {
		faults = append(faults, f)
	}
	return d, faults
}

// find lists the files that paths name: files as they are, of folders the
// definitions in them.
func find(paths []string) ([]string, error) {
	if len(paths) == 0 {
		paths = []string{folder}
	}
	var out []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			out = append(out, p)
			continue
		}
		found, err := filepath.Glob(filepath.Join(p, "*", patch.FileName))
		if err != nil {
			return nil, err
		}
		if own := filepath.Join(p, patch.FileName); len(found) == 0 {
			if _, err := os.Stat(own); err != nil {
				return nil, fmt.Errorf("%s holds no definition: want %s, or ID/%s in it", p, patch.FileName, patch.FileName)
			}
			found = []string{own}
		}
		out = append(out, found...)
	}
	return out, nil
}

// folder is where the definitions lie, seen from the top of the repository.
const folder = "definitions"
