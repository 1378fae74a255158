package datafs

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Checker is the program that repairs.
const Checker = "/bin/e2fsck"

// checkTime bounds one check: on a large disk after a fault, minutes.
const checkTime = 10 * time.Minute

// e2fsck's exit status, e2fsck(8).
const (
	corrected  = 1
	rebootMark = 2
)

// Run starts a program and returns its exit status; init hands in its own, since
// only its reaper may wait for children.
type Run func(ctx context.Context, c *exec.Cmd) (status int, err error)

// Check repairs the file system on the device, which must not be mounted. What
// it says is "" when there was nothing to repair.
func Check(ctx context.Context, run Run, device string) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	// First what needs no decision, which includes the journal; then all.
	for _, how := range [][]string{{"-p"}, {"-f", "-y"}} {
		var out strings.Builder
		c := exec.Command(Checker, append(how, device)...)
		c.Stdout, c.Stderr = &out, &out
		status, err := run(ctx, c)
		if err != nil {
			return "", fmt.Errorf("check %s: %w", device, err)
		}
		said = strings.TrimSpace(out.String())
		switch {
		case status == 0:
			return "", nil
		case status&^(corrected|rebootMark) == 0:
			return said, nil
		}
	}
	return said, fmt.Errorf("check %s: it cannot be repaired", device)
}
