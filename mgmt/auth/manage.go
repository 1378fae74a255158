package auth

import (
	"context"
	"slices"

	"wirepatch/board/atomicfile"
)

// Add makes a user, whose password another has thought of: to be changed at the
// first sign-in.
func (u *Users) Add(ctx context.Context, name string, role Role, password string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	phc, err := u.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return u.change(func(f *file) error {
		if f.user(name) != nil {
			return ErrTaken
		}
		if len(f.Users) >= maxUsers {
			return ErrMany
		}
		f.Users = append(f.Users, User{Name: name, Role: role, Hash: phc, Created: u.now().UTC(), Change: true})
		return nil
	})
}

// SetRole gives a user another role.
func (u *Users) SetRole(name string, role Role) error {
	return u.alter(name, func(v *User) { v.Role = role })
}

// Disable keeps a user from signing in, or lets them again.
func (u *Users) Disable(name string, disabled bool) error {
	return u.alter(name, func(v *User) { v.Disabled = disabled })
}

// DropFactor takes a user's second factor away, whose device is lost.
func (u *Users) DropFactor(name string) error {
	return u.alter(name, func(v *User) { v.Factor, v.Recovery, v.LastStep = "", nil, 0 })
}

// Remove forgets a user.
func (u *Users) Remove(name string) error {
	return u.change(func(f *file) error {
		if f.user(name) == nil {
			return ErrNone
		}
		f.Users = slices.DeleteFunc(f.Users, func(v User) bool { return v.Name == name })
		return f.governed()
	})
}

// Reset gives a user a password that another has thought of. The second factor
// stays.
func (u *Users) Reset(ctx context.Context, name, password string) error {
	phc, err := u.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return u.alter(name, func(v *User) { v.Hash, v.Change, v.Reset = phc, true, u.now().UTC() })
}

// Recover gives a user, or makes, an administrator with this password, for who
// stands before the box and has lost the old one: no second factor asked for, not
// disabled.
func (u *Users) Recover(ctx context.Context, name, password string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	phc, err := u.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			if len(f.Users) >= maxUsers {
				return ErrMany
			}
			f.Users = append(f.Users, User{Name: name, Created: u.now().UTC()})
			v = &f.Users[len(f.Users)-1]
		}
		v.Role, v.Hash, v.Change, v.Disabled, v.Reset = Administrator, phc, false, false, u.now().UTC()
		v.Factor, v.Recovery, v.LastStep = "", nil, 0
		return nil
	}, func() error { u.code = ""; return atomicfile.Remove(u.path(codeFile)) })
}

// ChangePassword gives a user a password of their own.
func (u *Users) ChangePassword(ctx context.Context, name, password string) error {
	phc, err := u.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return u.alter(name, func(v *User) { v.Hash, v.Change = phc, false })
}

// SetFactor gives a user a second factor, proven by its present code, and
// returns recovery codes, which are not kept.
func (u *Users) SetFactor(name, secret, code string) ([]string, error) {
	codes := newRecovery()
	return codes, u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			return ErrNone
		}
		step, ok := matchCode(secret, code, u.now(), 0)
		if !ok {
			return ErrFactor
		}
		v.Factor, v.LastStep, v.Recovery = secret, step, nil
		for _, c := range codes {
			v.Recovery = append(v.Recovery, sum(normalRecovery(c)))
		}
		return nil
	})
}

func (u *Users) alter(name string, change func(*User)) error {
	return u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			return ErrNone
		}
		change(v)
		return f.governed()
	})
}

// governed keeps the last administrator from being locked out.
func (f *file) governed() error {
	if !slices.ContainsFunc(f.Users, func(v User) bool { return v.Role == Administrator && !v.Disabled }) {
		return ErrLast
	}
	return nil
}
