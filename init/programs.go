package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/release"
	"wirepatch/firmware/update"
	"wirepatch/init/confine"
	"wirepatch/init/supervise"
)

const (
	confinePath   = "/bin/confine"
	dataplanePath = "/bin/dataplane"
	mgmtPath      = "/bin/mgmt"
	updatedPath   = "/bin/updated"
	definitions   = "/etc/wirepatch/definitions"
	pagePort      = 443
)

// headStart is how long the management page and the menu wait for the wire to be
// inspected: on a slow processor they would take each other's time at power-on.
const headStart = 10 * time.Second

// awaitWire waits until the wire forwards or has had its chance.
func (b *box) awaitWire(ctx context.Context) {
	if !b.ports.wireA || !b.ports.wireB {
		return
	}
	select {
	case <-b.inspecting:
	case <-time.After(headStart - time.Since(b.started)):
	case <-ctx.Done():
	}
}

// startPrograms starts the dataplane, and mgmt when the wire forwards or has had
// its chance.
func (b *box) startPrograms(ctx context.Context) {
	ctx, b.stopPrograms = context.WithCancel(ctx)
	b.started = time.Now()
	b.step("definitions", b.leadDefinitions)
	if b.ports.wireA && b.ports.wireB {
		b.pulse.wireBeat()
		b.run(ctx, "dataplane", dataplane, append([]string{dataplanePath, "-wire-a", wireA, "-wire-b", wireB, "-settings", b.settingsFile,
			"-definitions", update.Link, "-socket", control.Socket, "-pin", pinFolder, "-attach", b.board.Attach}, b.memory()...)...)
	} else {
		b.journal.Logf("dataplane: not started, for a wire port is missing; correct board.ini or the cards and build the image anew")
	}
	b.guard("start of mgmt", func() {
		b.awaitWire(ctx)
		if _, err := os.Stat(release.RootPath); err == nil {
			b.run(ctx, "updated", updated, updatedPath, "-settings", b.settingsFile)
		}
		if !b.openSafe(ctx) {
			return
		}
		b.takeImport(takePage)
		b.run(ctx, "mgmt", mgmt, mgmtPath, "-listen", fmt.Sprintf(":%d", pagePort), "-data", mgmtFolder, "-control", control.Socket, "-box", state.Path)
	})
}

// The dataplane is root, because BPF and pins belong to root, with only the
// capabilities that the wire takes. Its group is that of the control socket,
// so it makes the socket without being allowed to give files away.
var dataplane = confine.Options{User: 0, Group: controlGroup, OOM: -900,
	Capabilities: []string{"net_admin", "net_raw", "bpf", "perfmon", "sys_nice", "sys_resource", "ipc_lock"}}

// updated reads what comes from outside, and must mount the EFI system partition
// to put it in, and take from the boot loader what was left with it; it is root for
// nothing else. Its group is the socket's.
var updated = confine.Options{User: 0, Group: controlGroup, OOM: 400, Capabilities: []string{"sys_admin", "linux_immutable"}}

// mgmt is exposed to the management network: no rights, and the first to go
// when memory runs out.
var mgmt = confine.Options{User: mgmtUser, Group: mgmtGroup, Groups: []int{controlGroup}, OOM: 500, Write: []string{mgmtFolder}}

// testedFile is where the dataplane keeps which definitions have passed their
// tests on this box. Root's alone: it can spare definitions their tests.
const testedFile = "/data/firmware/tested"

// memory are the dataplane's arguments for it; none where the image does not say
// what it was built of.
func (b *box) memory() []string {
	if b.release.Programs == "" {
		return nil
	}
	return []string{"-memory", testedFile, "-firmware", b.release.Version + "/" + b.release.Programs}
}

// leadDefinitions leads the dataplane to the newest definitions there are: those
// of the image, or of a pack that came later.
func (b *box) leadDefinitions() error {
	dir, revision := update.InUse(update.Dir, b.release.Definitions)
	if dir == "" {
		dir = definitions
	} else {
		b.journal.Logf("definitions: revision %d, from an update", revision)
	}
	if err := os.Remove(update.Link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(dir, update.Link)
}

func (b *box) run(ctx context.Context, name string, o confine.Options, argv ...string) {
	if _, err := os.Stat(argv[0]); err != nil {
		b.journal.Logf("%s is not in this image", name)
		return
	}
	tmp := "/tmp"
	if len(o.Write) > 0 {
		tmp = o.Write[0] // it may write nowhere else
	}
	p := supervise.Program{Name: name, Argv: append([]string{confinePath}, o.Args(argv...)...),
		Env: []string{"PATH=/bin", "HOME=/", "TMPDIR=" + tmp}}
	b.guard("supervisor of "+name, func() { b.programs.Run(ctx, p) })
}
