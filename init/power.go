package main

import (
	"context"
	"encoding/binary"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the first process is told by signal. Ctrl-Alt-Del comes as SIGINT, once
// the kernel is asked to.
const (
	signalReboot   = syscall.SIGINT
	signalPowerOff = syscall.SIGUSR2
)

const openNoFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// stopReason is why the box goes down and how.
type stopReason struct {
	why     string
	command int // of reboot(2)
}

func (b *box) powerOff(why string) { b.goDown(stopReason{why, unix.LINUX_REBOOT_CMD_POWER_OFF}) }
func (b *box) reboot(why string)   { b.goDown(stopReason{why, unix.LINUX_REBOOT_CMD_RESTART}) }

func (b *box) goDown(r stopReason) {
	select {
	case b.stopping <- r:
	default: // it is going down already
	}
}

func (b *box) handleSignals() {
	unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF)
	children, asked := make(chan os.Signal, 16), make(chan os.Signal, 4)
	signal.Notify(children, syscall.SIGCHLD)
	signal.Notify(asked, signalReboot, signalPowerOff, syscall.SIGTERM)
	b.guard("reaper", func() {
		for range children {
			b.reaper.Reap()
		}
	})
	b.guard("signals", func() {
		for s := range asked {
			if s == signalReboot {
				b.reboot("restart asked for")
			} else {
				b.powerOff("power-off asked for")
			}
		}
	})
}

// stop takes the box down: programs first, so that mgmt closes its store, then
// the data partition, so that nothing is lost. Each part has its time; a part
// that hangs is left behind.
func (b *box) stop(r stopReason) {
	b.joinForGood()
	b.journal.Logf("%s: stopping", r.why)
	if b.stopPrograms != nil {
		b.stopPrograms()
	}
	within(8*time.Second, func() bool {
		for _, p := range b.programs.Processes() {
			if p.State != "stopped" {
				return false
			}
		}
		return true
	})
	unix.Kill(-1, unix.SIGTERM)
	time.Sleep(200 * time.Millisecond)
	unix.Kill(-1, unix.SIGKILL)
	unix.Sync()
	if !within(2*time.Second, func() bool { return unix.Unmount(dataFolder, 0) == nil }) {
		b.journal.Logf("data partition is still in use; making it read-only")
		unix.Mount("", dataFolder, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	unix.Sync()
	b.journal.Logf("stopped")
	b.journal.Flush(time.Second)
	for {
		unix.Reboot(r.command)
		// A machine that cannot switch itself off is restarted rather than left dead.
		time.Sleep(5 * time.Second)
		r.command = unix.LINUX_REBOOT_CMD_RESTART
	}
}

// within tries until ok or until the time is over.
func within(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// Linux input events: include/uapi/linux/input-event-codes.h.
const (
	evKey    = 1
	keyPower = 116
)

// watchPowerButton watches every input device for the power button.
func (b *box) watchPowerButton(ctx context.Context) {
	all, _ := filepath.Glob(inputDevices)
	for _, path := range all {
		b.guard("power button "+path, func() { b.watchInput(path) })
	}
	<-ctx.Done()
}

func (b *box) watchInput(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	event := make([]byte, unsafe.Sizeof(unix.Timeval{})+8)
	for {
		if _, err := f.Read(event); err != nil {
			return
		}
		e := event[len(event)-8:]
		kind, code, value := binary.NativeEndian.Uint16(e), binary.NativeEndian.Uint16(e[2:]), binary.NativeEndian.Uint32(e[4:])
		if kind == evKey && code == keyPower && value == 1 {
			b.pressed()
		}
	}
}
