package main

import (
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How long each part may show no sign of life before the watchdog is left
// hungry and restarts the machine. The dataplane has the time to be started
// again several times: while it is away the kernel carries the wire, and a
// restart would interrupt it.
const (
	initPatience = 45 * time.Second
	wirePatience = 2 * time.Minute
)

// pulse is when init and the dataplane last showed signs of life.
type pulse struct {
	mu         sync.Mutex
	init, wire time.Time
	expectWire bool // from the dataplane's first start on
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.init = time.Now()
}

func (p *pulse) wireBeat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wire, p.expectWire = time.Now(), true
}

// silent says which part has been silent for too long, "" if none.
func (p *pulse) silent(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case now.Sub(p.init) > initPatience:
		return "init"
	case p.expectWire && now.Sub(p.wire) > wirePatience:
		return "dataplane"
	}
	return ""
}

// The watchdog's ioctls: include/uapi/linux/watchdog.h.
const wdiocSetTimeout = 0xc0045706

// armWatchdog starts the board's watchdog once its module is loaded, as early as
// can be: from here on a hang of the boot itself ends in a restart, too.
func (b *box) armWatchdog() {
	w := b.board.Watchdog
	path := "/dev/" + w.Device
	f, err := openDevice(path)
	if err != nil {
		b.journal.Logf("watchdog: %v; a hang will not end by itself", err)
		return
	}
	seconds := int32(w.Timeout / time.Second)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), wdiocSetTimeout, uintptr(unsafe.Pointer(&seconds))); errno != 0 {
		b.journal.Logf("watchdog: set its time: %v; it keeps its own", errno)
	}
	b.pulse.beat()
	b.guard("watchdog", func() { b.feed(f) })
}

// openDevice waits for the device: it may appear a moment after its driver.
func openDevice(path string) (*os.File, error) {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil || time.Now().After(end) {
			return f, err
		}
	}
}

// feed feeds the watchdog while all lives. It is never closed: when the box
// goes down it watches over that, too.
func (b *box) feed(f *os.File) {
	said := ""
	for {
		if who := b.pulse.silent(time.Now()); who == "" {
			if _, err := f.Write([]byte{0}); err != nil {
				panic(fmt.Sprintf("feed: %v", err))
			}
			said = ""
		} else if who != said {
			said = who
			b.journal.Logf("watchdog: no sign of life from %s for too long; the machine restarts in %v", who, b.board.Watchdog.Timeout)
		}
		time.Sleep(2 * time.Second)
	}
}
