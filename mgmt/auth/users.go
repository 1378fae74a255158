package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wirepatch/board/atomicfile"
)

// FirstName is what the first user is called when no name is given.
const FirstName = "admin"

// Users are all who may sign in, kept in one small file that is written as a
// whole. While there is none it holds the set-up code, with which alone the
// first one can be made.
type Users struct {
	dir   string
	now   func() time.Time
	gate  chan struct{} // bounds how many hashes are computed at once
	decoy params        // what the password of an unknown user is compared with

	mu    sync.Mutex
	file  *file // never changed, only replaced
	stamp stamp // of the file that it was read from
	code  string
	wrong map[string]wrong // codes of second factors
}

// Open reads the users from dir. When there is none it makes a set-up code, or
// takes the one that an earlier start left.
func Open(dir string, now func() time.Time) (*Users, error) {
	u := &Users{wrong: map[string]wrong{}, dir: dir, now: now, gate: make(chan struct{}, 2), decoy: params{argonTime, argonMemory, 1, make([]byte, saltLength), make([]byte, keyLength)}}
	var err error
	if u.file, err = readFile(dir); err != nil {
		return nil, err
	}
	u.stamp = stampOf(u.path(usersFile))
	if len(u.file.Users) == 0 {
		return u, u.prepareCode()
	}
	// A power cut between making the first user and removing the code leaves both.
	return u, atomicfile.Remove(u.path(codeFile))
}

func (u *Users) path(name string) string { return filepath.Join(u.dir, name) }

func (u *Users) prepareCode() error {
	text, err := os.ReadFile(u.path(codeFile))
	if err == nil && validCode(string(text)) {
		u.code = strings.TrimSpace(string(text))
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u.code = newCode()
	return atomicfile.Write(u.path(codeFile), []byte(u.code+"\n"), 0o600)
}

// IsSet says whether there is a user.
func (u *Users) IsSet() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh()
	return len(u.file.Users) > 0
}

// SetupCode returns the code with which the first user is made; "" once there
// is one.
func (u *Users) SetupCode() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh()
	return u.code
}

// SetUp makes the first user, an administrator. The code works once. Errors are
// ErrSet, ErrCode, ErrName, ErrPassword, ErrBusy or one of the disk.
func (u *Users) SetUp(ctx context.Context, code, name, password string) error {
	if name == "" {
		name = FirstName
	}
	u.mu.Lock()
	u.fresh()
	set, fits := len(u.file.Users) > 0, sameCode(code, u.code)
	u.mu.Unlock()
	switch {
	case set:
		return ErrSet
	case !fits:
		return ErrCode
	case sameCode(password, code):
		return fmt.Errorf("%w: it is the set-up code, which the console has shown; take another", ErrPassword)
	}
	if err := CheckName(name); err != nil {
		return err
	}
	phc, err := u.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return u.change(func(f *file) error {
		if len(f.Users) > 0 { // of two requests with the code only one may win
			return ErrSet
		}
		f.Users = []User{{Name: name, Role: Administrator, Hash: phc, Created: u.now().UTC()}}
		return nil
	}, func() error { u.code = ""; return atomicfile.Remove(u.path(codeFile)) })
}

// newHash checks a new password and hashes it.
func (u *Users) newHash(ctx context.Context, name, password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	if strings.Contains(strings.ToLower(password), name) && len(name) > 3 {
		return "", fmt.Errorf("%w: it contains the user's name", ErrPassword)
	}
	if err := u.enter(ctx); err != nil {
		return "", err
	}
	defer u.leave()
	return hash(password), nil
}

// change replaces the users by an altered copy, on the disk first.
func (u *Users) change(alter func(*file) error, then ...func() error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	unlock, err := u.lock()
	if err != nil {
		return err
	}
	defer unlock()
	u.fresh()
	f := u.file.clone()
	if err := alter(f); err != nil {
		return err
	}
	if err := f.write(u.dir); err != nil {
		return err
	}
	u.file, u.stamp = f, stampOf(u.path(usersFile))
	for _, t := range then {
		if err := t(); err != nil {
			return err
		}
	}
	return nil
}

// List returns the users by name, without what is secret.
func (u *Users) List() []User {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh()
	all := u.file.clone().Users
	for i := range all {
		all[i].Hash = ""
		if all[i].Factor != "" {
			all[i].Factor = "set"
		}
		all[i].Recovery = make([]string, len(all[i].Recovery))
	}
	slices.SortFunc(all, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Get returns the user of a name who may act, without what is secret.
func (u *Users) Get(name string) (User, bool) {
	for _, v := range u.List() {
		if v.Name == name {
			return v, !v.Disabled
		}
	}
	return User{}, false
}

func (u *Users) enter(ctx context.Context) error {
	select {
	case u.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (u *Users) leave() { <-u.gate }
