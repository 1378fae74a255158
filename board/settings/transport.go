package settings

import (
	"slices"

	"gopkg.in/ini.v1"
)

// Transport is what carries a service.
type Transport string

// The transports.
const (
	TCP Transport = "tcp"
	UDP Transport = "udp"
)

// transports are those of the protocols that do not go over TCP alone.
var transports = map[string][]Transport{"dns": {UDP, TCP}, "dtls": {UDP}, "mssql-resolution": {UDP}, "tftp": {UDP}}

// Transports returns what a protocol goes over.
func Transports(protocol string) []Transport {
	if t := transports[protocol]; t != nil {
		return t
	}
	return []Transport{TCP}
}

// transports reads which of a protocol's transports a service has: all of them
// where nothing is said.
func (p *parser) transports(sec *ini.Section, protocol string) []Transport {
	all := Transports(protocol)
	if sec.Key("transport").String() == "" {
		return all
	}
	if !slices.Contains(Protocols, protocol) {
		all = []Transport{TCP, UDP} // auto, or it is described with the definitions, which say
	}
	var out []Transport
	for _, text := range sec.Key("transport").Strings(",") {
		t := Transport(text)
		if !slices.Contains(all, t) || slices.Contains(out, t) {
			p.fault(sec, "transport", "got %q; %s goes over %q, name each once", text, protocol, all)
			continue
		}
		out = append(out, t)
	}
	return out
}
