package e2e

import (
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// TestLinkPropagation takes the client's link away: the server must notice, as
// long as the settings want it.
func TestLinkPropagation(t *testing.T) { eachWay(t, testLinkPropagation) }

func testLinkPropagation(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	b.Client.SetLink(t, "c0", false)
	b.event(t, "link", "(b1) is taken down because wire port a (b0) has no link")
	if hasLink(t, b.Server, "s0") || !b.status(t).Ports[1].TakenDown {
		t.Errorf("the client's link is gone: server's link %t, ports %+v; want it taken down", hasLink(t, b.Server, "s0"), b.status(t).Ports)
	}
	b.write(t, settingsText+"[wire]\nlink_propagation = no\n")
	if err := b.control.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.event(t, "link", "(b1) is set up again")
	if !hasLink(t, b.Server, "s0") {
		t.Error("link propagation is off: the server has no link")
	}
	b.Client.SetLink(t, "c0", true)
	b.event(t, "link", "(b0) has link")
	startNginx(t, b.Server)
	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "refused by the patch\n" {
		t.Errorf("request with the link back = %q; want it refused", got)
	}
}

func hasLink(t *testing.T, n *netns.NS, name string) (has bool) {
	t.Helper()
	n.Must(t, func() error {
		l, err := netlink.LinkByName(name)
		if err == nil {
			has = l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
		}
		return err
	})
	return has
}
