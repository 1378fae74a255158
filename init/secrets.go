package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"wirepatch/board/atomicfile"
	"wirepatch/firmware/slot"
	"wirepatch/init/vault"
)

// Where the sealed secret lies, and one that holds for the next start only: who
// changes Secure Boot's keys through this box takes it along so.
const (
	vaultFolder  = dataFolder + "/vault"
	sealedFile   = vaultFolder + "/sealed"
	transferFile = vaultFolder + "/transfer"
)

// safe is the folder of the management page as to whether it can be read.
type safe struct {
	mu     sync.Mutex
	locked bool
	known  chan struct{} // closed once it is known
	opened chan struct{} // closed once it can be read
}

func newSafe() *safe { return &safe{known: make(chan struct{}), opened: make(chan struct{})} }

func (s *safe) isLocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked
}

// set notes what was found; one that is open stays so.
func (s *safe) set(open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = !open
	once := func(c chan struct{}) {
		select {
		case <-c:
		default:
			close(c)
		}
	}
	if once(s.known); open {
		once(s.opened)
	}
}

// openSafe lets the management page read its folder: unlocks one that is sealed,
// and seals one that is not, where there is a TPM. It waits while the folder is
// locked, and reports false when the box goes down meanwhile.
func (b *box) openSafe(ctx context.Context) bool {
	said, err := b.unseal()
	b.safe.set(err == nil)
	if err != nil {
		said = "locked"
		b.journal.Logf("secrets: %v", err)
		b.journal.Logf("secrets: the management page stays off and the wire forwards. Put the disk back into its machine, or set Secure Boot as it was;")
		b.journal.Logf("secrets: or type the recovery code on a console; or reset to factory settings there")
	}
	b.note(func(p *published) { p.secrets = said })
	select {
	case <-b.safe.opened:
		return true
	case <-ctx.Done():
		return false
	}
}

// unseal says how the folder is kept, or why it cannot be read.
func (b *box) unseal() (string, error) {
	id, encrypted, err := vault.Of(mgmtFolder)
	if err != nil {
		return "", err
	}
	if encrypted {
		if err := b.unlock(id); err != nil {
			return "", err
		}
		b.step("secrets", func() error { return vault.Tidy(mgmtFolder) })
		return "sealed to the TPM", nil
	}
	said, err := b.seal()
	if err != nil {
		// What cannot be sealed is better used than lost.
		b.journal.Logf("secrets: not sealed to the TPM: %v", err)
		return "not sealed", nil
	}
	return said, nil
}

// unlock opens the folder with what the TPM gives out.
func (b *box) unlock(id vault.ID) error {
	t, err := vault.Open()
	if err != nil {
		return fmt.Errorf("the folder is sealed to a TPM, and this machine has none: %w", err)
	}
	defer t.Close()
	s, err := unsealFile(sealedFile, vault.SecureBoot, func(b []byte, p vault.Policy) (vault.Secret, error) { return vault.Unseal(t, b, p) })
	moved := false
	if errors.Is(err, vault.ErrRefused) {
		if again, second := unsealFile(transferFile, vault.Always, func(b []byte, p vault.Policy) (vault.Secret, error) { return vault.Unseal(t, b, p) }); second == nil {
			s, err, moved = again, nil, true
		}
	}
	// It is good for one start, whether it was needed or not.
	// What a thief found in the disk's free room would open whatever was started.
	if e := atomicfile.Wipe(transferFile); e != nil {
		b.journal.Logf("secrets: %v", e)
	}
	if err != nil {
		return fmt.Errorf("this machine's TPM does not open them: it is another machine, or its Secure Boot state changed: %w", err)
	}
	if err := unlockFolder(s, id); err != nil {
		return err
	}
	if moved {
		b.journal.Logf("secrets: sealed anew, to the Secure Boot state as it is now")
		return b.sealTo(s)
	}
	return nil
}

func unsealFile(path string, p vault.Policy, unseal func([]byte, vault.Policy) (vault.Secret, error)) (vault.Secret, error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return vault.Secret{}, err
	}
	return unseal(sealed, p)
}

// errOther says that a secret is not this folder's.
var errOther = errors.New("it is for another box's folder")

func unlockFolder(s vault.Secret, want vault.ID) error {
	id, err := s.Unlock(mgmtFolder)
	if err == nil && id != want {
		err = errOther
	}
	return err
}

// seal encrypts a folder that is not, if this machine has a TPM and no older
// firmware could be left without it.
func (b *box) seal() (string, error) {
	if err := vault.Tidy(mgmtFolder); err != nil {
		return "", err
	}
	if _, err := os.Stat(vault.Device); err != nil {
		return "not sealed: this machine has no TPM", nil
	}
	if b.onMemory {
		return "in memory", nil
	}
	if b.running.counting() && b.hasConfirmed() {
		return "not sealed yet: the firmware is on trial", nil
	}
	s := vault.New()
	if err := b.sealTo(s); err != nil {
		return "", err
	}
	if err := vault.Replace(mgmtFolder, s); err != nil {
		return "", err
	}
	b.journal.Logf("secrets: sealed to the TPM; write down the recovery code, which is shown on the console this once")
	b.journal.Show("wirepatch: recovery code: " + s.Code())
	return "sealed to the TPM", nil
}

// hasConfirmed says whether there is an older firmware to go back to.
func (b *box) hasConfirmed() (yes bool) {
	err := slot.With(b.running.boot.Partition, func(d slot.Dir) error {
		yes = hasOther(d, b.running.slot)
		return nil
	})
	return yes || err != nil
}

func (b *box) sealTo(s vault.Secret) error { return sealFile(sealedFile, s, vault.SecureBoot) }

func sealFile(path string, s vault.Secret, p vault.Policy) error {
	t, err := vault.Open()
	if err != nil {
		return err
	}
	defer t.Close()
	sealed, err := vault.Seal(t, s, p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, sealed, 0o600)
}

// secret is this box's, from its TPM.
func secret() (s vault.Secret, err error) {
	t, err := vault.Open()
	if err != nil {
		return s, err
	}
	defer t.Close()
	return unsealFile(sealedFile, vault.SecureBoot, func(b []byte, p vault.Policy) (vault.Secret, error) { return vault.Unseal(t, b, p) })
}

// recover opens the folder with a recovery code, and seals it to this machine.
func (b *box) recover(code string) error {
	s, err := vault.Parse(code)
	if err != nil {
		return err
	}
	id, _, err := vault.Of(mgmtFolder)
	if err != nil {
		return err
	}
	if err := unlockFolder(s, id); err != nil {
		return fmt.Errorf("the code is a good one, but %w", err)
	}
	said := "sealed to the TPM"
	if err := b.sealTo(s); err != nil {
		said = "open until the next start"
		b.journal.Logf("secrets: open now, but not sealed to this machine: %v; the next start asks for the code again", err)
	} else {
		b.journal.Logf("secrets: opened by the recovery code and sealed to this machine's TPM")
	}
	b.note(func(p *published) { p.secrets = said })
	b.safe.set(true)
	return nil
}
