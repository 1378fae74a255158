package port

import (
	"net/netip"
	"testing"
)

func TestPlanServices(t *testing.T) {
	services := func(closed bool) []Service {
		return []Service{
			{Address: netip.MustParsePrefix("10.0.0.0/8"), Port: 80, FailClosed: closed},
			{Address: netip.MustParsePrefix("10.1.2.3/32"), Port: 80},
			{Address: netip.MustParsePrefix("::/0"), Port: 80},
			{Transport: UDP, Address: netip.MustParsePrefix("10.1.2.3/32"), Port: 80},
		}
	}
	for _, closed := range []bool{false, true} {
		p, err := planServices(services(closed))
		if err != nil || len(p.services) != 4 || len(p.addresses) != 7 {
			t.Fatalf("planServices = %d services, %d addresses, %v; want 4, 7", len(p.services), len(p.addresses), err)
		}
		_, bits, addr := keyAddress(netip.MustParsePrefix("10.1.2.3/32"))
		for proto, want := range map[uint8]wirePolicy{TCP.number(): policy(closed), UDP.number(): policy(false), anyProto: policy(closed)} {
			got, ok := p.addresses[wireAddressKey{Prefixlen: prefixBase + bits, Family: 4, Proto: proto, Addr: addr}]
			if !ok || got != want {
				t.Errorf("with the enclosing TCP service closed=%t the policy for fragments of protocol %d = %v, %t; want %v", closed, proto, got, ok, want)
			}
		}
	}
	for _, bad := range []Service{{}, {Address: netip.MustParsePrefix("10.0.0.0/8")}, {Address: netip.MustParsePrefix("::ffff:10.0.0.0/104"), Port: 1}} {
		if _, err := planServices([]Service{bad}); err == nil {
			t.Errorf("planServices(%v) = nil; want an error", bad)
		}
	}
}
