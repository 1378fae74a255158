package command

import (
	"context"
	"errors"
)

// Trust is what the box does about whom the machine trusts, and what opens its
// secrets.
type Trust interface {
	// RecoveryCode returns what opens the management page's secrets in another
	// machine.
	RecoveryCode(who string) (string, error)
	// SecureBoot says how the machine's Secure Boot is.
	SecureBoot() SecureBoot
	// Enrol has a machine in setup mode trust the image's key alone, and restarts.
	Enrol(who string) error
}

// SecureBoot is how it is.
type SecureBoot struct {
	State  string // "on", "off", "setup mode"; "" without UEFI
	Key    string // whose key this image would enrol; "" when it is not signed
	SHA256 string // of its certificate, hexadecimal
}

// SetupMode is the state in which who comes first says whom the machine trusts.
const SetupMode = "setup mode"

// trust does what q asks for; done says whether it is one of these.
func trust(b Trust, q question, a *answer) (done bool, err error) {
	switch q.Op {
	case "recovery-code":
		code, err := b.RecoveryCode(q.Who)
		a.Lines = []string{code}
		return true, err
	case "secure-boot":
		s := b.SecureBoot()
		a.Lines = []string{s.State, s.Key, s.SHA256}
		return true, nil
	case "enrol":
		return true, b.Enrol(q.Who)
	}
	return false, nil
}

// RecoveryCode returns what opens the page's secrets in another machine.
func (c Client) RecoveryCode(ctx context.Context, who string) (string, error) {
	a, err := c.ask(ctx, question{Op: "recovery-code", Who: who})
	if err == nil && len(a.Lines) != 1 {
		err = errors.New("the box's first process told no code")
	}
	if err != nil {
		return "", err
	}
	return a.Lines[0], nil
}

// SecureBoot says how the machine's Secure Boot is.
func (c Client) SecureBoot(ctx context.Context) (s SecureBoot, err error) {
	a, err := c.ask(ctx, question{Op: "secure-boot"})
	if err == nil && len(a.Lines) != 3 {
		err = errors.New("the box's first process does not tell how Secure Boot is")
	}
	if err != nil {
		return s, err
	}
	return SecureBoot{a.Lines[0], a.Lines[1], a.Lines[2]}, nil
}

// Enrol has the machine trust the image's key alone.
func (c Client) Enrol(ctx context.Context, who string) error {
	_, err := c.ask(ctx, question{Op: "enrol", Who: who})
	return err
}
