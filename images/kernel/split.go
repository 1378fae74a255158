package kernel

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"wirepatch/images/deb"
)

// Split is a kernel from one of Debian's later suites, whose packages hold its
// parts: since 6.19 linux-image-RELEASE is empty.
type Split struct {
	*Package
	Dir string // vmlinuz, and what modules.Open wants
}

// FetchSplit gets the current kernel of the meta package of a suite and unpacks
// it into the folder dir.
func FetchSplit(ctx context.Context, suite, meta, cache, dir string, log io.Writer) (*Split, error) {
	p, err := fetch(ctx, deb.Query{Name: meta, Stands: current, Suite: suite}, cache, log)
	if err != nil {
		return nil, err
	}
	for _, part := range []string{"linux-base-", "linux-binary-", "linux-modules-"} {
		of, err := deb.Fetch(ctx, deb.Query{Name: part + p.Release(), Suite: suite}, cache, log)
		if err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", of.File, dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("unpack %s: %w: %s", of.File, err, out)
		}
	}
	return &Split{p, filepath.Join(dir, "usr", "lib", "modules", p.Release())}, nil
}
