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
	if s, err := m.box.Wire(ctx); err != nil {
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

func (m *Menu) status(ctx context.Context) {
	box := m.box.State()
	m.line("firmware     %s, board %s, host name %s", box.Version, box.Board, box.Hostname)
	m.line("running for  %v", time.Since(box.Booted).Round(time.Second))
	m.line("settings     %s", box.Data)
	for _, p := range box.Processes {
		m.line("process      %s", process(p))
	}
	m.wire(ctx)
	mgmt := box.Management
	if mgmt.Interface == "" {
		m.line("management   no port found")
		return
	}
	if mgmt.Address == "" {
		m.line("management   %s, no address yet (%s)", mgmt.MAC, mgmt.Mode)
		return
	}
	m.line("management   %s by %s, gateway %s", mgmt.Address, mgmt.Mode, or(mgmt.Gateway, "none"))
	m.line("page         %s", url(mgmt))
	m.fingerprint()
}

func (m *Menu) wire(ctx context.Context) {
	s, err := m.box.Wire(ctx)
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

func (m *Menu) ports(ctx context.Context) {
	s, err := m.box.Wire(ctx)
	if err != nil {
		m.line("dataplane does not answer: %v", err)
		return
	}
	for _, p := range s.Ports {
		m.line("%s: link %s, %s, %s, %s", p.Name, link(p), speed(p), p.Driver, p.MAC)
		m.line("  in: %d packets, %d bytes; dropped %d", p.RxPackets, p.RxBytes, p.Dropped)
		m.line("  of these: forwarded in the kernel %d, to the engine %d", p.Forwarded, p.HandedUp)
		m.line("  out, by the engine: %d packets, %d bytes", p.TxPackets, p.TxBytes)
	}
	g := m.box.State().Management
	m.line("management: %s, %s, link %s, %s", or(g.Interface, "not found"), g.MAC, map[bool]string{true: "up", false: "down"}[g.Up], or(g.Address, "no address"))
}

func (m *Menu) events(ctx context.Context) {
	all, err := m.box.Events(ctx, shown)
	if err != nil {
		m.line("dataplane does not answer: %v", err)
		return
	}
	if len(all) == 0 {
		m.line("No events yet.")
	}
	for _, e := range all {
		m.wrapped("%s %-10s %s", e.Time.UTC().Format("01-02 15:04:05"), e.Kind, e.Text)
	}
}

func (m *Menu) log(context.Context) {
	for _, l := range m.box.Log(shown) {
		m.wrapped("%s", l)
	}
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
