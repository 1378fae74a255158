package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/board"
	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/board/state"
	"wirepatch/firmware/release"
	"wirepatch/init/gpio"
	"wirepatch/init/journal"
	"wirepatch/init/supervise"
)

// box is the running appliance as init knows it.
type box struct {
	journal  *journal.Journal
	reaper   *supervise.Reaper
	programs *supervise.Supervisor
	release  release.Release
	board    *board.Board
	settings *settings.Settings
	// settingsFile is the one that is in force, for the dataplane.
	settingsFile string
	keeper       *keeper.Keeper
	children     sync.Mutex // one of the program settings at a time
	// manageAs tells the management port of changed settings.
	manageAs chan *settings.Settings
	// timeFrom tells the clock of changed time servers.
	timeFrom chan []string
	ports    ports
	running  running
	pulse    pulse
	// faultySettings: the owner's settings are not in force, and firmware on trial
	// that cannot use them does not stay.
	faultySettings bool
	// missingModules are those that the board needs and that did not load.
	missingModules []string
	stopPrograms   context.CancelFunc
	safe           *safe
	relay          relay
	onMemory       bool          // there is no data partition
	forwarding     chan struct{} // closed once the wire has forwarded
	inspecting     chan struct{} // closed once it has been inspected
	powered        time.Time     // when the machine came up
	started        time.Time     // when the programs were

	published published
	presence  presence
	stopping  chan stopReason
}

func newBox() *box {
	b := &box{journal: new(journal.Journal), reaper: new(supervise.Reaper), stopping: make(chan stopReason, 1), forwarding: make(chan struct{}),
		inspecting: make(chan struct{})}
	b.safe = newSafe()
	b.published.wake = make(chan struct{}, 1)
	b.manageAs = make(chan *settings.Settings, 1)
	b.timeFrom = make(chan []string, 1)
	b.keeper = b.newKeeper()
	b.programs = &supervise.Supervisor{Reaper: b.reaper, Clock: supervise.System{}, Logf: b.journal.Logf, Changed: b.changed,
		Line: func(from, text string) { b.journal.Line(from, journal.Tidy(text)) }}
	b.journal.Changed = b.changed
	return b
}

// boot brings the box up and stays. It does not return: a first process that
// ends takes the kernel with it.
func boot(ctx context.Context) {
	b := newBox()
	b.journal.SetConsoles(os.Stderr)
	defer b.rebootAfterPanic()
	// Signals first: children may end, and the power button be pressed, at once.
	b.handleSignals()
	b.bringUp(ctx)
	b.stop(<-b.stopping)
}

// bringUp is the order of the boot. The wire comes first; nothing in here waits
// for the management network.
func (b *box) bringUp(ctx context.Context) {
	b.step("mount", mountKernelFilesystems)
	b.powered = time.Now().Add(-uptime())
	b.step("kernel settings", setKernel)
	b.step("clock", b.floorClock)
	b.readRelease()
	b.journal.Logf("firmware %s, kernel %s", b.release.Version, b.release.Kernel)
	b.readBoard()
	b.loadModules()
	b.openRelay(gpio.Root)
	if isInstaller() {
		b.installer(ctx)
		return
	}
	b.findSlot()
	data := b.mountData()
	b.note(func(p *published) { p.data = data })
	b.readSettings()
	b.step("host name", func() error { return unix.Sethostname([]byte(b.settings.Hostname)) })
	b.bringUpPorts()
	b.startPrograms(ctx)
	b.openConsoles(ctx, b.showMenu)
	b.guard("settings", func() { b.keepSettings(ctx) })
	b.guard("commands", func() { b.takeCommands(ctx) })
	b.guard("management port", func() { b.manage(ctx) })
	b.guard("watch", func() { b.watch(ctx) })
	b.guard("bypass relay", func() { b.followWire(ctx) })
	b.guard("health", func() { b.prove(ctx) })
	b.guard("clock", func() { b.keepTime(ctx) })
	b.guard("power button", func() { b.watchPowerButton(ctx) })
}

// step does one thing of the boot and says what failed. The boot goes on: half
// a box that can be reached is better than none.
func (b *box) step(what string, do func() error) {
	defer b.pulse.beat()
	if err := do(); err != nil {
		b.journal.Logf("%s: %v", what, err)
	}
}

// guard runs f on its own and outlives its panic: it is logged and f begins
// anew. f returns when it has nothing more to do.
func (b *box) guard(what string, f func()) {
	go func() {
		for !b.survives(what, f) {
			time.Sleep(time.Second)
		}
	}()
}

func (b *box) survives(what string, f func()) (done bool) {
	defer func() {
		if p := recover(); p != nil {
			b.journal.Logf("%s: panic: %v; beginning anew", what, p)
			b.journal.Line("wirepatch", string(debug.Stack()))
			done = false
		}
	}()
	f()
	return true
}

// rebootAfterPanic is for what boot itself cannot go on from.
func (b *box) rebootAfterPanic() {
	p := recover()
	if p == nil {
		return
	}
	b.panicking(p)
	time.Sleep(10 * time.Second)
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// panicking is what is done before the restart.
func (b *box) panicking(p any) {
	b.joinForGood()
	fmt.Fprintf(os.Stderr, "wirepatch: init: panic: %v; restarting in 10 s\n%s", p, debug.Stack())
}

func (b *box) readRelease() {
	r, err := release.Read(release.Path)
	if err != nil {
		b.journal.Logf("%v", err)
		r = &release.Release{Version: release.Version}
	}
	b.release = *r
}

func (b *box) readBoard() {
	d, err := board.Read(board.Path)
	if err != nil {
		b.journal.Logf("board file: %v; the wire cannot come up, build the image anew", err)
		d = &board.Board{Name: b.release.Board, Consoles: []board.Console{{Device: "ttyS0"}, {Device: "tty1"}}}
	}
	b.board = d
	// From here on there is a board and a release to tell of.
	b.guard("state", b.publish)
	b.changed()
}

// state is the box as others may read it.
func (b *box) state() state.Box {
	s := state.Box{Version: b.release.Version, Board: b.board.Name, Booted: b.powered, Log: b.journal.Entries(), Processes: b.programs.Processes()}
	b.published.mu.Lock()
	defer b.published.mu.Unlock()
	s.Hostname, s.Data, s.Management = b.published.hostname, b.published.data, b.published.management
	s.Slots, s.Secrets = b.published.slots, b.published.secrets
	return s
}
