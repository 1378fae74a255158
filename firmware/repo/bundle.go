package repo

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Bundle writes the newest state of the repository as one file, an update for
// boxes without a network: all metadata, then the files of the named targets, or
// of all when none is named. A box verifies it as it does the repository.
func (r *Repo) Bundle(w io.Writer, names ...string) error {
	t := tar.NewWriter(w)
	put := func(name, file string) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: name, Size: st.Size(), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		_, err = io.Copy(t, f)
		return err
	}
	// Every root, because a box may trust an old one; of the rest the newest.
	files := []string{"timestamp.json"}
	for v := range r.newest(metadata.ROOT) {
		files = append(files, versioned(metadata.ROOT, v+1))
	}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TARGETS, Firmware, Definitions} {
		files = append(files, versioned(role, r.newest(role)))
	}
	for _, f := range files {
		if err := put(path.Join("metadata", f), r.path(f)); err != nil {
			return fmt.Errorf("write bundle: %w", err)
		}
	}
	all, err := r.files()
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(all))
	}
	for _, n := range names {
		p, ok := all[n]
		if !ok {
			return fmt.Errorf("write bundle: no target %q; there are %s", n, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
		if err := put(path.Join("targets", p), filepath.Join(r.Dir, "targets", filepath.FromSlash(p))); err != nil {
			return fmt.Errorf("write bundle: %w", err)
		}
	}
	return t.Close()
}

// files returns where each target lies, by name.
func (r *Repo) files() (map[string]string, error) {
	out := map[string]string{}
	for _, role := range []string{Firmware, Definitions} {
		meta, err := metadata.Targets().FromFile(r.path(versioned(role, r.newest(role))))
		if err != nil {
			return nil, err
		}
		for name, t := range meta.Signed.Targets {
			out[name] = Path(name, t.Hashes["sha256"])
		}
	}
	return out, nil
}
