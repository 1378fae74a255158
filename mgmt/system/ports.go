package system

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/safchain/ethtool"
)

// PortNames are the appliance's ports, as init names them.
var PortNames = []string{"wire-a", "wire-b", "mgmt"}

// Port is what driver and kernel tell of a network port.
type Port struct {
	Name      string    `json:"name"`
	Driver    string    `json:"driver"`
	Version   string    `json:"driver_version"`
	Firmware  string    `json:"firmware"` // of the card
	Bus       string    `json:"bus"`
	MAC       string    `json:"mac"`
	Link      bool      `json:"link"`
	SpeedMbit int       `json:"speed_mbit"` // 0: unknown
	Duplex    string    `json:"duplex"`     // "full", "half"; "": unknown
	MTU       int       `json:"mtu"`
	Offloads  []string  `json:"offloads"` // that are on
	Counters  []Counter `json:"counters"` // the kernel's, then the driver's own; those that are not zero
}

// Counter is one counter of a port.
type Counter struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

// Ports reads the ports of these names; one that there is not is left out.
func Ports(names ...string) ([]Port, error) {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return nil, err
	}
	defer e.Close()
	all := []Port{}
	for _, n := range names {
		i, err := net.InterfaceByName(n)
		if err != nil {
			continue
		}
		all = append(all, readPort(e, i))
	}
	return all, nil
}

// readPort asks a driver. What it does not tell stays empty: not every driver
// answers every question.
func readPort(e *ethtool.Ethtool, i *net.Interface) Port {
	p := Port{Name: i.Name, MAC: i.HardwareAddr.String(), MTU: i.MTU, Offloads: []string{}, Counters: kernelCounters("/sys/class/net", i.Name)}
	if d, err := e.DriverInfo(i.Name); err == nil {
		p.Driver, p.Version, p.Firmware, p.Bus = text(d.Driver), text(d.Version), text(d.FwVersion), text(d.BusInfo)
	}
	if up, err := e.LinkState(i.Name); err == nil {
		p.Link = up != 0
	}
	p.SpeedMbit, p.Duplex = linkOf("/sys/class/net", i.Name)
	if f, err := e.FeaturesWithState(i.Name); err == nil {
		for n, st := range f {
			if st.Active {
				p.Offloads = append(p.Offloads, n)
			}
		}
		slices.Sort(p.Offloads)
	}
	if s, err := e.Stats(i.Name); err == nil {
		for _, n := range slices.Sorted(maps.Keys(s)) {
			if s[n] > 0 {
				p.Counters = append(p.Counters, Counter{text(n), s[n]})
			}
		}
	}
	return p
}

// linkOf is how fast the link is, as sysfs says; without one it says nothing.
func linkOf(sys, port string) (mbit int, duplex string) {
	if n, err := strconv.Atoi(word(filepath.Join(sys, port, "speed"))); err == nil && n > 0 {
		mbit = n
	}
	if d := word(filepath.Join(sys, port, "duplex")); d == "full" || d == "half" {
		duplex = d
	}
	return mbit, duplex
}

// kernelCounters are those that every port has.
func kernelCounters(sys, port string) []Counter {
	all := []Counter{}
	dir := filepath.Join(sys, port, "statistics")
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
			all = append(all, Counter{e.Name(), n})
		}
	}
	return all
}

// text is what a driver said, without what does not print.
func text(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s))
}
