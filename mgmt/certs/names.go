package certs

import (
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"

	"wirepatch/board/state"
)

// hostName keeps out what cannot stand in a certificate, as the kernel's "(none)".
var hostName = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?$`)

// Own collects what this box is called and can be reached by, from init's
// state (nil: not known) and from its interfaces.
func Own(box *state.Box) Names {
	n := Names{Host: []string{"localhost"}}
	if h, err := os.Hostname(); err == nil {
		n.addHost(h)
	}
	if box != nil {
		n.addHost(box.Hostname)
		if p, err := netip.ParsePrefix(box.Management.Address); err == nil {
			n.addAddress(p.Addr())
		}
	}
	addrs, _ := net.InterfaceAddrs() // without them the certificate only names less
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			n.addAddress(p.Addr())
		}
	}
	return n
}

// addHost puts the name in front: the last one added is the best known.
func (n *Names) addHost(h string) {
	if hostName.MatchString(h) && !slices.Contains(n.Host, h) {
		n.Host = slices.Insert(n.Host, 0, h)
	}
}

func (n *Names) addAddress(a netip.Addr) {
	a = a.Unmap().WithZone("")
	if !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !slices.Contains(n.Addresses, a) {
		n.Addresses = append(n.Addresses, a)
	}
}

// IsHost says whether a certificate can name such a host.
func IsHost(name string) bool { return hostName.MatchString(name) }
