package console

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/system"
)

// columns is the width that every console has.
const columns = 79

// shown is how many events and lines of log are shown.
const shown = 15

// fit makes text one line that fits and that steers no terminal: names and
// messages can carry what came from the wire.
func fit(text string) string {
	out := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text))
	if len(out) > columns {
		out = append(out[:columns-3], []rune("...")...)
	}
	return string(out)
}

func (m *Menu) line(format string, a ...any) { m.printf("%s\n", fit(fmt.Sprintf(format, a...))) }

// wrapped prints what may be longer than a line, for log and events: what is
// said at the end matters most there.
func (m *Menu) wrapped(format string, a ...any) {
	for _, l := range wrap(fmt.Sprintf(format, a...)) {
		m.line("%s", l)
	}
}

// wrap cuts text into lines that fit, the further ones indented, between words
// where it can.
func wrap(text string) []string {
	const indent = "    "
	var out []string
	rest := []rune(text)
	for len(rest) > columns {
		cut := columns
		for i := columns; i > columns/2; i-- {
			if rest[i] == ' ' {
				cut = i
				break
			}
		}
		out = append(out, string(rest[:cut]))
		rest = append([]rune(indent), []rune(strings.TrimLeft(string(rest[cut:]), " "))...)
	}
	return append(out, string(rest))
}

// statusLine is the box in one line.
func (m *Menu) statusLine(ctx context.Context) string {
	box := m.box.State()
	parts := []string{"wirepatch " + box.Version}
	if s, err := m.wireStatus(ctx); err != nil {
		parts = append(parts, "dataplane does not answer")
	} else {
		var links []string
		for _, p := range s.Ports {
			links = append(links, link(p))
		}
		parts = append(parts, "wire "+strings.Join(links, "/"))
		parts = append(parts, fmt.Sprintf("%d sessions", s.Sessions.Open), fmt.Sprintf("%d corrections", s.Corrections))
	}
	if u := url(box.Management); u != "" {
		parts = append(parts, u)
	}
	return strings.Join(parts, " | ")
}

// patience is how long the menu waits for a view.
const patience = 2 * time.Second

func (m *Menu) wireStatus(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.box.Wire.Status(ctx)
}

func (m *Menu) status(ctx context.Context) error {
	box := m.box.State()
	m.line("firmware     %s, board %s, host name %s", box.Version, box.Board, box.Hostname)
	m.line("running for  %v", time.Since(box.Booted).Round(time.Second))
	m.line("settings     %s", box.Data)
	m.line("secrets      %s", or(box.Secrets, "not looked at yet"))
	for _, p := range box.Processes {
		m.line("process      %s", process(p))
	}
	m.wire(ctx)
	mgmt := box.Management
	if mgmt.Interface == "" {
		m.line("management   no port found")
		return nil
	}
	if mgmt.Address == "" {
		m.line("management   %s, no address yet (%s)", mgmt.MAC, mgmt.Mode)
		return nil
	}
	m.line("management   %s by %s, gateway %s", mgmt.Address, mgmt.Mode, or(mgmt.Gateway, "none"))
	m.line("page         %s", url(mgmt))
	m.fingerprint()
	return nil
}

func (m *Menu) wire(ctx context.Context) {
	s, err := m.wireStatus(ctx)
	if err != nil {
		m.line("wire         dataplane does not answer: %v", err)
		return
	}
	for _, p := range s.Ports {
		m.line("port         %s: link %s, %s, attached: %s", p.Name, link(p), speed(p), or(p.Attach, "no"))
		if p.AttachWhy != "" {
			m.line("             %s", p.AttachWhy)
		}
	}
	m.line("sessions     %d open, %d in all, %d edited, %d passed, %d reset", s.Sessions.Open, s.Sessions.Total, s.Sessions.Edited,
		s.Sessions.Passed, s.Sessions.Reset)
	aside := 0
	for _, d := range s.Definitions {
		if d.Error != "" {
			aside++
		}
	}
	m.line("definitions  %d loaded, %d set aside", len(s.Definitions)-aside, aside)
	m.line("corrections  %d", s.Corrections)
}

// fingerprint prints it as browsers do, in two lines.
func (m *Menu) fingerprint() {
	f := m.box.Fingerprint()
	if f == "" {
		m.line("certificate  not made yet")
		return
	}
	var pairs []string
	for i := 0; i+1 < len(f); i += 2 {
		pairs = append(pairs, strings.ToUpper(f[i:i+2]))
	}
	half := len(pairs) / 2
	m.line("certificate  SHA-256  %s", strings.Join(pairs[:half], ":"))
	m.line("                      %s", strings.Join(pairs[half:], ":"))
}

// ports tells what dataplane, kernel and drivers say of each port.
func (m *Menu) ports(ctx context.Context) error {
	counted := map[string]control.Port{}
	s, err := m.wireStatus(ctx)
	if err != nil {
		m.line("dataplane does not answer: %v", err)
	}
	for _, p := range s.Ports {
		counted[p.Name] = p
	}
	all, err := system.Ports(system.PortNames...)
	if err != nil {
		return err
	}
	for _, p := range all {
		m.port(p)
		if c, ok := counted[p.Name]; ok {
			m.line("  in: %d packets, %d bytes; dropped %d", c.RxPackets, c.RxBytes, c.Dropped)
			m.line("  of these: forwarded in the kernel %d, to the engine %d", c.Forwarded, c.HandedUp)
			m.line("  out, by the engine: %d packets, %d bytes", c.TxPackets, c.TxBytes)
		}
	}
	g := m.box.State().Management
	m.line("management: %s, %s", or(g.Interface, "not found"), or(g.Address, "no address"))
	return nil
}

func (m *Menu) port(p system.Port) {
	rate := "speed unknown"
	if p.SpeedMbit > 0 {
		rate = fmt.Sprintf("%d Mbit/s %s", p.SpeedMbit, p.Duplex)
	}
	m.line("%s: link %s, %s, %s, MTU %d", p.Name, map[bool]string{true: "up", false: "down"}[p.Link], strings.TrimSpace(rate), p.MAC, p.MTU)
	m.line("  driver %s %s, firmware %s, at %s", or(p.Driver, "unknown"), p.Version, or(p.Firmware, "-"), or(p.Bus, "-"))
	m.wrapped("  offloads: %s", or(strings.Join(p.Offloads, " "), "none"))
	for _, c := range p.Counters {
		if n := c.Name; strings.Contains(n, "err") || strings.Contains(n, "drop") || strings.Contains(n, "crc") {
			m.line("  %s: %d", n, c.Value)
		}
	}
}

func (m *Menu) events(ctx context.Context) error {
	s, err := m.wireStatus(ctx)
	if err != nil {
		return fmt.Errorf("dataplane does not answer: %w", err)
	}
	if s.LastEvent == 0 {
		m.line("No events yet.")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := m.box.Wire.Events(ctx, s.LastEvent-min(s.LastEvent, shown), 0)
	for _, e := range all {
		m.wrapped("%s %-10s %s", e.Time.UTC().Format("01-02 15:04:05"), e.Kind, e.Text)
	}
	return err
}

func (m *Menu) log(ctx context.Context) error {
	lines, err := m.box.Command.Log(ctx, shown)
	for _, l := range lines {
		m.wrapped("%s", l)
	}
	return err
}

func process(p state.Process) string {
	text := fmt.Sprintf("%s %s, restarts %d", p.Name, p.State, p.Restarts)
	if p.LastExit != "" {
		text += fmt.Sprintf(", last at %s: %s", p.ExitedAt.UTC().Format("15:04:05"), p.LastExit)
	}
	return text
}

func url(g state.Management) string {
	p, err := netip.ParsePrefix(g.Address)
	switch {
	case err != nil:
		return ""
	case p.Addr().Is6():
		return "https://[" + p.Addr().String() + "]"
	}
	return "https://" + p.Addr().String()
}

func link(p control.Port) string {
	if p.Up {
		return "up"
	}
	return "down"
}

func speed(p control.Port) string {
	if p.SpeedMbit <= 0 {
		return "speed unknown"
	}
	return fmt.Sprintf("%d Mbit/s", p.SpeedMbit)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
