package main

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wirepatch/board/command"
	"wirepatch/firmware/secureboot"
	"wirepatch/firmware/slot"
	"wirepatch/init/vault"
)

// Secure Boot as the machine has it.
const (
	secureUnknown = "" // no UEFI
	secureOn      = "on"
	secureOff     = "off"
)

func secureBoot() string {
	switch {
	case slot.Flag(slot.Efivars, "SetupMode"):
		return command.SetupMode
	case slot.Flag(slot.Efivars, "SecureBoot"):
		return secureOn
	}
	if _, err := os.Stat(slot.Efivars + "/SecureBoot-" + slot.GlobalVendor); err != nil {
		return secureUnknown
	}
	return secureOff
}

// enrolment is what an image that is signed carries to have its key trusted.
type enrolment struct {
	certificate *x509.Certificate
	updates     [][]byte // for secureboot.Variables
}

// readEnrolment reads it; an image that is not signed has none.
func readEnrolment(dir string) (*enrolment, error) {
	der, err := os.ReadFile(filepath.Join(dir, secureboot.EnrolFile))
	if err != nil {
		return nil, err
	}
	e := new(enrolment)
	if e.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	for _, v := range secureboot.Variables {
		update, err := os.ReadFile(filepath.Join(dir, v.Name+".auth"))
		if err != nil {
			return nil, err
		}
		e.updates = append(e.updates, update)
	}
	return e, nil
}

// SecureBoot implements command.Box.
func (c commands) SecureBoot() command.SecureBoot {
	s := command.SecureBoot{State: secureBoot()}
	if e, err := readEnrolment(secureboot.Folder); err == nil {
		s.Key, s.SHA256 = e.certificate.Subject.CommonName, fmt.Sprintf("%x", sha256.Sum256(e.certificate.Raw))
	}
	return s
}

// Enrol implements command.Box.
func (c commands) Enrol(who string) error {
	if s := secureBoot(); s != command.SetupMode {
		return fmt.Errorf("the machine's Secure Boot is %s; clear its keys in the machine's set-up, which brings it into setup mode", s)
	}
	e, err := readEnrolment(secureboot.Folder)
	if err != nil {
		return fmt.Errorf("this image carries no key: %w", err)
	}
	if err := c.enrol(e); err != nil {
		return err
	}
	c.journal.Logf("secure boot: the key is enrolled; it is in force from the next start on")
	c.reboot("Secure Boot key enrolled by " + who)
	return nil
}

// RecoveryCode implements command.Box.
func (c commands) RecoveryCode(who string) (string, error) {
	if _, encrypted, err := vault.Of(mgmtFolder); err != nil || !encrypted {
		return "", errors.Join(errors.New("the secrets of this box are not sealed to a TPM, so there is no code"), err)
	}
	s, err := secret()
	if err != nil {
		return "", err
	}
	c.journal.Logf("secrets: the recovery code was shown to %s", who)
	return s.Code(), nil
}

// enrol has the machine trust the key, once it is sure that the machine will
// still start from this disk.
func (b *box) enrol(e *enrolment) error {
	if err := b.startable(e.certificate); err != nil {
		return err
	}
	// The TPM opens the secrets by the Secure Boot state, which changes now.
	if err := carryOver(); err != nil {
		return fmt.Errorf("the secrets could not be carried over to the new state: %w", err)
	}
	for i, v := range secureboot.Variables {
		if err := slot.WriteVariable(slot.Efivars, v.Name, v.Vendor, secureboot.Attributes, e.updates[i]); err != nil {
			return err
		}
	}
	return nil
}

// startable wants the loader and every slot to be signed by the key: what is not,
// the machine would refuse from then on.
func (b *box) startable(by *x509.Certificate) error {
	if b.running.boot.Entry == "" {
		return errors.New("this start did not come from a disk with firmware slots; install first")
	}
	return slot.With(b.running.boot.Partition, func(d slot.Dir) error {
		files := []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"}
		all, err := d.List()
		if err != nil {
			return err
		}
		for _, s := range all {
			files = append(files, slot.Folder+"/"+s.File())
		}
		for _, f := range files {
			program, err := os.ReadFile(filepath.Join(string(d), f))
			if err == nil {
				err = secureboot.Verify(program, by)
			}
			if err != nil {
				return fmt.Errorf("the machine would not start any more: %s: %w", f, err)
			}
		}
		return nil
	})
}

// carryOver lets the TPM open the secrets once more, at the next start.
func carryOver() error {
	_, encrypted, err := vault.Of(mgmtFolder)
	if err != nil || !encrypted {
		return err
	}
	s, err := secret()
	if err != nil {
		return err
	}
	return sealFile(transferFile, s, vault.Always)
}

// tellSecureBoot says in the log how it is.
func (b *box) tellSecureBoot() {
	if s := secureBoot(); s != secureUnknown {
		b.journal.Logf("secure boot: %s", s)
		if s == command.SetupMode && (commands{b}).SecureBoot().Key != "" {
			b.journal.Logf("secure boot: the key of this firmware can be enrolled: console, 19 Secure Boot")
		}
	}
}
