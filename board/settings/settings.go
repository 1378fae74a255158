// Package settings reads appliance.ini, the one file in which an owner says
// how the box is to behave. init, the dataplane and mgmt each read it; who
// changes it writes a whole new file in its place.
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/ini.v1"
)

// Where appliance.ini is looked for, in this order: the owner's on the data
// partition, then the one that came with the image.
const DefaultPath = "/etc/wirepatch/appliance.ini"

// OwnerPath is the owner's, in this firmware's format.
var OwnerPath = PlaceOf(DataFolder, Format).Owner

// Settings is appliance.ini.
type Settings struct {
	Hostname   string
	Management Management
	Wire       Wire
	Firmware   Firmware
	Time       Time
	Services   []Service
	// Modes holds the definitions that are given a mode: id to "off", "shadow" or "correct".
	Modes map[string]string
	// ServiceModes holds those that are given one for single services: by id, by service.
	ServiceModes map[string]map[string]string
	// Parameters holds the values that definitions are given: by id, by service
	// ("": all), by name.
	Parameters map[string]map[string]map[string]string
}

// Management is how the management port gets its address.
type Management struct {
	Mode    string // "dhcp", "static"
	Address netip.Prefix
	Gateway netip.Addr // may be invalid: none
	DNS     []netip.Addr
	SSH     bool // the console's menu is served to SSH clients, too
}

// Wire is how the pair of wire ports behaves.
type Wire struct {
	// LinkPropagation takes one port down while the other has no link, so that
	// the neighbours on both sides notice.
	LinkPropagation bool
	// Attach is how the dataplane's program is to sit on the ports: "tcx", "xdp",
	// or "auto" as the board says or suits their drivers.
	Attach string
	MTU    int // of the ports; 0: as they come
	// Fail is what services do that do not say it themselves: "open", "closed".
	Fail string
	// Bypass has the wire forward everything uninspected, services or not.
	Bypass bool
	// KernelInspection lets the kernel follow sessions and judge simple messages
	// by itself, so that the engine sees only what may be of interest.
	KernelInspection bool
	// Discovery looks at samples of what servers say first, to tell which there are.
	Discovery bool
}

// DefaultWire is in force where the file says nothing.
var DefaultWire = Wire{LinkPropagation: true, Attach: "auto", Fail: "open", KernelInspection: true, Discovery: true}

// Service is one protected service: sessions to Address and Port.
type Service struct {
	Name     string
	Address  netip.Prefix // 0.0.0.0/0 or ::/0: any
	Port     uint16
	Protocol string // decoder, "http"
	Over     []Transport
	Fail     string   // "open", "closed": what the kernel does with its frames when the engine is gone
	Products []string // what it runs, where definitions are to know
	Exceed   string   // "pass", "reset": what becomes of a session at a limit, or that cannot be decoded
}

// Protocols are what the firmware decodes. A service's protocol may also be
// "auto", or the name of one that comes with the definitions; whether there is
// such a one the dataplane knows.
var Protocols = []string{"dns", "dtls", "ftp", "http", "mqtt", "mssql-resolution", "smtp", "tftp", "tls", "websocket"}

// Load reads the owner's file, or the default one when there is none.
func Load() (*Settings, error) {
	s, err := Read(OwnerPath)
	if errors.Is(err, fs.ErrNotExist) {
		return Read(DefaultPath)
	}
	return s, err
}

// Read reads one file.
func Read(path string) (*Settings, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Parse reads and checks the text of an appliance.ini. Its error names every
// fault, not only the first.
func Parse(text []byte) (*Settings, error) {
	f, err := ini.LoadSources(ini.LoadOptions{SpaceBeforeInlineComment: true}, text)
	if err != nil {
		return nil, err
	}
	p := parser{s: &Settings{Wire: DefaultWire, Firmware: DefaultFirmware, Modes: map[string]string{}, ServiceModes: map[string]map[string]string{}}}
	for _, sec := range f.Sections() {
		p.section(sec)
	}
	p.servicesOfModes()
	p.failOfServices()
	if p.s.Hostname == "" {
		p.s.Hostname = "wirepatch"
	}
	if p.s.Management.Mode == "" {
		p.s.Management.Mode = "dhcp"
	}
	return p.s, errors.Join(p.errs...)
}

type parser struct {
	s    *Settings
	errs []error
}

func (p *parser) fault(sec *ini.Section, key, format string, a ...any) {
	p.errs = append(p.errs, fmt.Errorf("[%s] %s: %s", sec.Name(), key, fmt.Sprintf(format, a...)))
}

func (p *parser) section(sec *ini.Section) {
	kind, rest, _ := strings.Cut(sec.Name(), " ")
	name := strings.Trim(strings.TrimSpace(rest), `"`)
	switch {
	case sec.Name() == ini.DefaultSection:
		p.known(sec)
	case kind == "appliance":
		p.known(sec, "hostname")
		p.s.Hostname = sec.Key("hostname").String()
	case kind == "management":
		p.management(sec)
	case sec.Name() == "wire":
		p.wire(sec)
	case sec.Name() == "time":
		p.time(sec)
	case sec.Name() == "firmware":
		p.firmware(sec)
	case kind == "service" && name != "":
		p.service(sec, name)
	case kind == "patch" && name != "":
		p.patch(sec, name)
	default:
		p.errs = append(p.errs, fmt.Errorf("[%s]: unknown section; known are appliance, management, wire, firmware, time, service NAME, patch ID", sec.Name()))
	}
}

// modes are the values of mode and mode.SERVICE.
var modes = []string{"off", "shadow", "correct"}

// patch reads the modes of one definition: for all services, and for single ones.
func (p *parser) patch(sec *ini.Section, id string) {
	for _, k := range sec.KeyStrings() {
		service, ok := strings.CutPrefix(k, "mode.")
		if name, set := strings.CutPrefix(k, "set."); set && name != "" {
			p.parameter(sec, id, k, name)
			continue
		}
		switch {
		case k == "mode":
			p.s.Modes[id] = p.oneOf(sec, k, "correct", modes...)
		case ok && service != "":
			if p.s.ServiceModes[id] == nil {
				p.s.ServiceModes[id] = map[string]string{}
			}
			p.s.ServiceModes[id][service] = p.oneOf(sec, k, "correct", modes...)
		default:
			p.fault(sec, k, "unknown key; known are mode, mode.SERVICE, set.PARAMETER, set.PARAMETER.SERVICE")
		}
	}
}

// parameter reads a value for one of a definition's parameters: in all services,
// or in a single one.
func (p *parser) parameter(sec *ini.Section, id, key, name string) {
	name, service, _ := strings.Cut(name, ".")
	if p.s.Parameters == nil {
		p.s.Parameters = map[string]map[string]map[string]string{}
	}
	if p.s.Parameters[id] == nil {
		p.s.Parameters[id] = map[string]map[string]string{}
	}
	if p.s.Parameters[id][service] == nil {
		p.s.Parameters[id][service] = map[string]string{}
	}
	p.s.Parameters[id][service][name] = sec.Key(key).String()
}

// servicesOfModes reports modes and parameters for services that there are not.
func (p *parser) servicesOfModes() {
	known := func(name string) bool {
		return slices.ContainsFunc(p.s.Services, func(s Service) bool { return s.Name == name })
	}
	for id, byService := range p.s.ServiceModes {
		for name := range byService {
			if !known(name) {
				p.errs = append(p.errs, fmt.Errorf("[patch %s] mode.%s: there is no service %q", id, name, name))
			}
		}
	}
	for id, byService := range p.s.Parameters {
		for name := range byService {
			if name != "" && !known(name) {
				p.errs = append(p.errs, fmt.Errorf("[patch %s] set.….%s: there is no service %q", id, name, name))
			}
		}
	}
}

// failOfServices gives services that do not say it the policy of all.
func (p *parser) failOfServices() {
	for i := range p.s.Services {
		if p.s.Services[i].Fail == "" {
			p.s.Services[i].Fail = p.s.Wire.Fail
		}
	}
}

// known reports keys that no one will read: most likely a typing error.
func (p *parser) known(sec *ini.Section, keys ...string) {
	for _, k := range sec.KeyStrings() {
		if !slices.Contains(keys, k) {
			p.fault(sec, k, "unknown key; known are %s", strings.Join(keys, ", "))
		}
	}
}

func (p *parser) oneOf(sec *ini.Section, key, def string, values ...string) string {
	v := sec.Key(key).String()
	if v == "" {
		return def
	}
	if !slices.Contains(values, v) {
		p.fault(sec, key, "got %q, want one of %s", v, strings.Join(values, ", "))
	}
	return v
}

// Ways are the values of [wire] attach.
var Ways = []string{"auto", "tcx", "xdp"}

// The least is what IPv6 asks for; the most is what common cards can do.
const leastMTU, mostMTU = 1280, 9600

func (p *parser) wire(sec *ini.Section) {
	p.known(sec, "link_propagation", "attach", "mtu", "kernel_inspection", "discovery", "fail", "bypass")
	w := &p.s.Wire
	w.LinkPropagation = p.oneOf(sec, "link_propagation", "yes", "yes", "no") == "yes"
	w.KernelInspection = p.oneOf(sec, "kernel_inspection", "yes", "yes", "no") == "yes"
	w.Discovery = p.oneOf(sec, "discovery", "yes", "yes", "no") == "yes"
	w.Attach = p.oneOf(sec, "attach", "auto", Ways...)
	w.Fail = p.oneOf(sec, "fail", "open", "open", "closed")
	w.Bypass = p.oneOf(sec, "bypass", "no", "yes", "no") == "yes"
	if v := sec.Key("mtu").String(); v != "" {
		n, err := sec.Key("mtu").Int()
		if err != nil || n < leastMTU || n > mostMTU {
			p.fault(sec, "mtu", "got %q, want a number from %d to %d", v, leastMTU, mostMTU)
		}
		w.MTU = n
	}
}

func (p *parser) management(sec *ini.Section) {
	p.known(sec, "mode", "address", "gateway", "dns", "ssh")
	m := &p.s.Management
	m.Mode = p.oneOf(sec, "mode", "dhcp", "dhcp", "static")
	m.SSH = p.oneOf(sec, "ssh", "no", "yes", "no") == "yes"
	if m.Mode != "static" {
		return
	}
	var err error
	if m.Address, err = netip.ParsePrefix(sec.Key("address").String()); err != nil {
		p.fault(sec, "address", "got %q, want an address with prefix length, as 192.0.2.10/24", sec.Key("address").String())
	}
	if v := sec.Key("gateway").String(); v != "" {
		if m.Gateway, err = netip.ParseAddr(v); err != nil {
			p.fault(sec, "gateway", "got %q, want an address", v)
		}
	}
	for _, v := range sec.Key("dns").Strings(",") {
		a, err := netip.ParseAddr(v)
		if err != nil {
			p.fault(sec, "dns", "got %q, want addresses separated by commas", v)
		}
		m.DNS = append(m.DNS, a)
	}
}

var reProtocol = regexp.MustCompile(`^[a-z][a-z0-9-]{1,31}$`)

func (p *parser) protocol(sec *ini.Section) string {
	v := sec.Key("protocol").MustString("http")
	if !reProtocol.MatchString(v) {
		p.fault(sec, "protocol", "got %q, want auto, one of %s, or one that the definitions describe", v, strings.Join(Protocols, ", "))
	}
	return v
}

func (p *parser) service(sec *ini.Section, name string) {
	p.known(sec, "address", "port", "protocol", "transport", "fail", "exceed", "product")
	v := Service{
		Name:     name,
		Protocol: p.protocol(sec),
		Fail:     p.oneOf(sec, "fail", "", "open", "closed"),
		Exceed:   p.oneOf(sec, "exceed", "reset", "pass", "reset"),
	}
	v.Over = p.transports(sec, v.Protocol)
	for _, product := range sec.Key("product").Strings(",") {
		if product != "" {
			v.Products = append(v.Products, product)
		}
	}
	text := sec.Key("address").String()
	var err error
	if v.Address, err = netip.ParsePrefix(text); err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(text); err != nil {
			p.fault(sec, "address", "got %q, want an address or a prefix, as 192.0.2.7 or 192.0.2.0/24", text)
		} else {
			v.Address = netip.PrefixFrom(a, a.BitLen())
		}
	}
	v.Address = v.Address.Masked()
	port, err := sec.Key("port").Uint()
	if err != nil || port == 0 || port > 65535 {
		p.fault(sec, "port", "got %q, want a number from 1 to 65535", sec.Key("port").String())
	}
	v.Port = uint16(port)
	for _, o := range p.s.Services {
		same := func(t Transport) bool { return slices.Contains(v.Over, t) }
		if o.Address == v.Address && o.Port == v.Port && slices.ContainsFunc(o.Over, same) {
			p.fault(sec, "port", "%s port %d is already service %q", v.Address, v.Port, o.Name)
		}
	}
	p.s.Services = append(p.s.Services, v)
}
