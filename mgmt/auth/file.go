package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"wirepatch/board/atomicfile"
)

// Names of the files in the data folder.
const (
	usersFile    = "users.json"
	codeFile     = "setup-code"
	passwordFile = "password" // of earlier versions, with one user
)

// Bounds of the file.
const (
	maxUsers  = 200
	maxTokens = 200
)

// User is one who may sign in.
type User struct {
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Hash     string    `json:"hash"` // PHC string of the password
	Created  time.Time `json:"created"`
	Disabled bool      `json:"disabled,omitempty"`
	Change   bool      `json:"change,omitempty"`    // the password was set by another: to be changed at first sign-in
	Factor   string    `json:"factor,omitempty"`    // secret of the second factor; "" none
	LastStep int64     `json:"last_step,omitempty"` // of the second factor, used
	Recovery []string  `json:"recovery,omitempty"`  // SHA-256 of codes not used yet
	Reset    time.Time `json:"reset,omitzero"`      // when another set the password: sessions begun before are over
	Keys     []Key     `json:"keys,omitempty"`      // for SSH
	GivenBy  string    `json:"given_by,omitempty"`  // who last gave the account, role, password or a key, when it was another
	Given    time.Time `json:"given,omitzero"`
	Through  []Hand    `json:"through,omitempty"` // who did before, and whose hands GivenBy was in
}

// Token is what a program signs in with.
type Token struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Sum     string    `json:"sum"` // SHA-256, hexadecimal
	By      string    `json:"by"`  // user who made it
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Hands   []Hand    `json:"hands,omitempty"` // of who made it, then
}

// file is users.json.
type file struct {
	Users  []User  `json:"users"`
	Tokens []Token `json:"tokens"`
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// CheckName says what is wrong with a name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%w: 1 to 32 of a-z, 0-9, dot, dash, underscore, beginning with a letter or digit", ErrName)
	}
	return nil
}

func (f *file) user(name string) *User {
	i := slices.IndexFunc(f.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Users[i]
}

// check keeps damage, and hands that have edited the file, from opening doors.
func (f *file) check() error {
	seen := map[string]bool{}
	for _, u := range f.Users {
		if err := CheckName(u.Name); err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		if seen[u.Name] {
			return fmt.Errorf("user %q is there twice", u.Name)
		}
		seen[u.Name] = true
		if _, err := parseHash(u.Hash); err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		if !slices.Contains(RoleNames(), u.Role.String()) {
			return fmt.Errorf("user %q has no role", u.Name)
		}
	}
	if len(f.Users) == 0 {
		return errors.New("it names no user")
	}
	return nil
}

func readFile(dir string) (*file, error) {
	f := new(file)
	path := filepath.Join(dir, usersFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return readOld(dir)
	}
	if err == nil {
		err = json.Unmarshal(text, f)
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		// Not treated as "no user": damage must not open the set-up page.
		return nil, fmt.Errorf("%s: %w; remove the file from the data partition to set up users anew", path, err)
	}
	return f, nil
}

// readOld takes over the one password of earlier versions.
func readOld(dir string) (*file, error) {
	path := filepath.Join(dir, passwordFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return new(file), nil
	}
	if err != nil {
		return nil, err
	}
	f := &file{Users: []User{{Name: FirstName, Role: Administrator, Hash: strings.TrimSpace(string(text))}}}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %w; remove the file from the data partition to set a new password", path, err)
	}
	if err := f.write(dir); err != nil {
		return nil, err
	}
	return f, atomicfile.Remove(path)
}

func (f *file) write(dir string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, usersFile), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep users: %w", err)
	}
	return nil
}

func (f *file) clone() *file {
	c := &file{slices.Clone(f.Users), slices.Clone(f.Tokens)}
	for i := range c.Users {
		c.Users[i].Recovery = slices.Clone(c.Users[i].Recovery)
		c.Users[i].Keys = slices.Clone(c.Users[i].Keys)
	}
	return c
}
