package console

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"wirepatch/board/command"
	"wirepatch/mgmt/auth"
)

// enter lets somebody in: who has signed in elsewhere, anybody while there is no
// user, or who knows a user's password.
func (m *Menu) enter(ctx context.Context) error {
	if m.box.User != "" {
		u, ok := m.box.Users.Get(m.box.User)
		if !ok {
			return errOut
		}
		m.user = u
		return nil
	}
	if !m.box.Users.IsSet() {
		m.printf("\nNo password is set: choose 11 to set the box up, here, or use the page.\n")
		return nil
	}
	for {
		m.printf("\n")
		m.wrapped("%s", m.statusLine(ctx))
		m.printf("Name (Enter shows the status, reset a lost password's way back): ")
		name, err := m.read(ctx)
		switch {
		case err != nil:
			return err
		case name == "":
			err = m.status(ctx)
		case name == "5" && m.box.Shell:
			return m.shell(ctx)
		case name == "reset" && m.box.Local:
			err = m.recover(ctx)
		default:
			err = m.signIn(ctx, name)
		}
		switch {
		case ends(err):
			return err
		case err != nil:
			m.wrapped("%v", err)
		case m.user.Name != "":
			return nil
		}
	}
}

// line is where guesses on a console come from, for throttling.
var line netip.Addr

func (m *Menu) signIn(ctx context.Context, name string) error {
	password, err := m.secret(ctx, "Password (not shown)")
	if err != nil {
		return err
	}
	code, known := "", ""
	u, ok := m.box.Users.Get(name)
	if ok {
		known = name
	}
	if u.Factor != "" && ok {
		if code, err = m.secret(ctx, "Code of the second factor"); err != nil {
			return err
		}
	}
	if wait := m.box.Throttle.Attempt(line, known); wait > 0 {
		return fmt.Errorf("too many attempts; wait %s, then try again", wait.Round(time.Second))
	}
	u, err = m.box.Users.SignIn(ctx, name, password, code)
	if err != nil {
		if known == "" {
			name = "unknown user" // it may be a password in the wrong field
		}
		m.audit("sign-in", name, "", err)
		return err
	}
	m.box.Throttle.Success(line, u.Name)
	m.user = u
	m.audit("sign-in", "", "", nil)
	if u.Change {
		m.printf("The password was set by another: choose 17 and set your own.\n")
	}
	return nil
}

// leave ends a session.
func (m *Menu) leave(why error) {
	m.audit("sign-out", "", why.Error(), nil)
	m.printf("Signed out: %v.\n", why)
	m.user = auth.User{}
}

// still says whether who uses the menu may go on: the first user may have been
// made on the page meanwhile, or this one been disabled.
func (m *Menu) still() error {
	if m.user.Name == "" {
		if m.box.Users.IsSet() {
			m.printf("A password has been set meanwhile: sign in.\n")
			return errOut
		}
		return nil
	}
	now, ok := m.box.Users.Get(m.user.Name)
	if !ok || !now.Reset.Equal(m.user.Reset) {
		return errOut
	}
	m.user = now
	return nil
}

// recover sets a password for who stands before the box.
func (m *Menu) recover(ctx context.Context) error {
	m.wrapped("Press the box's power button within %d seconds. It does not switch off this time: it shows that you stand before it.", int(command.PresenceTime.Seconds()))
	if err := m.box.Command.Presence(ctx, m.box.Place); err != nil {
		m.audit("password.recover", "", "", err)
		return err
	}
	name, err := m.ask(ctx, "Administrator", m.firstAdministrator(), auth.CheckName)
	if err != nil {
		return err
	}
	err = m.newPassword(ctx, func(password string) error { return m.box.Users.Recover(ctx, name, password) })
	if errors.Is(err, errStop) || ends(err) {
		return err
	}
	m.audit("password.recover", name, "by the power button; no second factor any more", err)
	if err == nil {
		m.printf("%s is an administrator with this password. Sign in.\n", name)
	}
	return err
}

func (m *Menu) firstAdministrator() string {
	users := m.box.Users.List()
	i := slices.IndexFunc(users, func(u auth.User) bool { return u.Role == auth.Administrator })
	if i < 0 {
		return auth.FirstName
	}
	return users[i].Name
}

// newPassword asks for one twice, until it is taken. Enter stops.
func (m *Menu) newPassword(ctx context.Context, set func(string) error) error {
	for {
		one, err := m.secret(ctx, fmt.Sprintf("Password, %d characters at least (not shown)", auth.MinLength))
		if err != nil {
			return err
		}
		if one == "" {
			return errStop
		}
		if err := auth.CheckPassword(one); err != nil {
			m.wrapped("%v", err)
			continue
		}
		two, err := m.secret(ctx, "The same again")
		if err != nil {
			return err
		}
		if one != two {
			m.printf("The two differ; type the same one twice.\n")
			continue
		}
		if err = set(one); errors.Is(err, auth.ErrPassword) {
			m.wrapped("%v", err)
			continue
		}
		return err
	}
}

func (m *Menu) ownPassword(ctx context.Context) error {
	present, err := m.secret(ctx, "Your present password")
	if err != nil {
		return err
	}
	if wait := m.box.Throttle.Attempt(line, m.user.Name); wait > 0 {
		return fmt.Errorf("too many attempts; wait %s, then try again", wait.Round(time.Second))
	}
	if err := m.box.Users.Confirm(ctx, m.user.Name, present); err != nil {
		m.audit("account.password", m.user.Name, "", err)
		return err
	}
	m.box.Throttle.Success(line, m.user.Name)
	err = m.newPassword(ctx, func(p string) error { return m.box.Users.ChangePassword(ctx, m.user.Name, p) })
	if !errors.Is(err, errStop) {
		m.audit("account.password", m.user.Name, "", err)
	}
	if err == nil {
		m.printf("It is in force.\n")
	}
	return err
}
