package firmware

import (
	"bytes"
	"slices"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"
	"golang.org/x/sys/unix"
)

// wantSlots switches the machine off by its button and compares the slots on
// its disk.
func (m *machine) wantSlots(want ...string) {
	m.Helper()
	m.powerOff()
	got := m.slots()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		m.Errorf("slots on the disk = %q; want %q", got, want)
	}
}

// TestFirstStart: a new disk's firmware is on trial until it has been in health,
// then it stays.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	m := cold(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0+3.efi": good()})
	m.on()
	m.wait(`slot 0.1.0 runs, on trial`)
	m.wait(`forwarding, `)
	m.wait(`firmware: 0.1.0 is confirmed`)
	m.wantSlots("wirepatch_0.1.0.efi")
	m.on()
	m.wait(`slot 0.1.0 runs, confirmed`)
}

// TestNewSlot: a new firmware beside the confirmed one is started and, if it is
// good, stays; if it is not, the old one is back without a hand.
func TestNewSlot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		tries  string
		over   []cpio.Record
		harm   func([]byte) // what the disk does to the file
		fails  []string     // what is seen of the failure, on the console
		sick   bool
		hungry bool
	}{
		{name: "good", tries: "+3"},
		{
			name: "panics", tries: "+1", over: []cpio.Record{cpio.Symlink("init", "nowhere")}, // TestRotten panics three times
			fails: []string{"Kernel panic"},
		},
		{
			// A module that cannot be read to its end: init waits for good, after
			// it armed the watchdog.
			name: "hangs", tries: "+1", hungry: true, over: []cpio.Record{cpio.StaticRecord(nil, cpio.Info{Name: "lib/modules/tun.ko", Mode: unix.S_IFIFO | 0o600})},
			fails: []string{"no sign of life from init"},
		},
		{
			name: "is not in health", tries: "+3", sick: true, over: []cpio.Record{cpio.StaticFile("bin/dataplane", "no program", 0o755)},
			fails: []string{"0.2.0 is given up: the dataplane does not answer"},
		},
		{
			name: "lacks a module", tries: "+3", sick: true, over: []cpio.Record{cpio.StaticFile("lib/modules/evdev.ko", "no module", 0o644)},
			fails: []string{"0.2.0 is given up: module evdev does not load"},
		},
		{
			name: "is corrupted inside", tries: "+1", fails: []string{"Kernel panic"},
			harm: func(b []byte) { clear(b[len(b)/4 : len(b)/4+4096]) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := cold(t)
			image := variant{version: "0.2.0", over: tt.over, sick: tt.sick, hungry: tt.hungry}.build(t)
			if tt.harm != nil {
				image = bytes.Clone(image)
				tt.harm(image)
			}
			m.fill(map[string][]byte{"wirepatch_0.1.0.efi": good(), "wirepatch_0.2.0" + tt.tries + ".efi": image})
			m.on()
			if len(tt.fails) == 0 {
				m.wait(`slot 0.2.0 runs, on trial`)
				m.wait(`firmware: 0.2.0 is confirmed`)
				m.wantSlots("wirepatch_0.1.0.efi", "wirepatch_0.2.0.efi")
				return
			}
			for _, f := range tt.fails {
				m.wait(`%s`, f)
			}
			m.wait(`slot 0.1.0 runs, confirmed`)
			m.wait(`forwarding, `)
			m.powerOff()
		})
	}
}
