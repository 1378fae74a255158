package dhcp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var compare = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})}

// ack builds a server's answer.
func ack(t testing.TB, ip net.IP, options ...dhcpv4.Option) *dhcpv4.DHCPv4 {
	t.Helper()
	p, err := dhcpv4.New(dhcpv4.WithYourIP(ip))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		p.UpdateOption(o)
	}
	return p
}

var mask24 = dhcpv4.OptSubnetMask(net.CIDRMask(24, 32))

func TestGrant(t *testing.T) {
	got, err := grant(ack(t, net.IPv4(192, 0, 2, 10), mask24,
		dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1)), dhcpv4.OptRouter(net.IPv4(198, 51, 100, 1), net.IPv4(192, 0, 2, 254)),
		dhcpv4.OptDNS(net.IPv4(1, 0, 0, 1), net.IPv4zero, net.IPv4(1, 0, 0, 2), net.IPv4(1, 0, 0, 3), net.IPv4(1, 0, 0, 4)),
		dhcpv4.OptIPAddressLeaseTime(800*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	want := Address{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Gateway: netip.MustParseAddr("192.0.2.254"), Server: netip.MustParseAddr("192.0.2.1"),
		DNS:   []netip.Addr{netip.MustParseAddr("1.0.0.1"), netip.MustParseAddr("1.0.0.2"), netip.MustParseAddr("1.0.0.3")},
		Lease: 800 * time.Second, Renew: 400 * time.Second, Rebind: 700 * time.Second}
	if d := cmp.Diff(want, got, compare); d != "" {
		t.Errorf("grant (-want +got):\n%s", d)
	}
}

func TestGrantBounds(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		lease, t1, t2        time.Duration
		wantLease, wantRenew time.Duration
	}{
		{"too short", time.Second, time.Second / 2, time.Second, time.Minute, 30 * time.Second},
		{"for ever", 0xffffffff * time.Second, 0, 0, longest, longest / 2},
		{"T1 after T2", 1000 * time.Second, 900 * time.Second, 800 * time.Second, 1000 * time.Second, 500 * time.Second},
		{"as it says", 1000 * time.Second, 200 * time.Second, 800 * time.Second, 1000 * time.Second, 200 * time.Second},
	} {
		a, err := grant(ack(t, net.IPv4(192, 0, 2, 10), mask24, dhcpv4.OptIPAddressLeaseTime(tt.lease), dhcpv4.OptRenewTimeValue(tt.t1), dhcpv4.OptRebindingTimeValue(tt.t2)))
		if err != nil || a.Lease != tt.wantLease || a.Renew != tt.wantRenew {
			t.Errorf("%s: grant = lease %v, renew %v, %v; want %v, %v", tt.name, a.Lease, a.Renew, err, tt.wantLease, tt.wantRenew)
		}
	}
}

func TestGrantRefuses(t *testing.T) {
	for name, p := range map[string]*dhcpv4.DHCPv4{
		"no address": ack(t, net.IPv4zero, mask24),
		"multicast":  ack(t, net.IPv4(224, 0, 0, 1), mask24),
		"loopback":   ack(t, net.IPv4(127, 0, 0, 1), mask24),
		"broadcast":  ack(t, net.IPv4bcast, mask24),
		"no mask":    ack(t, net.IPv4(192, 0, 2, 10)),
		"odd mask":   ack(t, net.IPv4(192, 0, 2, 10), dhcpv4.OptSubnetMask(net.IPMask{255, 0, 255, 0})),
	} {
		if a, err := grant(p); err == nil {
			t.Errorf("grant(%s) = %v; want an error", name, a)
		}
	}
}

func TestRetry(t *testing.T) {
	a := Address{Lease: 800 * time.Second, Renew: 400 * time.Second, Rebind: 700 * time.Second}
	for _, tt := range []struct{ age, want time.Duration }{
		{0, 400 * time.Second},
		{400 * time.Second, 150 * time.Second},
		{650 * time.Second, time.Minute},
		{700 * time.Second, time.Minute},
		{790 * time.Second, 10 * time.Second},
		{800 * time.Second, 0},
		{time.Hour, 0},
	} {
		if got := retry(a, tt.age); got != tt.want {
			t.Errorf("retry at %v = %v; want %v", tt.age, got, tt.want)
		}
	}
}

func FuzzGrant(f *testing.F) {
	f.Add(ack(f, net.IPv4(192, 0, 2, 10), mask24, dhcpv4.OptIPAddressLeaseTime(time.Hour)).ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := dhcpv4.FromBytes(b)
		if err != nil {
			return
		}
		a, err := grant(p)
		if err != nil {
			return
		}
		if !a.Prefix.IsValid() || len(a.DNS) > maxDNS || a.Lease < shortest || a.Lease > longest || a.Renew <= 0 || a.Renew >= a.Rebind || a.Rebind >= a.Lease {
			t.Errorf("grant = %+v; want it within bounds", a)
		}
	})
}
