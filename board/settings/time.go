package settings

import (
	"net"
	"regexp"

	"gopkg.in/ini.v1"
)

// Time is where the box gets its time from.
type Time struct {
	Servers []string // NTP, name or address, perhaps with a port
}

var serverName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)

func (p *parser) time(sec *ini.Section) {
	p.known(sec, "servers")
	p.s.Time.Servers = sec.Key("servers").Strings(",")
	for _, v := range p.s.Time.Servers {
		host := v
		if h, _, err := net.SplitHostPort(v); err == nil {
			host = h
		}
		if net.ParseIP(host) == nil && !serverName.MatchString(host) {
			p.fault(sec, "servers", "got %q, want names or addresses separated by commas", v)
		}
	}
}
