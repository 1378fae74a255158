package console

import (
	"context"
	"time"
)

// firmware shows the slots and what the update is about.
func (m *Menu) firmware(ctx context.Context) {
	slots := m.box.State().Slots
	for _, s := range slots {
		runs := ""
		if s.Running {
			runs = ", runs"
		}
		m.line("slot         %s: %s%s", s.Version, s.State, runs)
	}
	if len(slots) == 0 {
		m.line("slot         none: started without boot loader")
	}
	if m.box.Update == nil {
		m.line("updates      this image carries no root of trust and takes none")
		return
	}
	s, err := m.box.Update(ctx)
	if err != nil {
		m.line("updates      %v", err)
		return
	}
	m.line("definitions  revision %d", s.Revision)
	m.line("updates      %s, last looked %s, next %s", s.State, moment(s.LastCheck), moment(s.NextCheck))
	if s.Bytes > 0 && s.State != "idle" {
		m.line("             %d of %d bytes", s.Done, s.Bytes)
	}
	if s.Offer != nil && s.Offer.Firmware != nil {
		m.line("offered      firmware %s", s.Offer.Firmware.Version)
	}
	if s.LastError != nil {
		m.wrapped("refused      %s: %s", s.LastError.Code, s.LastError.Text)
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("01-02 15:04:05")
}

// blink asks for a port and has it blink, for whoever stands before the box.
func (m *Menu) blink(ctx context.Context) {
	m.printf("Which port? wire-a, wire-b, mgmt or another name: ")
	name, err := m.read()
	if err != nil || name == "" {
		return
	}
	m.printf("It blinks for %d seconds.\n", int(BlinkTime/time.Second))
	if err := m.box.Blink(ctx, name); err != nil {
		m.line("%v", err)
	}
}

// BlinkTime is how long a port blinks.
const BlinkTime = 10 * time.Second
