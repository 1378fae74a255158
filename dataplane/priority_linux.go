package main

import (
	"log/slog"
	"runtime"

	"golang.org/x/sys/unix"
)

// loopNice is the loop's priority: above all that is not the kernel's own.
const loopNice = -15

// favour binds the calling goroutine to its thread and has the scheduler favour
// it: when the loop starves for longer than port.StaleAfter, frames go past it.
func favour() {
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), loopNice); err != nil {
		slog.Warn("the engine runs without priority", "error", err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil { // pauses are short
		slog.Warn("the engine's pauses are long", "error", err)
	}
}
