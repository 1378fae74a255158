package console

import (
	"context"
	"time"

	"wirepatch/board/command"
)

const wireDown = "The wire is down meanwhile, unless it has a bypass."

func (m *Menu) reboot(ctx context.Context) error {
	if err := m.sure(ctx, "Reboot. "+wireDown, "yes"); err != nil {
		return err
	}
	m.audit("box.reboot", "", "", nil)
	return m.down(ctx, m.box.Command.Restart(ctx, m.who()))
}

func (m *Menu) powerOff(ctx context.Context) error {
	if err := m.sure(ctx, "Power off. "+wireDown, "yes"); err != nil {
		return err
	}
	m.audit("box.power-off", "", "", nil)
	return m.down(ctx, m.box.Command.PowerOff(ctx, m.who()))
}

func (m *Menu) reset(ctx context.Context) error {
	if err := m.mayAlone(); err != nil {
		return err
	}
	what := "Factory reset: settings, users, password, certificate, history and audit log are erased. " + wireDown
	if err := m.sure(ctx, what, or(m.box.State().Hostname, "yes")); err != nil {
		return err
	}
	m.audit("box.factory-reset", "", "", nil)
	return m.down(ctx, m.box.Command.FactoryReset(ctx, m.who()))
}

// down waits for the end, once the box has agreed to it.
func (m *Menu) down(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	m.printf("The box goes down.\n")
	<-ctx.Done()
	return ctx.Err()
}

// blink asks for a port and has it blink, for whoever stands before the box.
func (m *Menu) blink(ctx context.Context) error {
	name, err := m.ask(ctx, "Which port? wire-a, wire-b or mgmt", "", anything)
	if err != nil || name == "" {
		return err
	}
	m.printf("It blinks for %d seconds.\n", int(command.BlinkTime/time.Second))
	return m.box.Command.Blink(ctx, name)
}

// rehearsal tells what would happen if the inspection died now, by stopping it.
func (m *Menu) rehearsal(ctx context.Context) error {
	what := "What if the inspection died now? It stops for a second, and the wire follows the services' policies: those that fail open pass uninspected, those that fail closed stop."
	if err := m.sure(ctx, what, "yes"); err != nil {
		return err
	}
	r, err := m.box.Wire.Rehearse(ctx, time.Second)
	m.audit("wire.rehearse", "", "", err)
	if err != nil {
		return err
	}
	m.line("stopped      %d ms, noticed after %d ms", r.StoppedMS, r.NoticedMS)
	m.line("passed       %d packets uninspected", r.Bypassed)
	m.line("held back    %d packets", r.Dropped)
	for _, s := range r.Services {
		m.line("service      %s: fail %s, %d passed, %d held back", s.Name, s.Fail, s.Passed, s.Dropped)
	}
	if len(r.Services) == 0 {
		m.line("service      none is protected: nothing would change")
	}
	return nil
}
