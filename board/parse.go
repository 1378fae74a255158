package board

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/ini.v1"

	"wirepatch/board/settings"
)

// What may stand in a board file ends up in file names, kernel calls and on
// consoles, so only plain words do.
var (
	word       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	option     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.=,:-]{0,127}$`)
	pciAddress = regexp.MustCompile(`^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)
	speeds     = []int{0, 9600, 19200, 38400, 57600, 115200}
)

// Parse reads and checks the text of a board file. Its error names every
// fault, not only the first.
func Parse(text []byte) (*Board, error) {
	f, err := ini.LoadSources(ini.LoadOptions{SpaceBeforeInlineComment: true}, text)
	if err != nil {
		return nil, err
	}
	p := parser{b: &Board{Attach: "auto", Lights: map[string]Line{}}}
	for _, s := range f.Sections() {
		p.section(s)
	}
	p.complete()
	return p.b, errors.Join(p.errs...)
}

type parser struct {
	b    *Board
	errs []error
}

func (p *parser) fault(s *ini.Section, key, format string, a ...any) {
	p.errs = append(p.errs, fmt.Errorf("[%s] %s: %s", s.Name(), key, fmt.Sprintf(format, a...)))
}

func (p *parser) section(s *ini.Section) {
	kind, rest, _ := strings.Cut(s.Name(), " ")
	switch {
	case s.Name() == ini.DefaultSection:
		p.known(s)
	case s.Name() == "board":
		p.known(s, "name", "title")
		p.b.Name, p.b.Title = p.word(s, "name"), s.Key("title").String()
	case s.Name() == "wire a":
		p.b.WireA = p.port(s)
	case s.Name() == "wire b":
		p.b.WireB = p.port(s)
	case s.Name() == "wire":
		p.known(s, "attach")
		p.b.Attach = p.way(s)
	case s.Name() == "management":
		p.b.Management = p.port(s)
	case s.Name() == "modules":
		p.known(s, "load", "optional")
		p.b.Modules, p.b.Optional = p.words(s, "load"), p.words(s, "optional")
	case s.Name() == "kernel":
		p.known(s, "options")
		p.b.KernelOptions = p.options(s)
	case s.Name() == "offloads":
		p.known(s, "off")
		p.b.OffloadsOff = p.words(s, "off")
	case s.Name() == "watchdog":
		p.b.Watchdog = p.watchdog(s)
	case s.Name() == "bypass":
		p.b.Bypass = p.line(s, "joins")
	case kind == "light" && slices.Contains(lights, rest):
		p.b.Lights[rest] = p.line(s, "shines")
	case kind == "console" && word.MatchString(rest):
		p.console(s, rest)
	default:
		p.errs = append(p.errs, fmt.Errorf("[%s]: unknown section; known are board, wire, wire a, wire b, management, modules, kernel, console DEVICE, offloads, watchdog, bypass, light %s", s.Name(), strings.Join(lights, ", light ")))
	}
}

func (p *parser) known(s *ini.Section, keys ...string) {
	for _, k := range s.KeyStrings() {
		if !slices.Contains(keys, k) {
			p.fault(s, k, "unknown key; known are %s", strings.Join(keys, ", "))
		}
	}
}

func (p *parser) word(s *ini.Section, key string) string {
	v := s.Key(key).String()
	if v != "" && !word.MatchString(v) {
		p.fault(s, key, "got %q, want a word of letters, digits, _ . and -", v)
	}
	return v
}

func (p *parser) way(s *ini.Section) string {
	v := s.Key("attach").MustString("auto")
	if !slices.Contains(settings.Ways, v) {
		p.fault(s, "attach", "got %q, want one of %s", v, strings.Join(settings.Ways, ", "))
	}
	return v
}

func (p *parser) words(s *ini.Section, key string) []string {
	all := s.Key(key).Strings(",")
	for _, v := range all {
		if !word.MatchString(v) {
			p.fault(s, key, "got %q, want words separated by commas", v)
		}
	}
	return all
}

func (p *parser) options(s *ini.Section) []string {
	all := strings.Fields(s.Key("options").String())
	for _, v := range all {
		if !option.MatchString(v) {
			p.fault(s, "options", "got %q, want words separated by spaces, as no_timer_check or acpi=force", v)
		}
	}
	return all
}

func (p *parser) port(s *ini.Section) Port {
	p.known(s, "driver", "pci", "mac", "order")
	v := Port{Role: s.Name(), Driver: p.word(s, "driver"), Path: s.Key("pci").String()}
	if v.Path != "" && !pciAddress.MatchString(v.Path) {
		p.fault(s, "pci", "got %q, want a PCI address, as 0000:00:04.0", v.Path)
	}
	var err error
	if t := s.Key("mac").String(); t != "" {
		if v.MAC, err = net.ParseMAC(t); err != nil {
			p.fault(s, "mac", "got %q, want an address, as 02:00:00:00:00:01", t)
		}
	}
	if t := s.Key("order").String(); t != "" {
		if v.Order, err = s.Key("order").Int(); err != nil || v.Order < 1 || v.Order > 64 {
			p.fault(s, "order", "got %q, want a number from 1 to 64", t)
		}
	}
	if v.Path == "" && len(v.MAC) == 0 && v.Order == 0 {
		p.fault(s, "pci", "nothing says which port this is; give pci, mac or order")
	}
	return v
}

// The watchdog's time when the board does not say, and its bounds: feeding it
// must have missed several times, and drivers take no more than minutes.
const (
	watchdogTime  = time.Minute
	watchdogLeast = 10 * time.Second
	watchdogMost  = 5 * time.Minute
)

func (p *parser) watchdog(s *ini.Section) Watchdog {
	p.known(s, "driver", "device", "timeout")
	w := Watchdog{Driver: p.word(s, "driver"), Device: p.word(s, "device"), Timeout: watchdogTime}
	if t := s.Key("timeout").String(); t != "" {
		var err error
		if w.Timeout, err = time.ParseDuration(t); err != nil || w.Timeout < watchdogLeast || w.Timeout > watchdogMost {
			p.fault(s, "timeout", "got %q, want a time from %v to %v, as 60s", t, watchdogLeast, watchdogMost)
		}
	}
	return w
}

// lights are what a board's lights may show.
var lights = []string{"forwarding", "fault"}

// mostLines is more than a chip has.
const mostLines = 512

// line reads an output line; at names the key that says at which level it is on.
func (p *parser) line(s *ini.Section, at string) Line {
	p.known(s, "chip", "line", at)
	l := Line{Chip: p.word(s, "chip")}
	if l.Chip == "" {
		p.fault(s, "chip", "is missing; give the label of the chip, as /sys/class/gpio/gpiochip*/label has it")
	}
	var err error
	if l.Offset, err = s.Key("line").Int(); err != nil || l.Offset < 0 || l.Offset >= mostLines {
		p.fault(s, "line", "got %q, want the line's number in the chip, from 0 to %d", s.Key("line").String(), mostLines-1)
	}
	switch level := s.Key(at).String(); level {
	case "high", "low":
		l.High = level == "high"
	default:
		p.fault(s, at, "got %q, want high or low", level)
	}
	return l
}

func (p *parser) console(s *ini.Section, device string) {
	p.known(s, "speed")
	c := Console{Device: device}
	if t := s.Key("speed").String(); t != "" {
		var err error
		if c.Speed, err = s.Key("speed").Int(); err != nil || !slices.Contains(speeds, c.Speed) {
			p.fault(s, "speed", "got %q, want one of %v", t, speeds[1:])
		}
	}
	if slices.ContainsFunc(p.b.Consoles, func(o Console) bool { return o.Device == device }) {
		p.fault(s, "speed", "this console is listed twice")
	}
	p.b.Consoles = append(p.b.Consoles, c)
}

// complete reports what a board cannot do without.
func (p *parser) complete() {
	missing := func(have bool, what string) {
		if !have {
			p.errs = append(p.errs, fmt.Errorf("[%s]: section is missing", what))
		}
	}
	missing(p.b.Name != "", "board")
	missing(p.b.WireA.Role != "", "wire a")
	missing(p.b.WireB.Role != "", "wire b")
	missing(p.b.Management.Role != "", "management")
	missing(len(p.b.Consoles) > 0, "console DEVICE")
}
