package repo

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"wirepatch/board/atomicfile"
	"wirepatch/firmware/pack"
	"wirepatch/firmware/slot"
	"wirepatch/firmware/uki"
)

// AddFirmware adds a unified kernel image to what is offered for its board.
// Version and board are those that it says of itself.
func (r *Repo) AddFirmware(file string) (string, error) {
	image, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	about, err := uki.ReadAbout(bytes.NewReader(image))
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	s := slot.Slot{Version: about.Version}
	if _, ok := slot.Parse(s.ID()); !ok {
		return "", fmt.Errorf("%s: version %q is not of the form 1.2.3", file, about.Version)
	}
	return r.add(Firmware, path.Join("firmware", about.Board, s.ID()), image, Custom{Board: about.Board, Version: about.Version})
}

// AddDefinitions adds a pack of definitions.
func (r *Repo) AddDefinitions(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	p, err := pack.Read(bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return r.add(Definitions, path.Join("definitions", "definitions_"+strconv.Itoa(p.Revision)+".tar"), b, Custom{Revision: p.Revision})
}

func (r *Repo) add(role, name string, content []byte, c Custom) (string, error) {
	custom, err := c.raw()
	if err != nil {
		return "", err
	}
	t, err := metadata.TargetFile().FromBytes(name, content, "sha256")
	if err != nil {
		return "", err
	}
	t.Custom = custom
	file := filepath.Join(r.Dir, "targets", filepath.FromSlash(Path(name, t.Hashes["sha256"])))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	if err := atomicfile.Write(file, content, 0o644); err != nil {
		return "", err
	}
	return name, r.change(role, func(s *metadata.TargetsType) error {
		if old, ok := s.Targets[name]; ok && !old.Equal(*t) {
			return fmt.Errorf("add %s: another file was published under this name; give it a new version", name)
		}
		s.Targets[name] = t
		return nil
	})
}

// Path is where the target lies in the repository: its file's name begins with
// its hash, so that mirrors never mix two versions of one name.
func Path(name string, sum []byte) string {
	return path.Join(path.Dir(name), hex.EncodeToString(sum)+"."+path.Base(name))
}
