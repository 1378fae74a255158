package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"wirepatch/dataplane/patch"
)

// pack writes all definitions and the descriptions of protocols into one file for
// the update repository, which signs it. The same content gives the same bytes.
func pack(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	revision := flags.Int("revision", 0, "")
	to := flags.String("o", "", "")
	if err := flags.Parse(args); err != nil || *revision < 1 || *to == "" || flags.NArg() > 1 {
		return errors.New("pack: want pack -revision N -o FILE [DIR]")
	}
	dir := definitionsFolder()
	if flags.NArg() == 1 {
		dir = flags.Arg(0)
	}
	// What a box would set aside is not shipped.
	if err := check([]string{dir}, out, true); err != nil {
		return err
	}
	names, err := packed(dir)
	if err != nil {
		return err
	}
	f, err := os.Create(*to)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if err := errors.Join(writePack(f, dir, names, *revision), f.Close()); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	fmt.Fprintf(out, "%s written: revision %d, %d files\n", *to, *revision, len(names))
	return nil
}

// packed lists the files of a pack, below dir, in their order.
func packed(dir string) ([]string, error) {
	var names []string
	for _, pattern := range []string{filepath.Join("*", patch.FileName), filepath.Join(patch.ProtocolFolder, "*.yaml")} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			name, err := filepath.Rel(dir, f)
			if err != nil {
				return nil, err
			}
			names = append(names, filepath.ToSlash(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// writePack writes a tar that begins with pack.json, its revision.
func writePack(w io.Writer, dir string, names []string, revision int) error {
	t := tar.NewWriter(w)
	put := func(name string, b []byte) error {
		h := &tar.Header{Name: name, Size: int64(len(b)), Mode: 0o644, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := t.Write(b)
		return err
	}
	head, err := json.Marshal(map[string]int{"revision": revision})
	if err != nil {
		return err
	}
	if err := put("pack.json", head); err != nil {
		return err
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(n)))
		if err != nil {
			return err
		}
		if err := put(n, b); err != nil {
			return err
		}
	}
	return t.Close()
}
