// Package later gets what some tests need in a later version than this machine
// has installed.
package later

import (
	"context"
	"io"
	"path/filepath"

	"wirepatch/images/deb"
)

// QEMU gets the one of bookworm-backports, which emulates network cards of the
// kind igb, into the folder cache. It returns the program and the arguments that
// have it find the firmware of the installed one.
func QEMU(ctx context.Context, cache string, log io.Writer) ([]string, error) {
	p, err := deb.Fetch(ctx, deb.Query{Name: "qemu-system-x86", Suite: "bookworm-backports"}, cache, log)
	if err != nil {
		return nil, err
	}
	dir, err := p.Unpack(ctx, cache)
	if err != nil {
		return nil, err
	}
	program, err := filepath.Abs(filepath.Join(dir, "usr/bin/qemu-system-x86_64"))
	if err != nil {
		return nil, err
	}
	return []string{program, "-L", "/usr/share/qemu", "-L", "/usr/share/seabios"}, nil
}
