package dhcp

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// network is a namespace with two ports wired to each other and a DHCP server
// on the second one.
type network struct {
	ns   netns.NsHandle
	deny atomic.Bool // the server answers every request with a NAK
	mute atomic.Bool // the server does not answer
}

// newNetwork makes it. The calling goroutine stays in the namespace.
func newNetwork(t *testing.T) *network {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test's goroutine
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("new network namespace (needs root): %v", err)
	}
	n := &network{ns: ns}
	t.Cleanup(func() { ns.Close() })
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "client"}, PeerName: "server"}
	if err := netlink.LinkAdd(pair); err != nil {
		t.Fatalf("add veth pair: %v", err)
	}
	for _, name := range []string{"client", "server"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
		if name == "server" {
			if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := server4.NewServer("server", &net.UDPAddr{IP: net.IPv4zero, Port: dhcpv4.ServerPort}, n.answer)
	if err != nil {
		t.Fatalf("start DHCP server: %v", err)
	}
	go s.Serve()
	t.Cleanup(func() { s.Close() })
	return n
}

func (n *network) answer(c net.PacketConn, _ net.Addr, m *dhcpv4.DHCPv4) {
	if n.mute.Load() {
		return
	}
	kind := dhcpv4.MessageTypeOffer
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
		if n.deny.Load() {
			kind = dhcpv4.MessageTypeNak
		}
	}
	r, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 10)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1))), dhcpv4.WithOption(mask24),
		dhcpv4.WithOption(dhcpv4.OptRouter(net.IPv4(192, 0, 2, 1))), dhcpv4.WithOption(dhcpv4.OptIPAddressLeaseTime(10*time.Minute)))
	if err == nil {
		c.WriteTo(r.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort})
	}
}

// run runs a client. Its time stands still until tick lets a wait end; tick
// returns how long the wait was. timeout is the client's for a first answer.
func (n *network) run(t *testing.T, timeout time.Duration) (events <-chan string, tick func() time.Duration) {
	t.Helper()
	out, waits, gone := make(chan string, 100), make(chan time.Duration), make(chan struct{})
	now := time.Unix(1_000_000, 0)
	c := &Client{Interface: "client", Hostname: "box",
		Apply:    func(a Address) error { out <- "apply " + a.Prefix.String() + " " + a.Gateway.String(); return nil },
		Withdraw: func() { out <- "withdraw" },
		Logf:     func(format string, a ...any) { out <- "log " + fmt.Sprintf(format, a...) },
	}
	c.timeout = timeout
	c.now = func() time.Time { return now }
	c.wait = func(ctx context.Context, d time.Duration) bool {
		select {
		case waits <- d:
			now = now.Add(d)
			return true
		case <-ctx.Done():
			return false
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(gone)
		runtime.LockOSThread()
		if err := netns.Set(n.ns); err != nil {
			out <- "log " + err.Error()
			return
		}
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-gone
	})
	return out, func() time.Duration { return <-waits }
}

func expect(t *testing.T, events <-chan string, want string) {
	t.Helper()
	select {
	case got := <-events:
		if !strings.HasPrefix(got, want) {
			t.Fatalf("the client did %q; want %q", got, want)
		}
	case <-time.After(3 * time.Minute):
		t.Fatalf("the client did nothing; want %q", want)
	}
}

func TestLeaseIsRenewedAndGivenUp(t *testing.T) {
	n := newNetwork(t)
	events, tick := n.run(t, 5*time.Second)
	expect(t, events, "apply 192.0.2.10/24 192.0.2.1")
	expect(t, events, "log management: address 192.0.2.10/24 by DHCP from 192.0.2.1, for 10m0s")
	for range 3 {
		if d := tick(); d != 5*time.Minute {
			t.Errorf("it renews after %v; want half of the lease", d)
		}
		expect(t, events, "apply 192.0.2.10/24")
	}
	n.deny.Store(true)
	tick()
	expect(t, events, "log management: the server no longer grants 192.0.2.10/24")
	expect(t, events, "withdraw")
	expect(t, events, "log management: no address by DHCP on client")
	n.deny.Store(false)
	tick()
	expect(t, events, "apply 192.0.2.10/24")
}

func TestLeaseRunsOut(t *testing.T) {
	n := newNetwork(t)
	// Short, because several tries go unanswered.
	events, tick := n.run(t, 100*time.Millisecond)
	expect(t, events, "apply 192.0.2.10/24")
	expect(t, events, "log management: address")
	n.mute.Store(true)
	var held time.Duration
	for len(events) == 0 && held < 10*time.Minute {
		held += tick()
	}
	if held != 10*time.Minute {
		t.Errorf("it was held for %v; want the whole lease", held)
	}
	expect(t, events, "log management: the lease of 192.0.2.10/24 has run out")
	expect(t, events, "withdraw")
}
