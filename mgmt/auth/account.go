package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"wirepatch/board/atomicfile"
)

// Names of the files in the data folder.
const (
	passwordFile = "password"
	codeFile     = "setup-code"
)

// Account is the administrator's account. Until a password is set it holds
// the set-up code, with which alone one can be set.
type Account struct {
	dir  string
	gate chan struct{} // bounds how many hashes are computed at once

	mu    sync.Mutex
	saved *params // nil: no password is set
	code  string
}

// Open reads the account from dir. When no password is set it makes a set-up
// code, or takes the one that an earlier start left.
func Open(dir string) (*Account, error) {
	a := &Account{dir: dir, gate: make(chan struct{}, 2)}
	text, err := os.ReadFile(a.path(passwordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, a.prepareCode()
	}
	if err != nil {
		return nil, err
	}
	p, err := parseHash(strings.TrimSpace(string(text)))
	if err != nil {
		// Not treated as "no password": damage must not open the set-up page.
		return nil, fmt.Errorf("%s: %w; remove the file from the data partition to set a new password", a.path(passwordFile), err)
	}
	a.saved = &p
	// A power cut between setting the password and removing the code leaves both.
	return a, atomicfile.Remove(a.path(codeFile))
}

func (a *Account) path(name string) string { return filepath.Join(a.dir, name) }

func (a *Account) prepareCode() error {
	text, err := os.ReadFile(a.path(codeFile))
	if err == nil && validCode(string(text)) {
		a.code = strings.TrimSpace(string(text))
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a.code = newCode()
	return atomicfile.Write(a.path(codeFile), []byte(a.code+"\n"), 0o600)
}

// IsSet says whether a password is set.
func (a *Account) IsSet() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.saved != nil
}

// SetupCode returns the code with which the first password is set; "" once
// one is set.
func (a *Account) SetupCode() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.code
}

// SetUp sets the first password. The code works once. Errors are ErrSet,
// ErrCode, ErrPassword, ErrBusy or one of the disk.
func (a *Account) SetUp(ctx context.Context, code, password string) error {
	if err := a.maySet(code); err != nil {
		return err
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	if sameCode(password, code) {
		return fmt.Errorf("%w: it is the set-up code, which the console has shown; take another", ErrPassword)
	}
	if err := a.enter(ctx); err != nil {
		return err
	}
	phc := hash(password)
	a.leave()
	return a.save(code, phc)
}

func (a *Account) maySet(code string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.saved != nil {
		return ErrSet
	}
	if !sameCode(code, a.code) {
		return ErrCode
	}
	return nil
}

// save checks again: of two requests with the code only one may win.
func (a *Account) save(code, phc string) error {
	p, err := parseHash(phc)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.saved != nil {
		return ErrSet
	}
	if err := atomicfile.Write(a.path(passwordFile), []byte(phc+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the password: %w", err)
	}
	a.saved, a.code = &p, ""
	if err := atomicfile.Remove(a.path(codeFile)); err != nil {
		return fmt.Errorf("remove the set-up code: %w", err)
	}
	return nil
}

// Verify says whether password is the one that is set. Its errors are about
// the attempt, not about the password.
func (a *Account) Verify(ctx context.Context, password string) (bool, error) {
	a.mu.Lock()
	p := a.saved
	a.mu.Unlock()
	if p == nil || len(password) > MaxLength {
		return false, nil
	}
	if err := a.enter(ctx); err != nil {
		return false, err
	}
	defer a.leave()
	return p.matches(password), nil
}

func (a *Account) enter(ctx context.Context) error {
	select {
	case a.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (a *Account) leave() { <-a.gate }
