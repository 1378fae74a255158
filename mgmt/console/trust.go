package console

import (
	"context"
	"errors"

	"wirepatch/board/command"
)

// recoveryCode shows what opens the box's secrets in another machine.
func (m *Menu) recoveryCode(ctx context.Context) error {
	what := "The recovery code opens users, keys and certificate of this box in another machine. Who has it and the disk has them."
	if err := m.sure(ctx, what, "yes"); err != nil {
		return err
	}
	code, err := m.box.Command.RecoveryCode(ctx, m.who())
	m.audit("box.recovery-code", "", "", err)
	if err != nil {
		return err
	}
	m.line("%s", code)
	return nil
}

// secureBoot shows how Secure Boot is, and offers to enrol the image's key where
// the machine waits for one.
func (m *Menu) secureBoot(ctx context.Context) error {
	s, err := m.box.Command.SecureBoot(ctx)
	if err != nil {
		return err
	}
	m.line("Secure Boot  %s", or(s.State, "this machine has none"))
	if s.Key != "" {
		m.line("signed by    %s", s.Key)
		m.line("SHA-256      %s", s.SHA256)
	}
	switch {
	case s.State != command.SetupMode:
		return nil
	case s.Key == "":
		return errors.New("this image is not signed, so there is no key to enrol; build it with SECUREBOOT=")
	}
	what := "The key is enrolled: from the next start on, which follows at once, this machine starts nothing but what that key signed. " + wireDown
	if err := m.sure(ctx, what, "yes"); err != nil {
		return err
	}
	err = m.box.Command.Enrol(ctx, m.who())
	m.audit("box.secure-boot.enrol", s.SHA256, "", err)
	return m.down(ctx, err)
}
