package inventory

import (
	"net/netip"
	"slices"
)

// standIn finds the inline patch for a vulnerability in front of a server, by
// what the running wire says. Where there are several, each is for a way of its own
// to the same flaw, as over TLS and over DTLS: the one that does least counts.
func (m matcher) standIn(e *Exposure, address netip.Addr) {
	applies := false
	for _, d := range m.definitions {
		if !slices.Contains(d.Vulnerabilities, e.CVE) {
			continue
		}
		w := m.wayOf(d, address)
		e.Why = append(e.Why, w.why)
		if e.Definition == "" || w.applies && (!applies || rankMode(w.mode) < rankMode(e.Mode)) {
			e.Definition, e.Proof, e.Service, e.Mode, e.Fail = d.ID, d.Proof, w.service, w.mode, w.fail
		}
		applies = applies || w.applies
	}
	if e.Definition == "" {
		e.Why = append(e.Why, "there is no inline patch for it")
	}
}

// way is what one inline patch does in front of a server.
type way struct {
	service, mode, fail, why string
	applies                  bool // a protected service of the server speaks its protocol
}

func (m matcher) wayOf(d Definition, address netip.Addr) (w way) {
	if m.status == nil {
		w.why = "the dataplane does not answer, so no inline patch counts"
		return w
	}
	here := false
	for _, v := range m.status.Services {
		if !Covers(v.Address, address) {
			continue
		}
		here = true
		if !speaks(v.Protocol, d.Protocol) {
			continue
		}
		w.applies = true
		mode := d.Mode
		if own, ok := d.Services[v.Name]; ok {
			mode = own
		}
		// Of two services that do as much, the one counts that passes more.
		if c := rankMode(mode) - rankMode(w.mode); c > 0 || c == 0 && w.fail == "closed" {
			w.service, w.mode, w.fail = v.Name, mode, v.Fail
		}
	}
	switch {
	case d.Error != "":
		return way{applies: w.applies, why: d.ID + " is set aside: " + d.Error}
	case w.applies:
		w.why = d.ID + " is " + w.mode + " in service " + w.service + " on the running wire; proof: " + orNone(d.Proof)
	case here:
		w.why = "there is " + d.ID + ", but of the protected services with this server's address none speaks " + d.Protocol
	default:
		w.why = "there is " + d.ID + ", but no protected service has this server's address"
	}
	return w
}

// speaks says whether sessions of a service can be of the protocol that a definition
// is about; "" is not known. Those of HTTP can become WebSocket, and begin as HTTP.
func speaks(service, definition string) bool {
	web := []string{"http", "websocket"}
	return service == definition || definition == "" || service == "" || service == "auto" || slices.Contains(web, service) && slices.Contains(web, definition)
}

func rankMode(mode string) int { return slices.Index([]string{"", "off", "shadow", "correct"}, mode) }

// Covers says whether a service's address or prefix has the server's.
func Covers(service string, address netip.Addr) bool {
	if a, err := netip.ParseAddr(service); err == nil {
		return a.Unmap() == address
	}
	p, err := netip.ParsePrefix(service)
	return err == nil && p.Contains(address)
}
