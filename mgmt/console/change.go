package console

import (
	"context"
	"errors"
	"fmt"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
)

// mayAlone says whether whoever uses the menu may change the box without others. On
// the console they may: it is the way back when nothing else works. SSH is not, it
// comes from afar as the page does.
func (m *Menu) mayAlone() error {
	if m.box.Local || m.box.Approvals == nil {
		return nil
	}
	n, err := m.box.Approvals()
	if err == nil && n > 0 {
		err = errors.New("others must approve this, which is done on the page; only on the box's own console it goes without them")
	}
	return err
}

// change edits the settings and puts them in force. It is kept in the audit log
// and in the history of the settings.
func (m *Menu) change(ctx context.Context, reason string, edit func(*settings.Editor) error) error {
	if err := m.mayAlone(); err != nil {
		m.audit("settings.change", reason, "", err)
		return err
	}
	now, err := m.box.Keeper.Current(ctx)
	if err != nil {
		return err
	}
	if !now.Confirm.IsZero() {
		// A further change would let it stay, and who is here may not see what it cut off.
		return errors.New("a change of the management port waits to be confirmed: choose 12 to keep it, or wait until it is taken back")
	}
	e := settings.Edit(now.Text)
	if err := edit(e); err != nil {
		return err
	}
	if e.String() == now.Text {
		m.printf("That is as it was.\n")
		return nil
	}
	m.printf("One moment...\n")
	_, err = m.box.Keeper.Write(ctx, keeper.Change{Text: e.String(), Base: now.Sum, Who: m.who(), Reason: reason})
	m.audit("settings.change", reason, "", err)
	if err == nil {
		m.printf("It is in force.\n")
	}
	return err
}

// current are the settings in force.
func (m *Menu) current(ctx context.Context) (string, *settings.Settings, error) {
	now, err := m.box.Keeper.Current(ctx)
	if err != nil {
		return "", nil, err
	}
	s, err := settings.Parse([]byte(now.Text))
	if err != nil {
		return "", nil, fmt.Errorf("the settings in force are faulty: %w", err)
	}
	return now.Text, s, nil
}

// waits says that a change is taken back unless confirmed.
func (m *Menu) waits(ctx context.Context) string {
	now, err := m.box.Keeper.Current(ctx)
	if err != nil || now.Confirm.IsZero() {
		return ""
	}
	return fmt.Sprintf("The management port has changed. It is as before again at %s UTC unless you confirm: choose 12.", now.Confirm.UTC().Format("15:04:05"))
}

// bypass has the wire forward everything uninspected, or inspect again.
func (m *Menu) bypass(ctx context.Context) error {
	_, s, err := m.current(ctx)
	if err != nil {
		return err
	}
	if s.Wire.Bypass {
		if err := m.sure(ctx, "The wire is bypassed: everything passes uninspected.\nInspect again?", "yes"); err != nil {
			return err
		}
		return m.change(ctx, "bypass off", func(e *settings.Editor) error { return e.Set("wire", "bypass", "") })
	}
	if err := m.sure(ctx, "The wire inspects. Bypassed, everything passes uninspected, and unpatched servers are open, until you come here again.", "yes"); err != nil {
		return err
	}
	return m.change(ctx, "bypass on", func(e *settings.Editor) error { return e.Set("wire", "bypass", "yes") })
}

// ssh switches SSH on or off.
func (m *Menu) ssh(ctx context.Context) error {
	_, s, err := m.current(ctx)
	if err != nil {
		return err
	}
	if s.Management.SSH {
		m.line("SSH is on: port 22 of the management port, with keys only (15).")
		m.line("host key     %s", or(m.box.HostKey(), "not made yet"))
	} else {
		m.line("SSH is off.")
	}
	n, err := m.pick(ctx, "What", 0, "nothing", map[bool]string{true: "switch it off", false: "switch it on"}[s.Management.SSH])
	if err != nil || n == 0 {
		return err
	}
	if s.Management.SSH {
		return m.change(ctx, "SSH off", func(e *settings.Editor) error { return e.Set("management", "ssh", "") })
	}
	return m.change(ctx, "SSH on", func(e *settings.Editor) error { return e.Set("management", "ssh", "yes") })
}

// management shows and changes the management port's address.
func (m *Menu) management(ctx context.Context) error {
	text, s, err := m.current(ctx)
	if err != nil {
		return err
	}
	g := m.box.State().Management
	m.line("management   %s, %s by %s, gateway %s", g.MAC, or(g.Address, "no address"), g.Mode, or(g.Gateway, "none"))
	if w := m.waits(ctx); w != "" {
		m.wrapped("%s", w)
		n, err := m.pick(ctx, "The change", 0, "keep it", "nothing")
		if err != nil || n == 1 {
			return err
		}
		err = m.box.Keeper.Confirm(ctx)
		m.audit("settings.confirm", "management port", "", err)
		if err == nil {
			m.printf("It stays.\n")
		}
		return err
	}
	w, err := m.askManagement(ctx, text, s)
	if err != nil {
		return err
	}
	if err := m.change(ctx, "management port "+w.String(), w.set); err != nil {
		return err
	}
	if w := m.waits(ctx); w != "" {
		m.wrapped("%s", w)
	}
	return nil
}

// wanted is an address of the management port as it is to be.
type wanted struct{ mode, address, gateway, dns string }

func (w wanted) String() string {
	if w.mode != "static" {
		return "by DHCP"
	}
	return fmt.Sprintf("%s, gateway %s, name servers %s", w.address, or(w.gateway, "none"), or(w.dns, "none"))
}

func (w wanted) set(e *settings.Editor) error {
	var errs []error
	for _, kv := range [][2]string{{"mode", w.mode}, {"address", w.address}, {"gateway", w.gateway}, {"dns", w.dns}} {
		errs = append(errs, e.Set("management", kv[0], kv[1]))
	}
	return errors.Join(errs...)
}

// askManagement asks how the management port is to get its address. Each answer
// is tried in the settings at once, so that its fault is told at once.
func (m *Menu) askManagement(ctx context.Context, text string, s *settings.Settings) (w wanted, err error) {
	now := 0
	if s.Management.Mode == "static" {
		now = 1
		w.address, w.dns = s.Management.Address.String(), addresses(s.Management.DNS)
		if s.Management.Gateway.IsValid() {
			w.gateway = s.Management.Gateway.String()
		}
	}
	n, err := m.pick(ctx, "Address of the management port", now, "by DHCP", "by hand")
	if err != nil || n == 0 {
		return wanted{mode: "dhcp"}, err
	}
	w.mode = "static"
	try := func(field *string) func(string) error {
		return func(v string) error {
			*field = v
			return tried(text, w.set)
		}
	}
	gateway, dns := w.gateway, w.dns
	w.gateway, w.dns = "", "" // each is tried alone
	if w.address, err = m.ask(ctx, "  Address with prefix length, as 192.0.2.10/24", w.address, try(&w.address)); err != nil {
		return w, err
	}
	if w.gateway, err = m.ask(ctx, "  Gateway (- for none)", gateway, try(&w.gateway)); err != nil {
		return w, err
	}
	w.dns, err = m.ask(ctx, "  Name servers, separated by commas (- for none)", dns, try(&w.dns))
	return w, err
}

// tried says what is wrong with the settings once they are so edited.
func tried(text string, edit func(*settings.Editor) error) error {
	e := settings.Edit(text)
	if err := edit(e); err != nil {
		return err
	}
	_, err := settings.Parse([]byte(e.String()))
	return err
}
