package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"wirepatch/dataplane/internal/netns"
)

// Hosts behind the bed's two ends, which route for them through links that take
// shorter packets than the wire.
const (
	near4, near6 = "10.78.0.2", "fd78::2"
	far4, far6   = "10.79.0.2", "fd79::2"
	narrowest    = 1300

	routedSettings = `
[service four]
address = 10.79.0.2
port = 80
[service six]
address = fd79::2
port = 80
`
)

// TestNarrowLinks has both ends of a corrected session send more than the links
// behind the bed's ends take. The routers there say so in errors that quote
// sequence numbers as they stand behind the box; without path MTU discovery
// nothing but retransmissions would ever come.
func TestNarrowLinks(t *testing.T) { eachWay(t, testNarrowLinks) }

func testNarrowLinks(t *testing.T, attach string) {
	b := newBoxOn(t, netns.NewBed(t), attach, routedSettings, "testdata/definitions")
	near := behind(t, b.Client, "10.78.0.1/24", "fd78::1/64", near4, near6)
	far := behind(t, b.Server, "10.79.0.1/24", "fd79::1/64", far4, far6)
	routed(t, b.Client, map[string]string{"10.79.0.0/24": netns.Server4, "fd79::/64": netns.Server6})
	routed(t, b.Server, map[string]string{"10.78.0.0/24": netns.Client4, "fd78::/64": netns.Client6})
	var l net.Listener
	far.Must(t, func() (err error) {
		l, err = net.Listen("tcp", ":80")
		return err
	})
	defer l.Close()
	for _, addr := range []string{far4, far6} {
		t.Run(addr, func(t *testing.T) {
			c := dial(t, near, netip.AddrPortFrom(netip.MustParseAddr(addr), 80).String())
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			c.SetDeadline(time.Now().Add(patience))
			server.SetDeadline(time.Now().Add(patience))
			removed := strings.Repeat("r", 400)
			say := func(body string) {
				rest := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
				go io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nX-Removed: "+removed+"\r\n"+rest)
				expect(t, server, "PUT / HTTP/1.1\r\nHost: a\r\n"+rest)
				go io.WriteString(server, "HTTP/1.1 200 OK\r\nX-Answer: short\r\n"+rest)
				expect(t, c, "HTTP/1.1 200 OK\r\nX-Answer: an answer that is quite a bit longer than what came\r\n"+rest)
			}
			// The two ends' counts come to differ by more than is ever under way.
			for range 500 {
				say("")
			}
			if got := [2]int{pathMTU(t, c.Conn), pathMTU(t, server)}; got != [2]int{1500, 1500} {
				t.Errorf("path MTU before = %d; want 1500 in both directions", got)
			}
			say(strings.Repeat("more than a link takes ", 10_000))
			if got := [2]int{pathMTU(t, c.Conn), pathMTU(t, server)}; got != [2]int{narrowest, narrowest} {
				t.Errorf("path MTU = %d; want the hosts to have been told of %d", got, narrowest)
			}
		})
	}
	if s := b.status(t).Sessions; s.Edited != 2 || s.Passed+s.Reset != 0 {
		t.Errorf("sessions = %+v; want two edited, none passed or reset", s)
	}
}

// behind makes a host behind router, over a link into which the router puts no
// packet longer than narrowest; own4 and own6 are the router's addresses on it.
func behind(t *testing.T, router *netns.NS, own4, own6, host4, host6 string) *netns.NS {
	t.Helper()
	host := netns.New(t)
	netns.Veth(t, router, "r0", "02:00:00:00:00:a0", host, "h0", "02:00:00:00:00:a1")
	router.Must(t, func() error { return addressed("r0", narrowest, own4, own6) })
	host.Must(t, func() error { return addressed("h0", 1500, host4+"/24", host6+"/64") })
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		router.Sysctl(t, name, "1")
	}
	gateway := func(own string) string { return netip.MustParsePrefix(own).Addr().String() }
	routed(t, host, map[string]string{"0.0.0.0/0": gateway(own4), "::/0": gateway(own6)})
	return host
}

// addressed sets an interface up with addresses that count at once.
func addressed(name string, mtu int, addrs ...string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", name, "accept_dad"), []byte("0"), 0),
		netlink.LinkSetMTU(l, mtu), netlink.LinkSetUp(l))
	for _, a := range addrs {
		addr, wrong := netlink.ParseAddr(a)
		if wrong == nil {
			wrong = netlink.AddrAdd(l, addr)
		}
		err = errors.Join(err, wrong)
	}
	return err
}

// routed adds routes: gateways by network.
func routed(t *testing.T, n *netns.NS, routes map[string]string) {
	t.Helper()
	n.Must(t, func() error {
		for to, via := range routes {
			dst, err := netlink.ParseIPNet(to)
			if err != nil {
				return err
			}
			if err := netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)}); err != nil {
				return fmt.Errorf("add route to %s: %w", to, err)
			}
		}
		return nil
	})
}
