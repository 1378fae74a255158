package auth

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Key is a public key with which a user opens the menu over SSH.
type Key struct {
	Name  string    `json:"name"` // the comment that it came with
	Line  string    `json:"line"` // kind and key, as in authorized_keys
	Sum   string    `json:"sum"`  // fingerprint, as ssh-keygen -l shows it
	Added time.Time `json:"added"`
}

// Bounds of keys.
const (
	maxKeys    = 10 // of one user
	maxKeyLine = 16 << 10
)

// keyKinds are those that are taken: no DSA, and RSA from 2048 bits on.
var keyKinds = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA}

// leastRSA is the length of an RSA key's wire form with 2048 bits.
const leastRSA = 270

// ParseKey reads a line of an authorized_keys file, without options.
func ParseKey(line string) (Key, error) {
	if len(line) > maxKeyLine {
		return Key{}, fmt.Errorf("%w: it is too long", ErrKey)
	}
	k, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(line)))
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("%w: %v", ErrKey, err)
	case len(options) > 0 || len(strings.TrimSpace(string(rest))) > 0:
		return Key{}, fmt.Errorf("%w: give one key, without options", ErrKey)
	case !slices.Contains(keyKinds, k.Type()):
		return Key{}, fmt.Errorf("%w: keys of the kind %s are not taken", ErrKey, k.Type())
	case k.Type() == ssh.KeyAlgoRSA && len(k.Marshal()) < leastRSA:
		return Key{}, fmt.Errorf("%w: an RSA key needs 2048 bits at least", ErrKey)
	}
	if comment == "" {
		comment = "key"
	}
	return Key{Name: printable(comment), Line: k.Type() + " " + base64.StdEncoding.EncodeToString(k.Marshal()), Sum: ssh.FingerprintSHA256(k)}, nil
}

// printable keeps what is shown from steering a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 60)]
}

// AddKey lets a user in by SSH with a key.
func (u *Users) AddKey(name, line string) (Key, error) {
	k, err := ParseKey(line)
	if err != nil {
		return k, err
	}
	k.Added = u.now().UTC()
	return k, u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			return ErrNone
		}
		for _, o := range f.Users {
			if slices.ContainsFunc(o.Keys, func(o Key) bool { return o.Line == k.Line }) {
				return ErrTaken
			}
		}
		if len(v.Keys) >= maxKeys {
			return ErrMany
		}
		v.Keys = append(v.Keys, k)
		return nil
	})
}

// DropKey takes the key with this fingerprint away from a user.
func (u *Users) DropKey(name, sum string) error {
	return u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			return ErrNone
		}
		n := len(v.Keys)
		v.Keys = slices.DeleteFunc(v.Keys, func(k Key) bool { return k.Sum == sum })
		if len(v.Keys) == n {
			return ErrNone
		}
		return nil
	})
}

// HasKey says whether the user of a name, who may act, has the key.
func (u *Users) HasKey(name string, k ssh.PublicKey) (User, bool) {
	v, ok := u.Get(name)
	line := k.Type() + " " + base64.StdEncoding.EncodeToString(k.Marshal())
	return v, ok && slices.ContainsFunc(v.Keys, func(o Key) bool { return o.Line == line })
}
