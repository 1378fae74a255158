// Package firmware holds the scenarios of a box's firmware: a machine with UEFI
// that starts from the disk image by itself, is updated, and comes back from
// whatever goes wrong. Each test has a disk and UEFI variables of its own. They
// need the image with a shell on its console, which make test-image builds.
package firmware

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wirepatch/qemu/vm"
)

// patience bounds each wait: a boot takes 15 s on a computer that has nothing
// else to do, and minutes on one that has too much.
const patience = 9 * time.Minute

// machine is one computer with its disk; it can be switched on and off.
type machine struct {
	*testing.T
	config vm.Config
	disk   string // qcow2, over the image that was built
	vm     *vm.VM
	at     int64 // the console was read up to here
	log    bytes.Buffer
	tpm    *exec.Cmd // nil: it never had one
}

// image returns the path of a file that make test-image builds.
func image(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "out", "test", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v\nbuild it with: make test-image", err)
	}
	return path
}

// cold returns a machine like newMachine whose restarts are as from power-on.
func cold(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.config.Ends = true
	return m
}

// newMachine returns a machine, switched off, whose disk is the image as built.
func newMachine(t *testing.T) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "wpfw") // a short path: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{T: t, disk: filepath.Join(dir, "disk.qcow2"), config: vm.Config{Dir: dir, Management: "127.0.0.1:0"}}
	m.tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image(t, "wirepatch.img"), m.disk)
	m.config.Disk = "driver=qcow2,file.driver=file,file.filename=" + m.disk
	return m
}

func (m *machine) tool(name string, args ...string) {
	m.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		m.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// on switches the machine on.
func (m *machine) on() {
	m.Helper()
	v, err := vm.Start(m.Context(), m.config, &m.log, m.Logf)
	if err != nil {
		m.Fatal(err)
	}
	m.vm, m.at = v, 0
	m.Cleanup(m.off)
}

// off takes the power away.
func (m *machine) off() {
	if m.vm != nil {
		m.vm.Kill()
		m.vm = nil
	}
}

// powerOff presses the power button.
func (m *machine) powerOff() {
	m.Helper()
	if err := m.vm.PowerOff(); err != nil {
		m.Fatal(err)
	}
	m.vm = nil
}

// wait waits until the console says what the expression matches, from where the
// last wait ended, and returns its groups.
func (m *machine) wait(format string, a ...any) []string {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), patience)
	defer cancel()
	expression := regexp.MustCompile(fmt.Sprintf(format, a...))
	groups, at, err := m.vm.Serial.WaitFrom(ctx, m.at, expression)
	for err != nil && ctx.Err() == nil && m.config.Ends {
		if err = m.vm.Again(); err == nil {
			groups, at, err = m.vm.Serial.WaitFrom(ctx, m.at, expression)
		}
	}
	if err != nil {
		m.Fatalf("%v\nthe console's last lines:\n%s", err, clean(m.vm.Serial.Tail(40)))
	}
	m.at = at
	return groups
}

// waitAll waits for several things that come in any order, and returns the first
// group of each.
func (m *machine) waitAll(expressions ...string) (groups []string) {
	m.Helper()
	from, last := m.at, m.at
	for _, e := range expressions {
		m.at = from
		g := m.wait("%s", e)
		groups, last = append(groups, g[len(g)-1]), max(last, m.at)
	}
	m.at = last
	return groups
}

// clean takes control characters out: UEFI's console is full of them.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}
