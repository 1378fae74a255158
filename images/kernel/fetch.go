// Package kernel gets Debian's kernel package through apt, unpacks it and
// takes from it what an image needs. apt verifies the archive's signatures;
// nothing is installed on the machine that builds.
package kernel

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

// Release is the kernel release the package holds, as uname -r prints it.
func (p *Package) Release() string { return strings.TrimPrefix(p.Name, "linux-image-") }

// current finds the package that Debian's meta package stands for at present,
// in its Depends field: name and exact version.
var current = regexp.MustCompile(`(?m)^Depends:.*?(linux-image-[0-9][a-z0-9.+~-]*) \(= ([^)\s]+)\)`)

var sumField = regexp.MustCompile(`(?m)^SHA256: ([0-9a-f]{64})$`)

// Fetch gets the current kernel of the meta package (as linux-image-6.12-amd64)
// into the folder cache, unless it is there already. What apt says goes to log.
func Fetch(ctx context.Context, meta, cache string, log io.Writer) (*Package, error) {
	text, err := apt(ctx, "apt-cache", "show", "--no-all-versions", meta)
	if err != nil {
		return nil, fmt.Errorf("find kernel package %s: %w; run apt-get update, then try again", meta, err)
	}
	m := current.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("find kernel package %s: it depends on no linux-image package; is this Debian with bookworm-security among its sources?", meta)
	}
	p := &Package{Name: m[1], Version: m[2]}
	if text, err = apt(ctx, "apt-cache", "show", p.Name+"="+p.Version); err != nil {
		return nil, fmt.Errorf("look up %s: %w; run apt-get update, then try again", p.Name, err)
	}
	if m = sumField.FindStringSubmatch(text); m == nil {
		return nil, fmt.Errorf("look up %s: apt names no SHA-256 for it", p.Name)
	}
	p.SHA256 = m[1]
	p.File = filepath.Join(cache, fmt.Sprintf("%s_%s_amd64.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a")))
	if p.verify() == nil {
		return p, nil
	}
	if err := p.download(ctx, cache, log); err != nil {
		return nil, err
	}
	if err := p.verify(); err != nil {
		return nil, fmt.Errorf("%w; remove it and try again", err)
	}
	return p, nil
}

func (p *Package) download(ctx context.Context, cache string, log io.Writer) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	args := []string{"download", p.Name + "=" + p.Version}
	if os.Geteuid() == 0 {
		// apt's own user cannot write in our folder.
		args = append([]string{"-o", "APT::Sandbox::User=root"}, args...)
	}
	c := exec.CommandContext(ctx, "apt-get", args...)
	c.Dir, c.Stdout, c.Stderr = cache, log, log
	if err := c.Run(); err != nil {
		return fmt.Errorf("download %s %s: %w; if the archive has a newer one by now, run apt-get update, then try again", p.Name, p.Version, err)
	}
	return nil
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

// Unpack unpacks the package below cache, unless it is already, and returns
// the folder.
func (p *Package) Unpack(ctx context.Context, cache string) (string, error) {
	dir := filepath.Join(cache, p.Name+"_"+p.SHA256[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// Unpacked beside and moved, so that a build that was stopped leaves no
	// half a kernel.
	tmp, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", p.File, tmp).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w: %s", p.File, err, bytes.TrimSpace(out))
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(tmp, dir)
}

func apt(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
