package console

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/mgmt/auth"
)

// plan is what the set-up has asked for.
type plan struct {
	hostname, servers, repository, fail string
	port                                wanted
	clock                               time.Time // zero: it is right
	services                            []string  // that say their own policy
}

// edit writes the plan into the settings.
func (p *plan) edit(e *settings.Editor) error {
	errs := []error{p.port.set(e)}
	for _, v := range [][3]string{{"appliance", "hostname", p.hostname}, {"time", "servers", p.servers},
		{"firmware", "repository", p.repository}, {"wire", "fail", p.fail}} {
		errs = append(errs, e.Set(v[0], v[1], v[2]))
	}
	for _, name := range p.services {
		errs = append(errs, e.Set("service "+name, "fail", p.fail))
	}
	return errors.Join(errs...)
}

// setUp asks for what a new box must know, shows it, and puts it in force. It
// makes the first user, too.
func (m *Menu) setUp(ctx context.Context) error {
	text, s, err := m.current(ctx)
	if err != nil {
		return err
	}
	m.wrapped("Set-up. Enter takes what stands in [brackets], - takes it away, a dot stops. Nothing changes before the end.")
	p, err := m.askPlan(ctx, text, s)
	if err != nil {
		return err
	}
	name := ""
	if !m.box.Users.IsSet() {
		if name, err = m.ask(ctx, "Name of the first administrator", auth.FirstName, auth.CheckName); err != nil {
			return err
		}
	}
	m.summary(p)
	if err := m.sure(ctx, "", "yes"); err != nil {
		return err
	}
	if name != "" {
		if err := m.firstUser(ctx, name); err != nil {
			return err
		}
	}
	if err := m.putInForce(ctx, p); err != nil {
		return err
	}
	m.awaitPage(ctx)
	return nil
}

// askPlan asks one question after the other.
func (m *Menu) askPlan(ctx context.Context, text string, s *settings.Settings) (*plan, error) {
	p := &plan{fail: s.Wire.Fail, hostname: s.Hostname, servers: strings.Join(s.Time.Servers, ", "), repository: s.Firmware.Repository}
	value := func(section, key string) func(string) error {
		return func(v string) error {
			return tried(text, func(e *settings.Editor) error { return e.Set(section, key, v) })
		}
	}
	var err error
	if p.hostname, err = m.ask(ctx, "Host name", p.hostname, settings.CheckHost); err != nil {
		return nil, err
	}
	if p.port, err = m.askManagement(ctx, text, s); err != nil {
		return nil, err
	}
	if err := m.askClock(ctx, p); err != nil {
		return nil, err
	}
	if p.servers, err = m.ask(ctx, "Time servers (NTP), separated by commas", p.servers, value("time", "servers")); err != nil {
		return nil, err
	}
	if p.repository, err = m.ask(ctx, "Update repository, as https://...", p.repository, value("firmware", "repository")); err != nil {
		return nil, err
	}
	now := 0
	if p.fail == "closed" {
		now = 1
	}
	n, err := m.pick(ctx, "If the inspection ever dies, protected services", now, "pass uninspected", "stop")
	p.fail = []string{"open", "closed"}[n]
	for _, v := range s.Services {
		if v.Fail != p.fail {
			p.services = append(p.services, v.Name)
		}
	}
	return p, err
}

// askClock shows the box's time, which only people can judge.
func (m *Menu) askClock(ctx context.Context, p *plan) error {
	_, err := m.ask(ctx, "The clock says "+m.box.Now().UTC().Format(time.DateTime)+" UTC. Enter if that is right,\n  else the time as "+time.DateTime, "", func(v string) (err error) {
		p.clock = time.Time{}
		if v != "" {
			if p.clock, err = time.ParseInLocation(time.DateTime, v, time.UTC); err != nil {
				return fmt.Errorf("got %q, want the time in UTC as %s", v, time.DateTime)
			}
		}
		return nil
	})
	return err
}

func (m *Menu) summary(p *plan) {
	m.printf("\n")
	m.line("host name    %s", p.hostname)
	m.wrapped("management   %s", p.port)
	if !p.clock.IsZero() {
		m.line("clock        %s UTC", p.clock.Format(time.DateTime))
	}
	m.wrapped("time servers %s", or(p.servers, "none"))
	m.wrapped("updates      %s", or(p.repository, "as files only"))
	m.line("if it dies   %s", map[string]string{"open": "services pass uninspected (open)", "closed": "services stop (closed)"}[p.fail])
}

// firstUser makes the first administrator.
func (m *Menu) firstUser(ctx context.Context, name string) error {
	err := m.newPassword(ctx, func(password string) error {
		return m.box.Users.SetUp(ctx, m.box.Users.SetupCode(), name, password)
	})
	if errors.Is(err, errStop) || ends(err) {
		return err
	}
	m.audit("set-up", name, "first user made on the console", err)
	if err != nil {
		return err
	}
	m.user, _ = m.box.Users.Get(name)
	return nil
}

// putInForce applies the plan. Who is at the console is not cut off, so it need
// not be confirmed.
func (m *Menu) putInForce(ctx context.Context, p *plan) error {
	if !p.clock.IsZero() {
		err := m.box.Command.SetClock(ctx, p.clock, m.who())
		m.audit("clock.set", p.clock.Format(time.DateTime), "", err)
		if err != nil {
			return err
		}
	}
	if err := m.change(ctx, "set-up", p.edit); err != nil {
		return err
	}
	if err := m.box.Keeper.Confirm(ctx); err != nil && !errors.Is(err, keeper.ErrNone) {
		return err
	}
	return nil
}

// pageTime is how long the management port gets for its address: a switch may
// keep a port that has just come up silent for half a minute, and DHCP asks again
// in ever longer intervals (RFC 2131, 4.1).
const pageTime = 90 * time.Second

// awaitPage says where the page is.
func (m *Menu) awaitPage(ctx context.Context) {
	if m.box.State().Management.Address == "" {
		m.printf("Waiting for the management port's address, %v at most...\n", pageTime)
	}
	for end := m.box.Now().Add(pageTime); m.box.State().Management.Address == "" && m.box.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(200 * time.Millisecond)
	}
	g := m.box.State().Management
	if url(g) == "" {
		m.wrapped("The management port has no address yet. Is its cable in, and is there a DHCP server? 12 gives it one by hand.")
		return
	}
	m.line("The page is at %s; its certificate:", url(g))
	m.fingerprint()
	m.printf("Name the servers to protect there: Settings, Add service.\n")
}

func addresses(all []netip.Addr) string {
	var s []string
	for _, a := range all {
		s = append(s, a.String())
	}
	return strings.Join(s, ", ")
}
