package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"wirepatch/qemu/process"
)

// portalTimeout bounds how long a portal may take to listen.
const portalTimeout = 30 * time.Second

// Portal is one running portal process.
type Portal struct {
	Address string // TCP, on 127.0.0.1
	*process.Process
}

// BuildPortals builds the vulnerable and the patched portal from the source
// below root, the repository's top, into folder out, and returns their paths.
func BuildPortals(ctx context.Context, root, out string) (vulnerable, patched string, err error) {
	if out, err = filepath.Abs(out); err != nil { // the build runs in another folder
		return "", "", err
	}
	vulnerable = filepath.Join(out, "portal")
	patched = filepath.Join(out, "portal-patched")
	if err := build(ctx, root, "-o", vulnerable); err != nil {
		return "", "", err
	}
	return vulnerable, patched, build(ctx, root, "-modfile=patched.mod", "-tags=patched", "-o", patched)
}

func build(ctx context.Context, root string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-buildvcs=false"}, append(args, ".")...)...)
	cmd.Dir = filepath.Join(root, "qemu", "portal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the portal (go build %s in qemu/portal): %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// StartPortal starts the program at path on the address (host:port, port 0 for
// a free one) and returns once it listens. It writes its document into dir.
func StartPortal(path, address, dir string) (*Portal, error) {
	cmd := exec.Command(path, "-listen", address, "-dir", dir)
	r, w := io.Pipe()
	cmd.Stdout = w
	p, err := process.Start(cmd)
	if err != nil {
		return nil, err
	}
	lines := make(chan string, 1)
	go func() {
		s := bufio.NewScanner(r)
		for s.Scan() {
			select {
			case lines <- s.Text():
			default:
			}
		}
	}()
	go func() { <-p.Done(); w.Close() }()
	select {
	case line := <-lines:
		if a, ok := strings.CutPrefix(line, "listening on "); ok {
			return &Portal{a, p}, nil
		}
		err = fmt.Errorf("it said %q", line)
	case <-p.Done():
		err = fmt.Errorf("%w: %s", p.Err(), p.Output())
	case <-time.After(portalTimeout):
		err = fmt.Errorf("it did not listen within %s", portalTimeout)
	}
	p.Stop()
	return nil, fmt.Errorf("starting %s on %s: %w", filepath.Base(path), address, err)
}

// Free returns address if it can be listened on, else the same host with a
// port that the system chooses.
func Free(address string) string {
	l, err := net.Listen("tcp", address)
	if err == nil {
		l.Close()
		return address
	}
	host, _, _ := net.SplitHostPort(address)
	return net.JoinHostPort(host, "0")
}
