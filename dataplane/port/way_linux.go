package port

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/safchain/ethtool"
)

// way is how the program sits on the ports.
type way int

const (
	tcx way = iota
	xdp
)

// xdpDrivers are those that suit XDP: on Linux 6.12 they run it natively, send
// what is redirected to them, and share an AF_XDP socket's memory without
// copies. On virtio and veth frames come as GSO packets, which XDP would have
// cut up: tcx is faster there.
var xdpDrivers = []string{"i40e", "ice", "igc", "ixgbe", "mlx5_core"}

// sharing are those that share memory when they can. virtio_net can from Linux
// 6.13 on, but what comes in on such a queue and goes to the other port in the
// kernel has no headroom then (xdp_convert_zc_to_xdp_frame), which virtio_net wants
// for a header of its own: it drops all of that. igb can from 6.14 on, and sends it;
// it is not among xdpDrivers, as on Linux 6.12 it runs XDP with copies only.
var sharing = append([]string{"igb"}, xdpDrivers...)

// choose returns the way that is wanted, or suits the drivers, and if that is
// not XDP although one might expect it, why.
func choose(wanted string, drivers [2]string) (way, string) {
	suits := func(driver string) bool { return slices.Contains(xdpDrivers, driver) }
	switch {
	case wanted == "tcx":
		return tcx, ""
	case wanted == "xdp", suits(drivers[A]) && suits(drivers[B]):
		return xdp, ""
	case suits(drivers[A]) || suits(drivers[B]):
		return tcx, fmt.Sprintf("of the drivers %s only one is known to run XDP well", strings.Join(drivers[:], " and "))
	}
	return tcx, ""
}

// driverOf returns the name of an interface's driver, "" if it has none.
func driverOf(name string) string {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return ""
	}
	defer e.Close()
	d, err := e.DriverName(name)
	if err != nil {
		return ""
	}
	return d
}

// merging are the features by which a port would show XDP other frames than
// were on the wire: without their tags, or several merged in one.
var merging = []string{"rx-vlan-hw-parse", "rx-vlan-stag-hw-parse", "rx-lro", "rx-gro-hw"}

// plainFrames has a port show its frames as they were on the wire.
func plainFrames(name string) error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return err
	}
	defer e.Close()
	states, err := e.FeaturesWithState(name)
	if err != nil {
		return fmt.Errorf("ask for features: %w", err)
	}
	for _, f := range merging {
		st := states[f]
		if !st.Active {
			continue
		}
		if !st.Available || st.NeverChanged {
			return fmt.Errorf("feature %s cannot be switched off", f)
		}
		if err := e.Change(name, map[string]bool{f: false}); err != nil {
			return fmt.Errorf("switch feature %s off: %w", f, err)
		}
	}
	return nil
}

// xdpTables are the maps that only the XDP program has.
type xdpTables struct {
	Xsks *ebpf.Map `ebpf:"wp_xsks"`
	Out  *ebpf.Map `ebpf:"wp_out"`
	// Of those with which the program watches what servers say, only one is read.
	Sightings *ebpf.Map `ebpf:"wp_sightings"`
}

func (t *xdpTables) Close() error {
	if t.Xsks == nil {
		return nil
	}
	return _XdpClose(t.Xsks, t.Out, t.Sightings)
}

// assign loads the program of p.way and its maps.
func (p *Port) assign(opts *ebpf.CollectionOptions) error {
	load, into := loadWire, any(&p.objs)
	if p.way == xdp {
		load, into = loadXdp, &struct {
			*wirePrograms
			*wireMaps
			*xdpTables
		}{&p.objs.wirePrograms, &p.objs.wireMaps, &p.xdp}
	}
	spec, err := load()
	if err != nil {
		return err
	}
	if p.sessions > 0 {
		spec.Maps[wireMapWpSessions].MaxEntries = p.sessions
	}
	return spec.LoadAndAssign(into, opts)
}

// setXDP tells the XDP program of the ports and of the engine's sockets.
func (p *Port) setXDP() error {
	if p.way == tcx {
		return nil
	}
	for i := range p.sides {
		if err := p.xdp.Out.Put(uint32(i), uint32(p.sides[i].ifindex)); err != nil {
			return fmt.Errorf("set wire port %s as a target: %w", Side(i), err)
		}
		if err := p.setSockets(Side(i), 0); err != nil {
			return err
		}
	}
	return nil
}

// setSockets tells the XDP program of the engine's sockets on a port's queues,
// from one on.
func (p *Port) setSockets(s Side, from int) error {
	for q, x := range p.sides[s].carrier.(*xsks).queues[from:] {
		if err := p.xdp.Xsks.Put(uint32(int(s)*maxQueues+from+q), uint32(x.fd)); err != nil {
			return fmt.Errorf("set socket of wire port %s, queue %d: %w", s, from+q, err)
		}
	}
	return nil
}

// Attached says how the program sits on the ports, for people.
func (p *Port) Attached() string {
	if p.way == tcx {
		return "tcx"
	}
	for i := range p.sides {
		if !p.sides[i].carrier.(*xsks).zeroCopy() {
			return "xdp, copy"
		}
	}
	return "xdp, zero copy"
}

// Reason says why it is tcx where XDP was asked for, or might be expected; else
// it is empty.
func (p *Port) Reason() string { return p.reason }
