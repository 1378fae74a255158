package e2e

import (
	"strings"
	"testing"

	"github.com/safchain/ethtool"

	"wirepatch/dataplane/internal/netns"
)

// TestQueuesChange sets the ports down and up again while sessions are busy, and
// gives them further receive queues: what comes in on them is inspected before
// long.
func TestQueuesChange(t *testing.T) {
	const queues = 4
	bed := netns.NewBedOf(t, queues)
	for _, n := range []struct {
		ns   *netns.NS
		name string
	}{{bed.Client, "c0"}, {bed.Server, "s0"}, {bed.Box, "b0"}, {bed.Box, "b1"}} {
		setQueues(t, n.ns, n.name, 1, 1)
	}
	b := newBoxOn(t, bed, "xdp", settingsText, "testdata/definitions")
	startNginx(t, b.Server)
	k := talk(t, b, 16, 0)
	k.goOn(t, 100)
	for _, name := range []string{"b0", "b1"} { // a veth runs the program on further queues only when it was down
		b.Box.SetLink(t, name, false)
	}
	for _, n := range []struct {
		ns     *netns.NS
		name   string
		rx, tx uint32
	}{{b.Box, "b0", queues, 1}, {b.Box, "b1", queues, 1}, {b.Client, "c0", queues, queues}, {b.Server, "s0", queues, queues}} {
		setQueues(t, n.ns, n.name, n.rx, n.tx)
	}
	for _, name := range []string{"b0", "b1"} {
		b.Box.SetLink(t, name, true)
	}
	b.event(t, "wire", "the wire ports have 4 and 4 receive queues now: all are inspected")
	k.goOn(t, 300)
	before := b.status(t)
	for range 24 {
		if got := once(t, b, "/refused", ""); !strings.Contains(got, "refused by the patch") {
			t.Errorf("a request = %q; want it refused, whichever queue it came in on", got)
		}
	}
	for _, name := range []string{"b0", "b1"} {
		if got := queuesUsed(t, b, name, queues); got < 2 {
			t.Errorf("port %s: frames came in on %d queues; want several", name, got)
		}
	}
	if b.status(t).Instance != before.Instance {
		t.Error("the dataplane was started anew; want the same process to go on")
	}
	k.end()
}

// setQueues is ethtool -L. A veth with an XDP program must have as many queues to
// receive on as its peer sends on.
func setQueues(t *testing.T, n *netns.NS, name string, rx, tx uint32) {
	t.Helper()
	n.Must(t, func() error {
		e, err := ethtool.NewEthtool()
		if err != nil {
			return err
		}
		defer e.Close()
		c, err := e.GetChannels(name)
		if err != nil {
			return err
		}
		c.RxCount, c.TxCount = rx, tx
		_, err = e.SetChannels(name, c)
		return err
	})
}
