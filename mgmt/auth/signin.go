package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// SignIn says whether password, and the second factor's code where there is
// one, are the user's. Its errors: ErrRefused whatever does not fit (an unknown
// user takes the same time), ErrFactor when the password is right and the code
// is not, ErrBusy, or one of the disk.
func (u *Users) SignIn(ctx context.Context, name, password, code string) (User, error) {
	u.mu.Lock()
	u.fresh()
	v := u.file.user(name) // of a file that is never changed
	p, known := u.decoy, false
	if v != nil && !v.Disabled {
		if parsed, err := parseHash(v.Hash); err == nil {
			p, known = parsed, true
		}
	}
	u.mu.Unlock()
	if len(password) > MaxLength {
		return User{}, ErrRefused
	}
	if err := u.enter(ctx); err != nil {
		return User{}, err
	}
	fits := p.matches(password)
	u.leave()
	if !known || !fits {
		return User{}, ErrRefused
	}
	if v.Factor != "" {
		if err := u.useCode(name, code); err != nil {
			return User{}, err
		}
	}
	got, ok := u.Get(name)
	if !ok || !got.Reset.Equal(v.Reset) { // another has set the password meanwhile
		return User{}, ErrRefused
	}
	return got, nil
}

// clockFloor is before any build of this program: a clock that says less is not set.
var clockFloor = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// useCode takes a code of the second factor or a recovery code, each once.
func (u *Users) useCode(name, code string) error {
	if code == "" {
		return ErrFactor
	}
	return u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			return ErrRefused
		}
		sum := sum(normalRecovery(code))
		if i := slices.Index(v.Recovery, sum); i >= 0 {
			v.Recovery = slices.Delete(v.Recovery, i, i+1)
			return nil
		}
		if u.now().Before(clockFloor) {
			return ErrClock
		}
		if u.wrong[name].many(u.now()) {
			return errCodes
		}
		step, ok := matchCode(v.Factor, code, u.now(), v.LastStep)
		if !ok {
			u.wrong[name] = u.wrong[name].more(u.now())
			return ErrFactor
		}
		delete(u.wrong, name)
		v.LastStep = step
		return nil
	})
}

// Wrong codes are counted by user, wherever they come from: six digits are few for
// who knows the password and has many addresses. Recovery codes, of 120 bits, are
// taken at any time, so the owner is not kept out.
const (
	wrongCodes = 10
	wrongTime  = time.Hour
)

// wrong counts a user's wrong codes since a time.
type wrong struct {
	n     int
	since time.Time
}

func (w wrong) many(now time.Time) bool { return w.n >= wrongCodes && now.Sub(w.since) < wrongTime }

func (w wrong) more(now time.Time) wrong {
	if w.n == 0 || now.Sub(w.since) >= wrongTime {
		w = wrong{since: now}
	}
	w.n++
	return w
}

var errCodes = fmt.Errorf("%w; there were too many wrong ones: wait an hour, or use a recovery code", ErrFactor)

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// TokenPrefix makes a token found by those who search for leaked secrets.
const TokenPrefix = "wirepatch_"

// CheckToken returns the token that the text is, while it is valid.
func (u *Users) CheckToken(text string) (Token, bool) {
	want := sum(text)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh()
	// Hashes are compared: the time says nothing about the token.
	i := slices.IndexFunc(u.file.Tokens, func(t Token) bool { return t.Sum == want })
	if i < 0 || !u.now().Before(u.file.Tokens[i].Expires) {
		return Token{}, false
	}
	return u.file.Tokens[i], true
}

// NewToken makes a token and returns its text, which is not kept.
func (u *Users) NewToken(name string, role Role, by string, valid time.Duration) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	if valid <= 0 || valid > MaxTokenLife {
		return "", ErrLife
	}
	text := TokenPrefix + NewID()
	return text, u.change(func(f *file) error {
		f.Tokens = slices.DeleteFunc(f.Tokens, func(t Token) bool { return !u.now().Before(t.Expires) })
		if slices.ContainsFunc(f.Tokens, func(t Token) bool { return t.Name == name }) {
			return ErrTaken
		}
		if len(f.Tokens) >= maxTokens {
			return ErrMany
		}
		now := u.now().UTC()
		t := Token{Name: name, Role: role, Sum: sum(text), By: by, Created: now, Expires: now.Add(valid)}
		if maker := f.user(by); maker != nil {
			t.Hands = maker.Hands()
		}
		f.Tokens = append(f.Tokens, t)
		return nil
	})
}

// MaxTokenLife is how long a token is valid at most.
const MaxTokenLife = 400 * 24 * time.Hour

// Tokens lists the tokens, without what is secret.
func (u *Users) Tokens() []Token {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := slices.Clone(u.file.Tokens)
	for i := range all {
		all[i].Sum, all[i].Hands = "", nil
	}
	return all
}

// DropToken makes a token invalid.
func (u *Users) DropToken(name string) error {
	return u.change(func(f *file) error {
		n := len(f.Tokens)
		f.Tokens = slices.DeleteFunc(f.Tokens, func(t Token) bool { return t.Name == name })
		if len(f.Tokens) == n {
			return ErrNone
		}
		return nil
	})
}

// Confirm says whether password is the user's, who is signed in already.
func (u *Users) Confirm(ctx context.Context, name, password string) error {
	u.mu.Lock()
	u.fresh()
	v := u.file.user(name)
	u.mu.Unlock()
	if v == nil || len(password) > MaxLength {
		return ErrRefused
	}
	p, err := parseHash(v.Hash)
	if err != nil {
		return err
	}
	if err := u.enter(ctx); err != nil {
		return err
	}
	defer u.leave()
	if !p.matches(password) {
		return ErrRefused
	}
	return nil
}
