// Package command has the box's first process do what it alone may: restart,
// power off, reset to factory settings, choose the firmware slot, have a port
// blink, set the clock, and tell whether somebody stands before the box. init
// serves it; the console's menu and the management page ask. It knows nothing of
// who may ask: the socket's file mode and the asking program's roles say that.
package command

import (
	"context"
	"time"
)

// Socket is where init listens.
const Socket = "/run/wirepatch/command.sock"

// Box does it. Each is told who asked, for the log.
type Box interface {
	Restart(who string) error
	PowerOff(who string) error
	// FactoryReset erases settings, users and history, and restarts.
	FactoryReset(who string) error
	// ChooseSlot makes another slot the one that is started next, and restarts.
	ChooseSlot(version, who string) error
	Blink(ctx context.Context, port string) error
	SetClock(t time.Time, who string) error
	// Presence waits until somebody presses the box's power button, which for this
	// once does not switch it off.
	Presence(ctx context.Context, who string) error
	// Log returns the last n lines of the box's log.
	Log(n int) []string
	Trust
}

// BlinkTime is how long a port blinks.
const BlinkTime = 10 * time.Second

// PresenceTime is how long somebody has to press the button.
const PresenceTime = time.Minute

// MaxLog is how many lines of the log are told at most.
const MaxLog = 500
