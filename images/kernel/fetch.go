// Package kernel takes from Debian's kernel package what an image needs.
package kernel

import (
	"context"
	"io"
	"regexp"
	"strings"

	"wirepatch/images/deb"
)

// Package is one downloaded kernel package.
type Package struct{ deb.Package }

// current finds the package that Debian's meta package stands for at present,
// in its Depends field: name and exact version.
var current = regexp.MustCompile(`(?m)^Depends:.*?(linux-image-[0-9][a-z0-9.+~-]*) \(= ([^)\s]+)\)`)

// Fetch gets the current kernel of the meta package (as linux-image-6.12-amd64)
// as deb.Fetch does.
func Fetch(ctx context.Context, meta, cache string, log io.Writer) (*Package, error) {
	return fetch(ctx, deb.Query{Name: meta, Stands: current}, cache, log)
}

func fetch(ctx context.Context, q deb.Query, cache string, log io.Writer) (*Package, error) {
	p, err := deb.Fetch(ctx, q, cache, log)
	if err != nil {
		return nil, err
	}
	return &Package{*p}, nil
}

// Release is the kernel release the package holds, as uname -r prints it.
func (p *Package) Release() string { return strings.TrimPrefix(p.Name, "linux-image-") }
