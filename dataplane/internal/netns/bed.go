package netns

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
)

// Addresses of the bed.
const (
	ClientMAC = "02:00:00:00:00:c0"
	ServerMAC = "02:00:00:00:00:50"
	Client4   = "10.77.0.1"
	Server4   = "10.77.0.2"
	Client6   = "fd77::1"
	Server6   = "fd77::2"
)

// Bed is a client, the box and a server: c0 of Client is joined to b0 of Box,
// s0 of Server to b1 of Box.
type Bed struct {
	Client, Box, Server *NS
	Attach              string // how the box is to attach its program: "tcx", "xdp"
}

// NewBed makes a bed with the ends' interfaces addressed and up. Neighbours are
// not set: ARP and neighbour discovery must find their way.
func NewBed(t testing.TB) *Bed {
	t.Helper()
	return NewBedOf(t, 1)
}

// NewBedOf makes a bed whose interfaces have so many queues each way.
func NewBedOf(t testing.TB, queues int) *Bed {
	t.Helper()
	b := &Bed{Client: New(t), Box: New(t), Server: New(t), Attach: "tcx"}
	vethOf(t, queues, b.Client, "c0", ClientMAC, b.Box, "b0", "02:00:00:00:00:b0")
	vethOf(t, queues, b.Server, "s0", ServerMAC, b.Box, "b1", "02:00:00:00:00:b1")
	b.address(t)
	return b
}

// NewCable makes a bed without a box: the same two ends with the same
// addresses, c0 joined to s0.
func NewCable(t testing.TB) *Bed {
	t.Helper()
	b := &Bed{Client: New(t), Server: New(t)}
	Veth(t, b.Client, "c0", ClientMAC, b.Server, "s0", ServerMAC)
	b.address(t)
	return b
}

// address gives the ends their addresses and sets all interfaces up.
func (b *Bed) address(t testing.TB) {
	t.Helper()
	b.Client.Must(t, func() error { return address("c0", Client4+"/24", Client6+"/64") })
	b.Server.Must(t, func() error { return address("s0", Server4+"/24", Server6+"/64") })
	if b.Box == nil {
		return
	}
	for _, name := range []string{"b0", "b1"} {
		b.Box.Must(t, func() error {
			os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
			return up(name)
		})
	}
}

// Ends calls f in the client's and in the server's namespace, with the name of
// the interface there.
func (b *Bed) Ends(t testing.TB, f func(name string) error) {
	t.Helper()
	b.Client.Must(t, func() error { return f("c0") })
	b.Server.Must(t, func() error { return f("s0") })
}

// Ports calls f in the box's namespace with the name of each port.
func (b *Bed) Ports(t testing.TB, f func(name string) error) {
	t.Helper()
	for _, name := range []string{"b0", "b1"} {
		b.Box.Must(t, func() error { return f(name) })
	}
}

// MTU sets that of all interfaces.
func (b *Bed) MTU(t testing.TB, mtu int) {
	t.Helper()
	set := func(name string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(l, mtu)
	}
	b.Ends(t, set)
	b.Ports(t, set)
}

func address(name string, addrs ...string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/accept_dad", []byte("0"), 0); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = 0x02 // IFA_F_NODAD
		if err := netlink.AddrAdd(l, addr); err != nil {
			return fmt.Errorf("add %s to %s: %w", a, name, err)
		}
	}
	return nil
}

// Features turns offloads of an interface on or off.
func Features(name string, on bool, features ...string) error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return err
	}
	defer e.Close()
	m := map[string]bool{}
	for _, f := range features {
		m[f] = on
	}
	return e.Change(name, m)
}

// Offloads are the features without which every frame is as it would be on a
// wire: no segmentation left to do, no checksum left out.
var Offloads = []string{"tx-checksum-ip-generic", "tx-generic-segmentation", "tx-tcp-segmentation", "tx-tcp6-segmentation",
	"tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "rx-gro"}

// AsOnWire switches them off at the ends and on the ports.
func (b *Bed) AsOnWire(t testing.TB) {
	t.Helper()
	off := func(name string) error { return Features(name, false, Offloads...) }
	b.Ends(t, off)
	b.Ports(t, off)
}

func mac(s string) net.HardwareAddr {
	m, err := net.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return m
}
