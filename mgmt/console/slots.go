package console

import (
	"context"
	"time"

	"wirepatch/firmware/slot"
	"wirepatch/firmware/update"
)

// firmware shows the slots and what the update is about, and chooses a slot.
func (m *Menu) firmware(ctx context.Context) error {
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
	s, err := m.box.Update.Status(ctx)
	if err != nil {
		m.wrapped("updates      none: %v", err)
	} else {
		m.updates(s)
	}
	n, err := m.pick(ctx, "What", 0, "nothing", "look for updates", "put the offered firmware in", "start another slot")
	if err != nil {
		return err
	}
	switch n {
	case 1:
		_, err := m.box.Update.Check(ctx)
		m.audit("update.check", "", "", err)
		return err
	case 2:
		if err := m.sure(ctx, "The box restarts into it. "+wireDown, "yes"); err != nil {
			return err
		}
		m.printf("One moment...\n")
		_, err := m.box.Update.Install(ctx)
		m.audit("update.install", "", "", err)
		return err
	case 3:
		return m.chooseSlot(ctx)
	}
	return nil
}

func (m *Menu) updates(s *update.Status) {
	m.line("definitions  revision %d", s.Revision)
	m.line("updates      %s, last looked %s, next %s", s.State, moment(s.LastCheck), moment(s.NextCheck))
	if s.Bytes > 0 && s.State != update.Idle {
		m.line("             %d of %d bytes", s.Done, s.Bytes)
	}
	if s.Offer != nil && s.Offer.Firmware != nil {
		m.line("offered      firmware %s", s.Offer.Firmware.Version)
	}
	if s.LastError != nil {
		m.wrapped("refused      %s: %s", s.LastError.Code, s.LastError.Text)
	}
}

// chooseSlot restarts into the firmware of another slot.
func (m *Menu) chooseSlot(ctx context.Context) error {
	other := ""
	for _, s := range m.box.State().Slots {
		if !s.Running {
			other = s.Version
		}
	}
	version, err := m.ask(ctx, "Version", other, func(v string) error {
		if !slot.Valid(v) {
			return errStop
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := m.sure(ctx, "The box restarts into "+version+". "+wireDown, "yes"); err != nil {
		return err
	}
	err = m.box.Command.ChooseSlot(ctx, version, m.who())
	m.audit("firmware.slot", version, "", err)
	return m.down(ctx, err)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("01-02 15:04:05")
}
