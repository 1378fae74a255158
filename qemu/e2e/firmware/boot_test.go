package firmware

import (
	"testing"
	"time"

	"wirepatch/firmware/release"
)

// TestBoot: from power-on through UEFI, boot loader and kernel to a wire that
// forwards, and again after the power button.
func TestBoot(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	began := time.Now()
	m.on()
	m.wait(`firmware %s, kernel`, release.Version)
	m.wait(`forwarding, [0-9.]+ s after power-on`)
	t.Logf("forwarding %.1f s after power-on of an emulated machine", time.Since(began).Seconds())
	m.powerOff()
	m.on()
	m.wait(`forwarding, [0-9.]+ s after power-on`)
}
