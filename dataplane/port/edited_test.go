package port

import (
	"net/netip"
	"slices"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

func flow(client, server string) Flow {
	return Flow{Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server)}
}

func TestEditedIsHeldBackWithoutEngine(t *testing.T) {
	bed, p, pins := wired(t, protected)
	client, server := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	flows := []Flow{flow("10.77.0.1:5000", "10.77.0.2:80"), flow("[fd77::1]:5000", "[fd77::2]:80")}
	for _, f := range flows {
		if err := p.MarkEdited(f); err != nil {
			t.Fatal(err)
		}
	}
	bed.Box.Must(t, p.Close)
	if got := crossed(t, client, server, handed["IPv4"], handed["IPv6"], handed["IPv6 with extensions"], handed["VLAN"]); got != 0 {
		t.Errorf("%d frames of edited sessions passed to the server; want 0", got)
	}
	if got := crossed(t, server, client, handed["answer"], handed["IPv6 answer"]); got != 0 {
		t.Errorf("%d frames of edited sessions passed to the client; want 0", got)
	}
	other := join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5001, 80)))
	if got := crossed(t, client, server, other); got != 1 {
		t.Errorf("%d of 1 frames of another session passed", got)
	}

	p = open(t, bed, pins, protected)
	got, err := p.Edited()
	slices.SortFunc(got, func(a, b Flow) int { return a.Client.Compare(b.Client) })
	if err != nil || !slices.Equal(got, flows) {
		t.Errorf("Edited() after a restart = %v, %v; want %v", got, err, flows)
	}
	if c, err := p.Counters(); err != nil || c[A].DroppedEdited != 4 || c[B].DroppedEdited != 2 {
		t.Errorf("Counters() = %+v, %v; want 4 and 2 dropped of edited sessions", c, err)
	}

	syn := slices.Clone(handed["IPv4"])
	syn[14+20+13] = 0x02
	if got := crossed(t, client, server, syn, handed["IPv4"]); got != 2 {
		t.Errorf("%d of 2 frames of a new session between the same ends passed", got)
	}
	if got, err := p.Edited(); err != nil || len(got) != 1 || got[0] != flows[1] {
		t.Errorf("Edited() after a SYN = %v, %v; want only %v", got, err, flows[1])
	}
}

func TestFlowKeyRoundTrip(t *testing.T) {
	for _, f := range []Flow{flow("10.0.0.1:1", "10.0.0.2:65535"), flow("[2001:db8::1]:258", "[2001:db8::2]:80")} {
		if got := flowOf(flowKey(f)); got != f {
			t.Errorf("flowOf(flowKey(%v)) = %v; want the same", f, got)
		}
	}
}

func TestPlanServices(t *testing.T) {
	services := func(closed bool) []Service {
		return []Service{
			{Address: netip.MustParsePrefix("10.0.0.0/8"), Port: 80, FailClosed: closed},
			{Address: netip.MustParsePrefix("10.1.2.3/32"), Port: 80},
			{Address: netip.MustParsePrefix("::/0"), Port: 80},
		}
	}
	for _, closed := range []bool{false, true} {
		p, err := planServices(services(closed))
		if err != nil || len(p.services) != 3 || len(p.addresses) != 3 {
			t.Fatalf("planServices = %d services, %d addresses, %v; want 3, 3", len(p.services), len(p.addresses), err)
		}
		_, bits, addr := keyAddress(netip.MustParsePrefix("10.1.2.3/32"))
		got := p.addresses[wireAddressKey{Prefixlen: prefixBase + bits, Family: 4, Addr: addr}]
		if want := policy(closed); got != want {
			t.Errorf("with the enclosing service closed=%t the policy for fragments = %v; want %v", closed, got, want)
		}
	}
	for _, bad := range []Service{{}, {Address: netip.MustParsePrefix("10.0.0.0/8")}, {Address: netip.MustParsePrefix("::ffff:10.0.0.0/104"), Port: 1}} {
		if _, err := planServices([]Service{bad}); err == nil {
			t.Errorf("planServices(%v) = nil; want an error", bad)
		}
	}
}
