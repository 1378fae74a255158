package deb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// archive asks apt, with options that say whose lists of packages it goes by.
// The zero value goes by the machine's.
type archive struct{ options []string }

var (
	versionField = regexp.MustCompile(`(?m)^Version: (\S+)$`)
	sumField     = regexp.MustCompile(`(?m)^SHA256: ([0-9a-f]{64})$`)
)

// keyring has the keys of all of Debian's suites.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// suiteLists gets the lists of a suite into dir, from where the machine gets
// Debian 12.
func suiteLists(ctx context.Context, suite, dir string, log io.Writer) (archive, error) {
	out, err := archive{}.command(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Release: bookworm", "Created-By: Packages").Output()
	if err != nil {
		return archive{}, fmt.Errorf("apt-get indextargets: %w", err)
	}
	site, _, _ := strings.Cut(string(out), "\n")
	if site == "" {
		return archive{}, errors.New("apt's sources name no archive with Debian 12 (bookworm)")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return archive{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return archive{}, err
	}
	source := filepath.Join(dir, "sources.list")
	if err := os.WriteFile(source, fmt.Appendf(nil, "deb [arch=amd64 signed-by=%s] %s %s main\n", keyring, site, suite), 0o644); err != nil {
		return archive{}, err
	}
	return newLists(ctx, dir, log, "-o", "Dir::Etc::SourceList="+source, "-o", "Dir::Etc::SourceParts=/dev/null")
}

// newLists gets the lists of the machine's sources, or of those that the options
// name, into dir. That needs no rights over the machine, and changes nothing of it.
func newLists(ctx context.Context, dir string, log io.Writer, options ...string) (archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return archive{}, err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return archive{}, err
		}
	}
	a := archive{append(options, "-o", "Dir::State::lists="+filepath.Join(dir, "lists"), "-o", "Dir::Cache="+filepath.Join(dir, "cache"))}
	c := a.command(ctx, "apt-get", "-q", "update")
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		return archive{}, fmt.Errorf("apt-get update into %s: %w", dir, err)
	}
	return a, nil
}

func (a archive) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	options := a.options
	if os.Geteuid() == 0 {
		// apt's own user cannot write in our folders.
		options = append([]string{"-o", "APT::Sandbox::User=root"}, options...)
	}
	c := exec.CommandContext(ctx, name, append(options, args...)...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	return c
}

// find looks up the package.
func (a archive) find(ctx context.Context, q Query) (*Package, error) {
	text, err := a.show(ctx, "--no-all-versions", q.Name)
	if err != nil {
		return nil, fmt.Errorf("find package %s: %w", q.Name, err)
	}
	p := &Package{Name: q.Name}
	if q.Stands != nil {
		m := q.Stands.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("find package %s: it depends on no package that fits %s; is this Debian 12 with its security archive among the sources?", q.Name, q.Stands)
		}
		p.Name, p.Version = m[1], m[2]
		if text, err = a.show(ctx, p.Name+"="+p.Version); err != nil {
			return nil, fmt.Errorf("look up %s: %w", p.Name, err)
		}
	} else if m := versionField.FindStringSubmatch(text); m != nil {
		p.Version = m[1]
	}
	m := sumField.FindStringSubmatch(text)
	if m == nil || p.Version == "" {
		return nil, fmt.Errorf("look up %s: apt names no version or no SHA-256 for it", p.Name)
	}
	p.SHA256 = m[1]
	return p, nil
}

func (a archive) show(ctx context.Context, args ...string) (string, error) {
	c := a.command(ctx, "apt-cache", append([]string{"show"}, args...)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("apt-cache: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// download puts the package's file into the folder dir.
func (a archive) download(ctx context.Context, p *Package, dir string, log io.Writer) error {
	c := a.command(ctx, "apt-get", "download", p.Name+"="+p.Version)
	c.Dir, c.Stdout, c.Stderr = dir, log, log
	if err := c.Run(); err != nil {
		return fmt.Errorf("download %s %s: %w", p.Name, p.Version, err)
	}
	return nil
}
