package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
	"wirepatch/board/settings"
	"wirepatch/init/dhcp"
)

const resolvConf = "/run/resolv.conf"

// manage brings the management port up and keeps its address, by the settings
// as they change.
func (b *box) manage(ctx context.Context) {
	if !b.ports.management {
		b.journal.Logf("management: no port; the page is not to be had, the console is")
		return
	}
	l, err := netlink.LinkByName(mgmtPort)
	if err != nil {
		b.journal.Logf("management: %v", err)
		return
	}
	b.step("management: loopback", loopbackUp)
	b.step("management: bring up", func() error { return netlink.LinkSetUp(l) })
	b.guard("management link", func() { b.watchLink(ctx) })
	b.address(ctx, l, b.settings)
}

// address gives the port its address until ctx ends, anew when the settings
// change it.
func (b *box) address(ctx context.Context, l netlink.Link, s *settings.Settings) {
	for ctx.Err() == nil {
		held, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		b.guard("management address", func() { b.hold(held, l, s); close(ended) })
		next := s
		for ctx.Err() == nil && sameAddress(next, s) {
			select {
			case next = <-b.manageAs:
			case <-ctx.Done():
			}
		}
		stop()
		<-ended
		b.withdraw(l)
		s = next
	}
}

// sameAddress says whether the port keeps its address; the name goes with a
// lease.
func sameAddress(a, b *settings.Settings) bool {
	m, n := a.Management, b.Management
	return m.Mode == n.Mode && m.Address == n.Address && m.Gateway == n.Gateway && slices.Equal(m.DNS, n.DNS) &&
		(a.Hostname == b.Hostname || m.Mode == "static")
}

// hold sets a static address, or gets and keeps one by DHCP until ctx ends.
func (b *box) hold(ctx context.Context, l netlink.Link, s *settings.Settings) {
	m := s.Management
	b.note(func(p *published) {
		p.management.Interface, p.management.MAC, p.management.Mode = mgmtPort, l.Attrs().HardwareAddr.String(), m.Mode
	})
	if m.Address.Addr().Is6() {
		b.step("management: IPv6", func() error { return sysctl("net.ipv6.conf."+mgmtPort+".disable_ipv6", "0") })
	}
	if m.Mode == "static" {
		b.step("management: static address", func() error { return b.configure(l, m, 0) })
		b.journal.Logf("management: address %s, static", m.Address)
		return
	}
	c := dhcp.Client{Interface: mgmtPort, Hostname: s.Hostname, Logf: b.journal.Logf,
		Apply: func(a dhcp.Address) error {
			return b.configure(l, settings.Management{Address: a.Prefix, Gateway: a.Gateway, DNS: a.DNS}, a.Lease)
		},
		Withdraw: func() { b.withdraw(l) },
	}
	c.Run(ctx)
}

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// configure gives the port its address, gateway and name servers, for the given
// time (0: for good), and publishes it.
func (b *box) configure(l netlink.Link, m settings.Management, valid time.Duration) error {
	if err := atomicfile.Write(resolvConf, []byte(resolver(m.DNS)), 0o644); err != nil {
		return fmt.Errorf("set name servers: %w", err)
	}
	return b.setAddress(l, m, valid)
}

// setAddress sets address and gateway. To set the same again is no fault.
func (b *box) setAddress(l netlink.Link, m settings.Management, valid time.Duration) error {
	a := &netlink.Addr{IPNet: ipNet(m.Address), ValidLft: int(valid.Seconds()), PreferedLft: int(valid.Seconds())}
	if err := netlink.AddrReplace(l, a); err != nil {
		return fmt.Errorf("set address %s: %w", m.Address, err)
	}
	if m.Gateway.IsValid() {
		r := &netlink.Route{LinkIndex: l.Attrs().Index, Gw: m.Gateway.AsSlice(), Protocol: unix.RTPROT_STATIC}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("set gateway %s: %w", m.Gateway, err)
		}
	}
	b.note(func(p *published) {
		p.management.Address, p.management.Gateway = m.Address.String(), ""
		if m.Gateway.IsValid() {
			p.management.Gateway = m.Gateway.String()
		}
	})
	return nil
}

func resolver(servers []netip.Addr) string {
	var s strings.Builder
	for _, d := range servers {
		fmt.Fprintf(&s, "nameserver %s\n", d)
	}
	return s.String()
}

// withdraw takes the address and the name servers away again.
func (b *box) withdraw(l netlink.Link) {
	err := clearAddresses(l)
	if e := os.Remove(resolvConf); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if err != nil {
		b.journal.Logf("management: withdraw address: %v", err)
	}
	b.note(func(p *published) { p.management.Address, p.management.Gateway = "", "" })
}

// clearAddresses takes all addresses but the link's own, and with them their
// routes, off the port.
func clearAddresses(l netlink.Link) error {
	all, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	errs := []error{err}
	for _, a := range all {
		if a.IP.IsLinkLocalUnicast() && a.IP.To4() == nil {
			continue
		}
		errs = append(errs, netlink.AddrDel(l, &a))
	}
	return errors.Join(errs...)
}

// watchLink publishes whether the management port's cable is in.
func (b *box) watchLink(ctx context.Context) {
	changes, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribeWithOptions(changes, done, netlink.LinkSubscribeOptions{ListExisting: true}); err != nil {
		b.journal.Logf("management: watch link: %v", err)
		return
	}
	for {
		select {
		case c, ok := <-changes:
			if !ok {
				panic("the kernel's link messages ended")
			}
			if c.Attrs().Name == mgmtPort {
				up := c.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
				b.note(func(p *published) { p.management.Up = up })
			}
		case <-ctx.Done():
			return
		}
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
