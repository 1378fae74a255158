package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

// patience is how long a program may take to end before it is killed.
const patience = 5 * time.Second

// startTime is how long a program may take to start: the dataplane checks its
// definitions first.
const startTime = 2 * time.Minute

// ownGroup keeps the terminal's Ctrl-C from a child: it is ended in order.
var ownGroup = &syscall.SysProcAttr{Setpgid: true}

const settingsText = `
[service bench]
address = ` + netns.Server4 + `
port = 80
[service nginx]
address = ` + netns.Server4 + `
port = 81
[service crowd]
address = ` + crowdService + `
port = 80
`

// engine is a dataplane that runs in a bed.
type engine struct {
	pid     int
	control *control.Client
}

// startEngine starts the dataplane in a box with so many definitions, or those of
// the product, and waits until they are in force.
func (h *host) startEngine(bed *netns.Bed, program string, count int) *engine {
	dir := h.TempDir()
	settings, folder := filepath.Join(dir, "appliance.ini"), filepath.Join(dir, "definitions")
	err := os.WriteFile(settings, []byte(settingsText), 0o644)
	if count == ourDefinitions {
		var failed error
		folder, failed = ourFolder()
		err = errors.Join(err, failed)
	} else {
		err = errors.Join(err, writeDefinitions(folder, count))
	}
	if err != nil {
		h.Fatal(err)
	}
	socket := filepath.Join(dir, "dataplane.sock")
	c := exec.Command(program, "-wire-a", "b0", "-wire-b", "b1", "-settings", settings, "-definitions", folder,
		"-socket", socket, "-pin", filepath.Join(netns.MountBPF(h), "wirepatch"), "-attach", bed.Attach)
	h.start(bed.Box, c, "msg=started")
	e := &engine{pid: c.Process.Pid, control: control.Dial(socket)}
	h.Cleanup(e.control.Close)
	s, err := e.control.Status(h.Ctx)
	if err != nil {
		h.Fatal(err)
	}
	for _, d := range s.Definitions {
		if d.Error != "" {
			h.Fatalf("definition %s is not in force: %s", d.ID, d.Error)
		}
	}
	if count != ourDefinitions && len(s.Definitions) != count {
		h.Fatalf("the dataplane has %d definitions in force; want %d", len(s.Definitions), count)
	}
	return e
}

// started reads a program's log until a line says that it is ready, and reads
// on in the background.
func started(ctx context.Context, log io.Reader, ready string) error {
	lines, done := bufio.NewScanner(log), make(chan error, 1)
	var said []string
	go func() {
		for lines.Scan() {
			if strings.Contains(lines.Text(), ready) {
				done <- nil
				io.Copy(io.Discard, log)
				return
			}
			said = append(said, lines.Text())
		}
		done <- fmt.Errorf("it has ended:\n%s", strings.Join(said, "\n"))
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(startTime):
		return errors.New("it takes too long")
	}
}

// memoryOf is what a dataplane occupies, in bytes: its own memory, and that of
// its BPF maps, which is the kernel's.
func memoryOf(pid int) (int64, error) {
	own, err := resident(pid)
	if err != nil {
		return 0, err
	}
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		return 0, err
	}
	maps := map[string]int64{}
	for _, name := range infos {
		f, err := os.ReadFile(name)
		if err != nil {
			continue // it has been closed
		}
		values := map[string]string{}
		for line := range strings.Lines(string(f)) {
			key, v, _ := strings.Cut(line, ":")
			values[key] = strings.TrimSpace(v)
		}
		if id, ok := values["map_id"]; ok {
			if maps[id], err = strconv.ParseInt(values["memlock"], 10, 64); err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, n := range maps {
		own += n
	}
	return own, nil
}

// resident is the memory of a process that is in RAM, in bytes.
func resident(pid int) (int64, error) {
	f, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(f))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of process %d: got %q", pid, f)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// cpuTime is what a process has used so far, to 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	f, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(f), ") ")
	fields := strings.Fields(rest) // from the third, state
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of process %d: got %q", pid, f)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}
