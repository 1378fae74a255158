package console

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wirepatch/mgmt/auth"
)

// people shows the users and changes one.
func (m *Menu) people(ctx context.Context) error {
	for _, u := range m.box.Users.List() {
		text := fmt.Sprintf("%-20s %s", u.Name, u.Role)
		if u.Disabled {
			text += ", disabled"
		}
		if u.Factor != "" {
			text += ", second factor"
		}
		m.line("%s, %d SSH keys", text, len(u.Keys))
	}
	if m.user.Name == "" {
		m.printf("The first one is made by the set-up: 11.\n")
		return nil
	}
	n, err := m.pick(ctx, "What", 0, "nothing", "new password", "drop second factor", "disable", "enable", "new user", "new SSH key", "drop SSH keys")
	if err != nil || n == 0 {
		return err
	}
	name, err := m.ask(ctx, "Name", "", auth.CheckName)
	if err != nil {
		return err
	}
	what, err := m.changeUser(ctx, n, name)
	if err == nil && slices.Contains([]string{"user.password", "user.enable", "user.add", "user.key.add"}, what) {
		err = m.box.Users.Gave(name, m.user.Name)
	}
	if errors.Is(err, errStop) || ends(err) {
		return err
	}
	m.audit(what, name, "", err)
	if err == nil {
		m.printf("Done.\n")
	}
	return err
}

func (m *Menu) changeUser(ctx context.Context, n int, name string) (what string, err error) {
	u := m.box.Users
	switch n {
	case 1:
		return "user.password", m.newPassword(ctx, func(p string) error { return u.Reset(ctx, name, p) })
	case 2:
		return "user.factor.drop", u.DropFactor(name)
	case 3:
		return "user.disable", u.Disable(name, true)
	case 4:
		return "user.enable", u.Disable(name, false)
	case 5:
		return "user.add", m.addUser(ctx, name)
	case 6:
		m.printf("The key, one line, as in id_ed25519.pub (up to 4000 characters):\n")
		line, err := m.read(ctx)
		if err != nil {
			return "", err
		}
		k, err := u.AddKey(name, line)
		if err == nil {
			m.line("%s %s", k.Sum, k.Name)
		}
		return "user.key.add", err
	}
	v, _ := u.Get(name)
	err = auth.ErrNone
	for _, k := range v.Keys {
		err = u.DropKey(name, k.Sum)
	}
	return "user.key.drop", err
}

func (m *Menu) addUser(ctx context.Context, name string) error {
	names := auth.RoleNames()
	n, err := m.pick(ctx, "Role", 0, names...)
	if err != nil {
		return err
	}
	var role auth.Role
	if err := role.UnmarshalText([]byte(names[n])); err != nil {
		return err
	}
	return m.newPassword(ctx, func(p string) error { return m.box.Users.Add(ctx, name, role, p) })
}
