package port

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		wanted  string
		drivers [2]string
		want    way
		reason  bool
	}{
		{"auto", [2]string{"virtio_net", "virtio_net"}, tcx, false},
		{"auto", [2]string{"veth", "veth"}, tcx, false},
		{"auto", [2]string{"", ""}, tcx, false},
		{"auto", [2]string{"ixgbe", "ixgbe"}, xdp, false},
		{"", [2]string{"igc", "ice"}, xdp, false},
		{"auto", [2]string{"igc", "r8169"}, tcx, true},
		{"auto", [2]string{"virtio_net", "ice"}, tcx, true},
		{"tcx", [2]string{"ixgbe", "ixgbe"}, tcx, false},
		{"xdp", [2]string{"virtio_net", "veth"}, xdp, false},
	}
	for _, v := range tests {
		if got, reason := choose(v.wanted, v.drivers); got != v.want || (reason != "") != v.reason {
			t.Errorf("choose(%q, %q) = %d, %q; want %d, a reason: %t", v.wanted, v.drivers, got, reason, v.want, v.reason)
		}
	}
}

// TestWays: without copies only with drivers that are known for it, and only where
// no frame needs a second buffer.
func TestWays(t *testing.T) {
	const copies, pieces, none = unix.XDP_COPY, unix.XDP_USE_SG, unix.XDP_ZEROCOPY
	for _, v := range []struct {
		mtu   int
		share bool
		want  []uint16
	}{
		{1500 + tagRoom, true, []uint16{none, copies | pieces, copies}},
		{3810, true, []uint16{none, copies | pieces, copies}},
		{3811, true, []uint16{copies | pieces}},
		{9000, true, []uint16{copies | pieces}},
		{1500 + tagRoom, false, []uint16{copies | pieces, copies}},
		{9000, false, []uint16{copies | pieces}},
	} {
		if got := (xskSizes{frame: v.mtu + etherMost, share: v.share}).ways(); !slices.Equal(got, v.want) {
			t.Errorf("MTU %d, share %t: ways() = %#x; want %#x", v.mtu, v.share, got, v.want)
		}
	}
}

// TestNarrow: where a driver has no XDP with the room for tags, the port has its
// MTU without, and where it has none at all, the room again.
func TestNarrow(t *testing.T) {
	bed := netns.NewBed(t)
	bed.Box.Must(t, func() error {
		var d side
		if err := d.open("b0", 0); err != nil {
			return err
		}
		mtu := func(want int) {
			t.Helper()
			l, err := netlink.LinkByName("b0")
			if err != nil || l.Attrs().MTU != want || d.mtu != want {
				t.Errorf("MTU = %d, taken for %d, %v; want %d", l.Attrs().MTU, d.mtu, err, want)
			}
		}
		mtu(1500 + tagRoom)
		if !d.narrow() {
			t.Error("narrow() = false; want true")
		}
		mtu(1500)
		if d.narrow() {
			t.Error("narrow() once more = true; want false")
		}
		d.widen()
		mtu(1500 + tagRoom)
		return nil
	})
}

// TestChangesWays goes from tcx to XDP and back while the maps stay: at the end
// of each change only the new way is there, and it knows the sessions.
func TestChangesWays(t *testing.T) {
	bed, p, pins := wired(t, "tcx", protected)
	slot, err := p.NewSlot(flow("10.77.0.1:5000", "10.77.0.2:80"), FlowState{})
	if err != nil {
		t.Fatal(err)
	}
	bed.AttachBy(t, "xdp") // the frames in it suit both
	from, to := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	for i, attach := range []string{"xdp", "tcx", "xdp"} {
		bed.Attach = attach
		bed.Box.Must(t, p.Close)
		if got := crossed(t, from, to, handed["IPv6"]); got != 1 {
			t.Errorf("change %d: %d of 1 frames passed between two processes", i, got)
		}
		p = open(t, bed, pins, protected)
		if links, want := pinned(t, pins), linkNames[p.way][:]; !slices.Equal(links, want) {
			t.Errorf("change %d: pinned links are %q; want %q", i, links, want)
		}
		if got := taps(t, bed); got != (attach == "tcx") {
			t.Errorf("change %d: TAPs are there: %t; want them with tcx only", i, got)
		}
		stop := alive(p)
		from.Send(t, handed["IPv4"])
		if !recv(t, p, A, handed["IPv4"]) {
			t.Errorf("change %d: a protected frame did not come up", i)
		}
		if got := crossed(t, from, to); got != 0 {
			t.Error("unprotected frames do not pass")
		}
		if found, err := p.Flows(); err != nil || len(found) != 1 || found[0].Flow() != slot.Flow() {
			t.Errorf("change %d: Flows() = %v, %v; want the one from before", i, found, err)
		}
		stop()
	}
}

// pinned lists the pinned links to the wire ports.
func pinned(t *testing.T, pins string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(pins, "link_*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] = filepath.Base(all[i])
	}
	return all
}

func taps(t *testing.T, bed *netns.Bed) (found bool) {
	t.Helper()
	bed.Box.Must(t, func() error {
		for _, s := range []Side{A, B} {
			_, err := netlink.LinkByName(tapName(s))
			found = found || err == nil
		}
		return nil
	})
	return found
}

// TestNoXDP asks for XDP on interfaces that do not have it.
func TestNoXDP(t *testing.T) {
	bed := netns.NewBed(t)
	pins := filepath.Join(netns.MountBPF(t), "wirepatch")
	t.Cleanup(func() { removePins(pins, func(string) bool { return true }) })
	bed.Box.Must(t, func() error {
		for i, parent := range []string{"b0", "b1"} {
			l, err := netlink.LinkByName(parent)
			if err != nil {
				return err
			}
			at := netlink.NewLinkAttrs()
			at.Name, at.ParentIndex = fmt.Sprint("m", i), l.Attrs().Index
			if err := netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: at, Mode: netlink.MACVLAN_MODE_PASSTHRU}); err != nil {
				return err
			}
		}
		return nil
	})
	var p *Port
	bed.Box.Must(t, func() (err error) {
		p, err = Open(Config{A: "m0", B: "m1", PinDir: pins, Services: protected, Attach: "xdp"})
		return err
	})
	t.Cleanup(func() { bed.Box.Do(p.Close) })
	if p.Attached() != "tcx" || !strings.Contains(p.Reason(), "XDP is not possible: attach program to wire port a (m0)") {
		t.Errorf("attached by %s, reason %q; want tcx, and that m0 cannot", p.Attached(), p.Reason())
	}
	if got := pinned(t, pins); !slices.Equal(got, linkNames[tcx][:]) {
		t.Errorf("pinned links are %q; want %q", got, linkNames[tcx])
	}
	if entries, err := os.ReadDir(pins); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == xdpMapWpXsks }) {
		t.Errorf("pins are %v, %v; want none of the XDP program's own", entries, err)
	}
	defer alive(p)()
	from := netns.NewCapture(t, bed.Client, "c0")
	from.Send(t, handed["IPv4"])
	if !recv(t, p, A, handed["IPv4"]) {
		t.Error("a protected frame did not come up")
	}
}

// TestLongFrames: jumbo frames lie in several buffers beside XDP, full frames
// with several tags are longer than the MTU foresees.
func TestLongFrames(t *testing.T) { eachWay(t, testLongFrames) }

func testLongFrames(t *testing.T, attach string) {
	long := func(mtu int, tags ...[]byte) []byte {
		h := join(u16(5000, 80, 0, 1, 0, 1, 0x5010, 1000, 0, 0))
		return join(toServer, join(tags...), ip4(6, netns.Client4, netns.Server4, 0, nil, h, bytes.Repeat([]byte("long "), mtu)[:mtu-40]))
	}
	for _, mtu := range []int{1500, 4096, 4050, 9000} {
		bed := netns.NewBed(t)
		bed.MTU(t, mtu)
		bed.Ends(t, func(name string) error { // a wire that takes what the box takes
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			return netlink.LinkSetMTU(l, mtu+tagRoom)
		})
		bed.AttachBy(t, attach)
		pins := filepath.Join(netns.MountBPF(t), "wirepatch")
		var p *Port
		bed.Box.Must(t, func() (err error) {
			p, err = Open(Config{A: "b0", B: "b1", PinDir: pins, Services: protected, Attach: attach, MTU: mtu})
			return err
		})
		stop := alive(p)
		ends := [2]*netns.Capture{netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")}
		for name, frame := range map[string][]byte{"no tag": long(mtu), "a tag": long(mtu, vlan(5)), "two tags": long(mtu, qinq(5), vlan(6)),
			"four tags": long(mtu, vlan(0), vlan(0), vlan(5), vlan(6))} {
			for _, s := range []Side{A, B} {
				ends[s].Send(t, frame)
				if !recv(t, p, s, frame) {
					t.Errorf("MTU %d, %s, side %s: did not come up unchanged", mtu, name, s)
					continue
				}
				if err := p.Send(s.Other(), packet.VNet{}, frame); err != nil {
					t.Errorf("MTU %d, %s: %v", mtu, name, err)
				}
				p.Flush()
				if !ends[1-s].Find(t, frame, patience) {
					t.Errorf("MTU %d, %s, sent on side %s: did not come out unchanged", mtu, name, s.Other())
				}
			}
			unprotected := bytes.Clone(frame)
			copy(unprotected[len(unprotected)-mtu+16:], []byte{10, 77, 0, 99})
			ends[A].Send(t, unprotected)
			if !ends[B].Find(t, unprotected, patience) {
				t.Errorf("MTU %d, %s, unprotected: did not come out unchanged", mtu, name)
			}
		}
		stop()
		bed.Box.Must(t, p.Detach)
	}
}

// TestQueues has frames come in on several queues of both ports.
func TestQueues(t *testing.T) {
	const queues, sessions = 4, 64
	bed := netns.NewBedOf(t, queues)
	bed.AttachBy(t, "xdp")
	pins := filepath.Join(netns.MountBPF(t), "wirepatch")
	p := open(t, bed, pins, protected)
	t.Cleanup(func() { removePins(pins, func(string) bool { return true }) })
	if got := len(p.sides[A].carrier.(*xsks).queues); got != queues {
		t.Fatalf("%d sockets on port a; want %d", got, queues)
	}
	defer alive(p)()
	ends := [2]*netns.Capture{netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")}
	for i := range sessions {
		for s, frame := range [][]byte{
			join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(uint16(5000+i), 80))),
			join(toServer, ip4(6, netns.Server4, netns.Client4, 0, nil, tcp(80, uint16(5000+i)))),
		} {
			ends[s].Send(t, frame)
			if !recv(t, p, Side(s), frame) {
				t.Errorf("frame %d of side %s did not come up", i, Side(s))
			}
		}
	}
	for s, name := range []string{"b0", "b1"} {
		used := 0
		bed.Box.Must(t, func() error {
			e, err := ethtool.NewEthtool()
			if err != nil {
				return err
			}
			defer e.Close()
			stats, err := e.Stats(name)
			for q := range queues {
				if stats[fmt.Sprintf("rx_queue_%d_xdp_packets", q)] > 0 {
					used++
				}
			}
			return err
		})
		if used < 2 {
			t.Errorf("side %s: frames came in on %d queues; want several", Side(s), used)
		}
	}
}

// TestSendWithoutLink: what is sent out of a port that is down is lost, and does
// not come out when it is up again; what is sent then does.
func TestSendWithoutLink(t *testing.T) { eachWay(t, testSendWithoutLink) }

func testSendWithoutLink(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	set := func(do func(netlink.Link) error) {
		bed.Box.Must(t, func() error {
			l, err := netlink.LinkByName("b1")
			if err != nil {
				return err
			}
			return do(l)
		})
	}
	set(netlink.LinkSetDown)
	refused := 0 // at once; what leaves with others is only counted
	for range 3 * sendBuffers {
		if p.Send(B, packet.VNet{}, handed["IPv4"]) != nil {
			refused++
		}
		p.Flush()
	}
	c, err := p.Counters()
	if lost := c[B].TxFailed; err != nil || lost < 3*sendBuffers-kickAfter || lost < uint64(refused) || lost+c[B].TxPackets != 3*sendBuffers {
		t.Errorf("of %d frames the counters have %d as lost and %d as sent, %d were refused, %v; want nearly all lost", 3*sendBuffers, lost, c[B].TxPackets, refused, err)
	}
	set(netlink.LinkSetUp)
	to := netns.NewCapture(t, bed.Server, "s0")
	for i := 0; ; i++ {
		err := p.Send(B, packet.VNet{}, handed["IPv6"])
		p.Flush()
		if err == nil {
			break
		}
		if i > 1000 {
			t.Fatalf("with the link back: %v", err)
		}
	}
	if !to.Find(t, handed["IPv6"], patience) {
		t.Error("a frame sent with the link back did not come out")
	}
}
