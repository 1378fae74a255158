// Package kernel takes from Debian's kernel package what an image needs.
package kernel

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"wirepatch/images/deb"
)

// Kernel is one of Debian's, unpacked.
type Kernel struct {
	deb.Package                // linux-image-RELEASE
	Parts       []*deb.Package `json:"-"` // those that hold it where that one is empty
	Vmlinuz     string         `json:"-"` // the boot image
	Modules     string         `json:"-"` // their folder, as modules.Open wants it
}

// current finds the package that Debian's meta package stands for at present,
// in its Depends field: name and exact version.
var current = regexp.MustCompile(`(?m)^Depends:.*?(linux-image-[0-9][a-z0-9.+~-]*) \(= ([^)\s]+)\)`)

// Fetch gets the current kernel of the meta package (as linux-image-6.12-amd64) as
// deb.Fetch does, from the suite if it is not "", and unpacks it below cache.
func Fetch(ctx context.Context, suite, meta, cache string, log io.Writer) (*Kernel, error) {
	p, err := deb.Fetch(ctx, deb.Query{Name: meta, Stands: current, Suite: suite}, cache, log)
	if err != nil {
		return nil, err
	}
	dir, err := p.Unpack(ctx, cache)
	if err != nil {
		return nil, err
	}
	k := &Kernel{Package: *p}
	k.Vmlinuz = filepath.Join(dir, "boot", "vmlinuz-"+k.Release())
	k.Modules = filepath.Join(dir, "lib", "modules", k.Release())
	if _, err := os.Stat(k.Vmlinuz); err == nil {
		return k, nil
	}
	// Since 6.19 its parts are packages of their own.
	for _, part := range []string{"linux-base-", "linux-binary-", "linux-modules-"} {
		p, err := deb.Fetch(ctx, deb.Query{Name: part + k.Release(), Suite: suite}, cache, log)
		if err != nil {
			return nil, err
		}
		k.Parts = append(k.Parts, p)
	}
	if dir, err = k.Parts[0].Unpack(ctx, cache, k.Parts[1:]...); err != nil {
		return nil, err
	}
	k.Modules = filepath.Join(dir, "usr", "lib", "modules", k.Release())
	k.Vmlinuz = filepath.Join(k.Modules, "vmlinuz")
	return k, nil
}

// Release is the kernel release, as uname -r prints it.
func (k *Kernel) Release() string { return strings.TrimPrefix(k.Name, "linux-image-") }
