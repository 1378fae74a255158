package change

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wirepatch/board/settings"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/audit"
)

// intent is the record ahead of what has an effect outside of the database.
func intent(m *Manager, who Who, action string, c *Change, outcome string) audit.Entry {
	return audit.Entry{Time: m.Now().UTC(), Who: who.Name, Role: who.Role, From: who.From, Action: action, Object: fmt.Sprintf("change %d", c.ID), Detail: "plan " + c.Plan, Outcome: outcome}
}

// verifyTime is how long the wire may take to say that it has the change.
const verifyTime = 10 * time.Second

// verify asks the running dataplane whether it has what the text says, and
// returns what differs.
func (m *Manager) verify(ctx context.Context, text string) string {
	want, err := settings.Parse([]byte(text))
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	got, err := m.Wire(ctx)
	if err != nil {
		return fmt.Sprintf("the dataplane does not answer (%v); it takes the settings up when it does", err)
	}
	return strings.Join(Differences(want, &got), "; ")
}

// Differences says where a wire is not as the settings want it.
func Differences(want *settings.Settings, got *control.Status) (all []string) {
	say := func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) }
	services := map[string]control.Service{}
	for _, s := range got.Services {
		services[s.Name] = s
	}
	if want.Wire.Bypass != got.Bypass {
		say("bypass is %v", got.Bypass)
	}
	if want.Wire.Bypass {
		want = &settings.Settings{}
	}
	for _, w := range want.Services {
		g, ok := services[w.Name]
		switch {
		case !ok:
			say("service %s is not protected", w.Name)
		case g.Port != int(w.Port) || g.Protocol != w.Protocol:
			say("service %s is port %d, %s", w.Name, g.Port, g.Protocol)
		case !slices.Equal(g.Products, w.Products):
			say("service %s is taken to run %q", w.Name, strings.Join(g.Products, ", "))
		}
		delete(services, w.Name)
	}
	for name := range services {
		say("service %s is still protected", name)
	}
	for _, d := range got.Definitions {
		if mode, ok := want.Modes[d.ID]; ok && d.Mode != mode {
			say("%s is %s", d.ID, d.Mode)
		}
		for service, mode := range want.ServiceModes[d.ID] {
			if ModeIn(d, service) != mode {
				say("%s is %s in %s", d.ID, ModeIn(d, service), service)
			}
		}
		if d.Error != "" && (want.Modes[d.ID] != "" || len(want.ServiceModes[d.ID]) > 0 || len(want.Parameters[d.ID]) > 0) {
			say("%s is set aside: %s", d.ID, d.Error)
			continue
		}
		all = append(all, parameterDifferences(d, want.Parameters[d.ID])...)
	}
	return all
}

// parameterDifferences says which values of a definition are not as given. A list
// is written in many ways, with or without blanks.
func parameterDifferences(d control.Definition, given map[string]map[string]string) (all []string) {
	for _, service := range slices.Sorted(maps.Keys(given)) {
		for _, name := range slices.Sorted(maps.Keys(given[service])) {
			i := slices.IndexFunc(d.Parameters, func(p control.Parameter) bool { return p.Name == name })
			switch {
			case i < 0:
				all = append(all, fmt.Sprintf("%s has no parameter %s", d.ID, name))
			case !d.Parameters[i].Same(given[service][name], d.Parameters[i].In(service)):
				all = append(all, fmt.Sprintf("%s: %s is %q", d.ID, name, d.Parameters[i].In(service)))
			}
		}
	}
	return all
}

// ModeIn is a definition's mode in one service.
func ModeIn(d control.Definition, service string) string {
	if mode, ok := d.Services[service]; ok {
		return mode
	}
	return d.Mode
}
