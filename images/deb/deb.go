// Package deb gets Debian packages through apt and unpacks them, for what an
// image takes from them. apt verifies the archive's signatures; nothing is
// installed on the machine that builds.
package deb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Package is one downloaded Debian package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"` // of the file, hexadecimal
	File    string `json:"-"`      // where it lies
}

// Query says which package.
type Query struct {
	Name string
	// Stands, if set, finds in the Depends field of the package Name, a meta
	// package, the name and the exact version of the one that it stands for.
	Stands *regexp.Regexp
	// Suite, if set, is one of Debian's that the machine's sources need not name, as
	// trixie-backports.
	Suite string
}

// Fetch gets the package, in the version that the archive has at present, into
// the folder cache, unless it is there already. What apt says goes to log.
// Where the machine's lists of packages are missing, or so old that they name
// what the archive no longer has, it gets lists of its own, below cache.
func Fetch(ctx context.Context, q Query, cache string, log io.Writer) (*Package, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	if q.Suite != "" {
		own, err := suiteLists(ctx, q.Suite, filepath.Join(cache, "apt-"+q.Suite), log)
		if err != nil {
			return nil, err
		}
		return fetch(ctx, own, q, cache, log)
	}
	p, err := fetch(ctx, archive{}, q, cache, log)
	if err == nil || ctx.Err() != nil {
		return p, err
	}
	fmt.Fprintf(log, "%v: getting new lists of packages\n", err)
	own, err := newLists(ctx, filepath.Join(cache, "apt"), log)
	if err != nil {
		return nil, fmt.Errorf("%w; is Debian's archive reachable?", err)
	}
	return fetch(ctx, own, q, cache, log)
}

func fetch(ctx context.Context, a archive, q Query, cache string, log io.Writer) (*Package, error) {
	p, err := a.find(ctx, q)
	if err != nil {
		return nil, err
	}
	p.File = filepath.Join(cache, fmt.Sprintf("%s_%s_amd64.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a")))
	if p.verify() == nil {
		return p, nil
	}
	if err := a.download(ctx, p, cache, log); err != nil {
		return nil, err
	}
	if err := p.verify(); err != nil {
		return nil, fmt.Errorf("%w; remove it and try again", err)
	}
	return p, nil
}

func (p *Package) verify() error {
	f, err := os.Open(p.File)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read %s: %w", p.File, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s; apt's lists say %s", p.File, got, p.SHA256)
	}
	return nil
}

// Unpack unpacks the package, and with it others of the same version, into one
// folder below cache, unless they are already, and returns the folder.
func (p *Package) Unpack(ctx context.Context, cache string, with ...*Package) (string, error) {
	dir := filepath.Join(cache, p.Name+"_"+p.SHA256[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// Unpacked beside and moved, so that a build that was stopped leaves no
	// half a package.
	tmp, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	for _, one := range append([]*Package{p}, with...) {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", one.File, tmp).CombinedOutput(); err != nil {
			return "", fmt.Errorf("unpack %s: %w: %s", one.File, err, bytes.TrimSpace(out))
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(tmp, dir)
}
