package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"wirepatch/dataplane/port"
	"wirepatch/dataplane/session"
)

// How the machine's memory is shared out: to the table of the sessions that the
// kernel follows, and to the engine's sessions. The rest is for the kernel, the
// definitions and the other programs. From heapShare on, the runtime collects its
// garbage more often rather than let the process grow.
const (
	belowShare  = 3.0 / 8
	engineShare = 1.0 / 4
	heapShare   = 1.0 / 2
)

// room is what the dataplane may take of the machine's memory.
type room struct {
	machine int64
	limits  session.Limits
	below   uint32 // sessions that the kernel may follow
}

// roomOf works out the room on a machine with so much memory, in bytes.
func roomOf(machine int64) room {
	return room{machine, session.Within(int64(float64(machine) * engineShare)), port.SessionsWithin(int64(float64(machine) * belowShare))}
}

// newRoom works out the room on this machine, or on one that has ram bytes, and
// has the runtime keep to it.
func newRoom(ram int64) (room, error) {
	if ram == 0 {
		var err error
		if ram, err = machineMemory("/"); err != nil {
			return room{}, fmt.Errorf("how much memory is there: %w", err)
		}
	}
	r := roomOf(ram)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(float64(ram) * heapShare))
	}
	slog.Info("memory", "machine", ram>>20, "sessions of the engine", r.limits.Sessions, "held", r.limits.Total>>20, "sessions in the kernel", r.below)
	return r, nil
}

// machineMemory is what this process may take at most: what the machine has, or
// what its control group allows. root is where the file system begins.
func machineMemory(root string) (int64, error) {
	f, err := os.Open(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	total := int64(0)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			if _, err := fmt.Sscanf(rest, "%d kB", &total); err != nil {
				return 0, fmt.Errorf("%s: got %q: %w", f.Name(), rest, err)
			}
			total <<= 10
		}
	}
	if total <= 0 {
		return 0, fmt.Errorf("%s has no MemTotal", f.Name())
	}
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if errors.Is(err, fs.ErrNotExist) {
		return total, nil // a kernel without control groups
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(groups)) {
		total = min(total, groupLimit(root, strings.TrimSpace(line)))
	}
	return total, nil
}

// groupLimit is the memory that a control group allows, one named by a line of
// /proc/self/cgroup, and those it lies in.
func groupLimit(root, line string) int64 {
	limit := int64(math.MaxInt64)
	parts := strings.SplitN(line, ":", 3)
	if len(parts) < 3 {
		return limit
	}
	base, file := "sys/fs/cgroup", "memory.max"
	if parts[1] == "memory" {
		base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
	} else if parts[1] != "" {
		return limit
	}
	for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(root, base, dir, file))
		if n, bad := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && bad == nil && n > 0 {
			limit = min(limit, n)
		}
		if dir == "/" {
			return limit
		}
	}
}
