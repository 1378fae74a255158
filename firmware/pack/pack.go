// Package pack is a pack of definitions: one tar with a revision and the
// definitions and described protocols as they lie in the folder definitions. A box replaces all of its
// definitions by those of a pack. It does not judge them: the dataplane does,
// with their own tests, before it lets them near the wire.
package pack

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"wirepatch/board/atomicfile"
)

// Bounds of a pack.
const (
	maxFiles = 10_000
	maxFile  = 4 << 20
	maxAll   = 64 << 20
)

// about is the first file of the tar.
const about = "pack.json"

// A definition, or the description of a protocol.
var definition = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.-]{0,99}/patch|protocols/[A-Za-z0-9][A-Za-z0-9_.-]{0,99})\.yaml$`)

// Pack is a pack in memory.
type Pack struct {
	Revision int               `json:"revision"`
	Files    map[string][]byte `json:"-"` // as WP-2025-1/patch.yaml, protocols/redis.yaml
}

// Collect takes the definitions of a folder, and the protocols described there.
func Collect(root fs.FS, revision int) (*Pack, error) {
	p := &Pack{Revision: revision, Files: map[string][]byte{}}
	all, err := fs.Glob(root, "*/patch.yaml")
	if err != nil {
		return nil, err
	}
	described, err := fs.Glob(root, "protocols/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, n := range append(all, described...) {
		if p.Files[n], err = fs.ReadFile(root, n); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Write writes the pack; the same pack gives the same bytes.
func (p *Pack) Write(w io.Writer) error {
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	put := func(name string, b []byte) error {
		err := t.WriteHeader(&tar.Header{Name: name, Size: int64(len(b)), Mode: 0o644, Format: tar.FormatUSTAR})
		if err != nil {
			return err
		}
		_, err = t.Write(b)
		return err
	}
	if err := put(about, head); err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(p.Files)) {
		if err := put(n, p.Files[n]); err != nil {
			return err
		}
	}
	return t.Close()
}

// Read reads a pack.
func Read(r io.Reader) (*Pack, error) {
	p := &Pack{Files: map[string][]byte{}}
	t, left := tar.NewReader(r), int64(maxAll)
	for first := true; ; first = false {
		h, err := t.Next()
		if err == io.EOF && !first {
			return p, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read definition pack: %w", err)
		}
		if left -= h.Size; h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > maxFile || left < 0 || len(p.Files) >= maxFiles {
			return nil, fmt.Errorf("read definition pack: %q is no file, or one too many", h.Name)
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("read definition pack: %q: %w", h.Name, err)
		}
		switch {
		case first && h.Name != about:
			return nil, errors.New("read definition pack: it does not begin with " + about)
		case first:
			if err := json.Unmarshal(b, p); err != nil || p.Revision < 1 {
				return nil, fmt.Errorf("read definition pack: %s names no revision: %w", about, err)
			}
		case !definition.MatchString(h.Name):
			return nil, fmt.Errorf("read definition pack: %q is no definition's name", h.Name)
		default:
			p.Files[h.Name] = bytes.Clone(b)
		}
	}
}

// Unpack writes the definitions below dir, which must not exist, and returns once
// they are on the disk.
func (p *Pack) Unpack(dir string) error {
	for n, b := range p.Files {
		path := filepath.Join(dir, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := atomicfile.Write(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
