// Package dhcp keeps the management port's address: it gets a DHCPv4 lease,
// renews it, and gives it up when the server no longer grants it. What the
// address is applied to is the caller's. RFC 2131, sections 4.4 and 4.4.5.
package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// Address is what a lease grants.
type Address struct {
	Prefix  netip.Prefix
	Gateway netip.Addr // invalid: none
	DNS     []netip.Addr
	Server  netip.Addr
	Lease   time.Duration
	Renew   time.Duration // T1, since the lease was granted
	Rebind  time.Duration // T2
}

// Bounds on what a server may say.
const (
	shortest = time.Minute
	longest  = 7 * 24 * time.Hour
	maxDNS   = 3
)

// Client keeps one port's address.
type Client struct {
	Interface string
	Hostname  string
	Apply     func(Address) error // gives the port this address, or the same one anew
	Withdraw  func()              // takes it away
	Logf      func(format string, a ...any)

	// Time, for tests.
	now     func() time.Time
	wait    func(context.Context, time.Duration) bool
	timeout time.Duration // for the first answer; doubled at each of three tries
}

// Run keeps the address until ctx ends.
func (c *Client) Run(ctx context.Context) {
	if c.now == nil {
		c.now, c.wait, c.timeout = time.Now, wait, 2*time.Second
	}
	pause := time.Second
	var said string
	for ctx.Err() == nil {
		err := c.hold(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil { // a lease was held and ended
			pause, said = time.Second, ""
			continue
		}
		// Said once, not at each try: a cable may be out for months.
		if text := err.Error(); text != said {
			c.Logf("management: no address by DHCP on %s: %v; is the port wired, and is there a DHCP server? Trying on", c.Interface, err)
			said = text
		}
		c.wait(ctx, pause)
		pause = min(2*pause, 30*time.Second)
	}
}

// hold gets a lease and keeps it. It returns nil when a lease was held and has
// ended, an error when there was none.
func (c *Client) hold(ctx context.Context) error {
	client, err := nclient4.New(c.Interface, nclient4.WithTimeout(c.timeout), nclient4.WithRetry(3))
	if err != nil {
		return fmt.Errorf("open %s: %w", c.Interface, err)
	}
	defer client.Close()
	lease, err := client.Request(ctx, c.options)
	if err != nil {
		return err
	}
	a, err := grant(lease.ACK)
	if err != nil {
		return fmt.Errorf("the server's answer is of no use: %w", err)
	}
	if err := c.Apply(a); err != nil {
		return fmt.Errorf("set address %s: %w", a.Prefix, err)
	}
	c.Logf("management: address %s by DHCP from %s, for %v", a.Prefix, a.Server, a.Lease)
	c.keep(ctx, client, lease, a)
	c.Withdraw()
	return nil
}

// keep renews until the lease has ended or ctx has.
func (c *Client) keep(ctx context.Context, client *nclient4.Client, lease *nclient4.Lease, a Address) {
	granted := c.now()
	for {
		next := retry(a, c.now().Sub(granted))
		if next <= 0 {
			c.Logf("management: the lease of %s has run out", a.Prefix)
			return
		}
		if !c.wait(ctx, next) {
			return
		}
		again, err := client.Renew(ctx, lease, c.options)
		var nak *nclient4.ErrNak
		if errors.As(err, &nak) {
			c.Logf("management: the server no longer grants %s", a.Prefix)
			return
		}
		if err != nil {
			continue
		}
		b, err := grant(again.ACK)
		if err != nil || b.Prefix != a.Prefix {
			c.Logf("management: the server changed the address; asking anew")
			return
		}
		if err := c.Apply(b); err != nil {
			c.Logf("management: set address %s: %v", b.Prefix, err)
			return
		}
		lease, a, granted = again, b, c.now()
	}
}

// retry is how long to wait before the next try to renew a lease of that age;
// 0 when it has ended. Half of what is left to T2, then to the end, and no less
// than a minute: RFC 2131, section 4.4.5.
func retry(a Address, age time.Duration) time.Duration {
	switch {
	case age >= a.Lease:
		return 0
	case age < a.Renew:
		return a.Renew - age
	case age < a.Rebind:
		return min(max((a.Rebind-age)/2, time.Minute), a.Lease-age)
	}
	return min(max((a.Lease-age)/2, time.Minute), a.Lease-age)
}

func (c *Client) options(p *dhcpv4.DHCPv4) {
	p.UpdateOption(dhcpv4.OptHostName(c.Hostname))
}

// grant reads what the server granted and refuses what makes no sense.
func grant(p *dhcpv4.DHCPv4) (Address, error) {
	var a Address
	ip, ok := netip.AddrFromSlice(p.YourIPAddr.To4())
	if !ok || !ip.IsGlobalUnicast() {
		return a, fmt.Errorf("%v is no address for a host", p.YourIPAddr)
	}
	bits, size := p.SubnetMask().Size()
	if size != 32 || bits == 0 {
		return a, fmt.Errorf("%v is no network mask", net.IP(p.SubnetMask()))
	}
	a.Prefix = netip.PrefixFrom(ip, bits)
	if s, ok := netip.AddrFromSlice(p.ServerIdentifier().To4()); ok {
		a.Server = s
	}
	for _, r := range p.Router() {
		if g, ok := netip.AddrFromSlice(r.To4()); ok && a.Prefix.Contains(g) && g != ip {
			a.Gateway = g
			break
		}
	}
	for _, d := range p.DNS() {
		if g, ok := netip.AddrFromSlice(d.To4()); ok && !g.IsUnspecified() && len(a.DNS) < maxDNS {
			a.DNS = append(a.DNS, g)
		}
	}
	a.Lease = min(max(p.IPAddressLeaseTime(time.Hour), shortest), longest)
	a.Renew = p.IPAddressRenewalTime(a.Lease / 2)
	a.Rebind = p.IPAddressRebindingTime(a.Lease / 8 * 7)
	if a.Renew < shortest/2 || a.Rebind <= a.Renew || a.Lease <= a.Rebind {
		a.Renew, a.Rebind = a.Lease/2, a.Lease/8*7
	}
	return a, nil
}

// wait reports whether d went by before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
