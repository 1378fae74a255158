package port

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/packet"
)

// over lists frames that go from port to port in the kernel.
var over = map[string][]byte{
	"ARP":                         join(macs("ff:ff:ff:ff:ff:ff", netns.ClientMAC), u16(0x0806, 1, 0x0800, 0x0604, 1), filler[:20]),
	"LLDP":                        join(macs("01:80:c2:00:00:0e", netns.ClientMAC), u16(0x88cc), filler),
	"STP":                         join(macs("01:80:c2:00:00:00", netns.ClientMAC), u16(38), []byte{0x42, 0x42, 3}, filler[:35]),
	"pause":                       join(macs("01:80:c2:00:00:01", netns.ClientMAC), u16(0x8808, 1, 0), filler),
	"unknown type":                join(toServer, u16(0x88b5), filler),
	"shortest":                    join(toServer, u16(0x88b5)),
	"UDP":                         join(toServer, ip4(17, netns.Client4, netns.Server4, 0, nil, udp(5000, 53))),
	"UDP to a protected port":     join(toServer, ip4(17, netns.Client4, netns.Server4, 0, nil, udp(5000, 80))),
	"ICMP":                        join(toServer, ip4(1, netns.Client4, netns.Server4, 0, nil, []byte{8, 0, 0, 0}, filler)),
	"ICMP error about UDP":        join(toServer, about4(3, 3, ip4(17, netns.Client4, netns.Server4, 0, nil, udp(5000, 53)))),
	"ICMP error about others":     join(toServer, about4(3, 4, ip4(6, netns.Client4, "10.77.0.3", 0, nil, tcp(5000, 80)))),
	"ICMP error about nothing":    join(toServer, ip4(1, netns.Server4, netns.Client4, 0, nil, []byte{3, 1, 0, 0, 0, 0, 0, 0})),
	"ICMP redirect":               join(toServer, about4(5, 1, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5000, 80)))),
	"fragment of an ICMP error":   join(toServer, ip4(1, "10.77.0.254", netns.Server4, 0x2000, nil, []byte{3, 4, 0, 0, 0, 0, 5, 0}, filler)),
	"ICMPv6 error about others":   join(toServer, about6(2, ip6(6, netns.Client6, "fd77::3", tcp(5000, 80)))),
	"ICMPv6 error about UDP":      join(toServer, about6(1, ip6(17, netns.Client6, netns.Server6, udp(5000, 53)))),
	"TCP to another port":         join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5000, 81))),
	"TCP to another address":      join(toServer, ip4(6, netns.Client4, "10.77.0.3", 0, nil, tcp(5000, 80))),
	"IPv6 TCP to another port":    join(toServer, ip6(6, netns.Client6, netns.Server6, tcp(5000, 81))),
	"neighbour solicitation":      join(macs("33:33:ff:00:00:02", netns.ClientMAC), ip6(58, netns.Client6, "ff02::1:ff00:2", []byte{135, 0, 0, 0}, filler[:20])),
	"mapped address":              join(toServer, ip6(6, netns.Client6, "::ffff:10.77.0.2", tcp(5000, 80))),
	"VLAN":                        join(toServer, vlan(10), ip4(17, netns.Client4, netns.Server4, 0, nil, udp(5000, 53))),
	"priority tag":                join(toServer, vlan(0xe000), ip4(17, netns.Client4, netns.Server4, 0, nil, udp(5000, 53))),
	"two tags":                    join(toServer, qinq(10), vlan(20), ip4(17, netns.Client4, netns.Server4, 0, nil, udp(5000, 53))),
	"fragment to nobody":          join(toServer, ip4(6, netns.Client4, "10.77.0.3", 0x2000, nil, tcp(5000, 80))),
	"TCP to a UDP service":        join(toServer, ip4(6, netns.Client4, "10.77.0.53", 0, nil, tcp(5000, 53))),
	"TCP fragment to it":          join(toServer, ip4(6, netns.Client4, "10.77.0.53", 3, nil, filler)),
	"UDP fragment":                join(toServer, ip4(17, netns.Client4, netns.Server4, 0x2000, nil, udp(5000, 53))),
	"IPv6 UDP fragment":           join(toServer, ip6(44, netns.Client6, netns.Server6, fragment6(17, 1), udp(5000, 53))),
	"IPv4 without header":         join(toServer, u16(0x0800), []byte{0x45, 0}),
	"IPv4 of a wrong version":     join(toServer, u16(0x0800), []byte{0x65}, filler),
	"IPv4 with a short header":    join(toServer, u16(0x0800), []byte{0x41}, filler),
	"IPv4 that ends before TCP":   join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil)),
	"IPv6 without header":         join(toServer, u16(0x86dd), []byte{0x60, 0}),
	"IPv6 with options to no-one": join(toServer, ip6(0, netns.Client6, netns.Server6, extension(59))),
}

// handed lists frames that go up.
var handed = map[string][]byte{
	"IPv4":                        join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5000, 80))),
	"IPv4 with options":           join(toServer, ip4(6, netns.Client4, netns.Server4, 0, []byte{1, 1, 1, 0, 1, 1, 1, 0}, tcp(5000, 80))),
	"within a prefix":             join(toServer, ip4(6, netns.Client4, "10.99.200.7", 0, nil, tcp(5000, 443))),
	"answer":                      join(toServer, ip4(6, netns.Server4, netns.Client4, 0, nil, tcp(80, 5000))),
	"IPv6":                        join(toServer, ip6(6, netns.Client6, netns.Server6, tcp(5000, 80))),
	"IPv6 answer":                 join(toServer, ip6(6, netns.Server6, netns.Client6, tcp(80, 5000))),
	"IPv6 with extensions":        join(toServer, ip6(0, netns.Client6, netns.Server6, extension(60), extension(6), tcp(5000, 80))),
	"authentication header":       join(toServer, ip6(51, netns.Client6, netns.Server6, []byte{6, 4}, filler[:22], tcp(5000, 80))),
	"too many extensions":         join(toServer, ip6(0, netns.Client6, netns.Server6, bytes.Repeat(extension(60), 9), extension(6), tcp(5000, 80))),
	"extensions that end nowhere": join(toServer, ip6(0, netns.Client6, netns.Server6, extension(60))),
	"UDP service":                 join(toServer, ip4(17, netns.Client4, "10.77.0.53", 0, nil, udp(5000, 53))),
	"answer of a UDP service":     join(toServer, ip4(17, "10.77.0.53", netns.Client4, 0, nil, udp(53, 5000))),
	"IPv6 UDP service":            join(toServer, ip6(17, netns.Client6, "fd77::53", udp(5000, 53))),
	"fragment of a UDP service":   join(toServer, ip4(17, netns.Client4, "10.77.0.53", 3, nil, filler)),
	"IPv6 fragment of UDP":        join(toServer, ip6(44, netns.Client6, "fd77::53", fragment6(17, 1), udp(5000, 53))),
	"first fragment":              join(toServer, ip4(6, netns.Client4, netns.Server4, 0x2000, nil, tcp(5000, 80))),
	"later fragment":              join(toServer, ip4(6, netns.Client4, netns.Server4, 3, nil, filler)),
	"tiny fragment":               join(toServer, ip4(6, netns.Client4, netns.Server4, 0x2000, nil, filler[:8])),
	"fragment of an answer":       join(toServer, ip4(6, netns.Server4, netns.Client4, 3, nil, filler)),
	"IPv6 fragment":               join(toServer, ip6(44, netns.Client6, netns.Server6, fragment6(6, 1), tcp(5000, 80))),
	"IPv6 fragment of extensions": join(toServer, ip6(44, netns.Client6, netns.Server6, fragment6(60, 1), extension(6), tcp(5000, 80))),
	"IPv6 extension, fragment":    join(toServer, ip6(60, netns.Client6, netns.Server6, extension(44), fragment6(6, 0), tcp(5000, 80))),
	"ICMP too big":                join(toServer, about4(3, 4, ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5000, 80)[:8]))),
	"ICMP time exceeded":          join(toServer, about4(11, 0, ip4(6, netns.Server4, netns.Client4, 0, []byte{1, 1, 1, 0}, tcp(80, 5000)))),
	"ICMP parameter problem":      join(toServer, vlan(10), about4(12, 0, ip4(6, netns.Client4, "10.99.1.1", 0, nil, tcp(5000, 443)))),
	"ICMPv6 too big":              join(toServer, about6(2, ip6(6, netns.Client6, netns.Server6, tcp(5000, 80)))),
	"ICMPv6 of extensions":        join(toServer, about6(3, ip6(60, netns.Server6, netns.Client6, extension(6), tcp(80, 5000)))),
	"ICMPv6 behind extensions":    join(toServer, ip6(0, "fd77::fe", netns.Client6, extension(58), []byte{4, 0, 0, 0, 0, 0, 0, 0}, ip6(6, netns.Client6, netns.Server6, tcp(5000, 80))[2:])),
	"VLAN":                        join(toServer, vlan(10), ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5000, 80))),
	"two tags":                    join(toServer, qinq(10), vlan(20), ip6(6, netns.Client6, netns.Server6, tcp(5000, 80))),
	"four priority tags":          join(toServer, vlan(0), vlan(0), vlan(0), vlan(0), ip4(6, netns.Client4, netns.Server4, 0, nil, tcp(5000, 80))),
}

func TestUnprotectedPasses(t *testing.T) { eachWay(t, testUnprotectedPasses) }

func testUnprotectedPasses(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	defer alive(p)()
	ends := [2]*netns.Capture{netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")}
	for name, frame := range over {
		for from := range ends {
			ends[from].Send(t, frame)
			if !ends[1-from].Find(t, frame, patience) {
				t.Errorf("%s from side %s: did not come out unchanged on the other side", name, Side(from))
			}
		}
	}
}

func TestProtectedGoesUp(t *testing.T) { eachWay(t, testProtectedGoesUp) }

func testProtectedGoesUp(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	defer alive(p)()
	ends := [2]*netns.Capture{netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")}
	for name, frame := range handed {
		for _, s := range []Side{A, B} {
			ends[s].Send(t, frame)
			if !recv(t, p, s, frame) {
				t.Errorf("%s on side %s: did not come up unchanged", name, s)
				continue
			}
			err := p.Send(s.Other(), packet.VNet{}, frame)
			p.Flush()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if !ends[1-s].Find(t, frame, patience) {
				t.Errorf("%s sent on side %s: did not come out unchanged", name, s.Other())
			}
		}
	}
	c, err := p.Counters()
	if err != nil {
		t.Fatal(err)
	}
	for s := range c {
		// The hosts' own ICMP errors about some of these frames come up too.
		if want := uint64(len(handed)); c[s].HandedUp < want || c[s].TxPackets != want {
			t.Errorf("side %s: handed up %d, sent %d; want %d or more, and %[4]d", Side(s), c[s].HandedUp, c[s].TxPackets, want)
		}
	}
}

// marker is an unprotected frame: once it is through, what was sent before it
// has been decided.
var marker = join(toServer, u16(0x88b6), []byte("marker"), filler)

// crossed sends frames and the marker, and counts how many of them came out.
func crossed(t *testing.T, from, to *netns.Capture, frames ...[]byte) int {
	t.Helper()
	onOneCPU(t, func() {
		for _, f := range append(frames, marker) {
			from.Send(t, f)
		}
	})
	n := 0
	for {
		f, ok := to.Next(t, patience)
		if !ok {
			t.Fatal("the unprotected marker did not pass")
		}
		for _, want := range frames {
			if !f.Outgoing && bytes.Equal(f.Data, want) {
				n++
			}
		}
		if bytes.Equal(f.Data, marker) {
			return n
		}
	}
}

// onOneCPU has do stay on one processor: frames keep their order within its queue,
// and on a busy computer one that is sent from another overtakes them.
func onOneCPU(t *testing.T, do func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &all)
	do()
}

func TestPolicyWithoutEngine(t *testing.T) { eachWay(t, testPolicyWithoutEngine) }

func testPolicyWithoutEngine(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	from, to := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	fragment := join(toServer, ip4(6, netns.Client4, "10.99.0.1", 3, nil, filler))
	check := func(when string) {
		t.Helper()
		if got := crossed(t, from, to, handed["IPv4"], handed["IPv6"], handed["first fragment"]); got != 3 {
			t.Errorf("%s: %d of 3 frames of a fail-open service passed", when, got)
		}
		if got := crossed(t, from, to, handed["ICMP too big"], handed["ICMP parameter problem"], handed["ICMPv6 too big"]); got != 3 {
			t.Errorf("%s: %d of 3 ICMP errors passed", when, got)
		}
		if got := crossed(t, from, to, handed["within a prefix"], fragment); got != 0 {
			t.Errorf("%s: %d frames of a fail-closed service passed; want 0", when, got)
		}
	}
	check("before the first heartbeat")
	alive(p)()
	var ready Ready
	for end := time.Now().Add(patience); !ready.Frames[A]; { // stale when a protected frame crosses again
		if time.Now().After(end) {
			t.Fatal("no frame came up while the engine was alive")
		}
		p.Heartbeat()
		from.Send(t, handed["IPv4"])
		ready, _ = p.Wait(StaleAfter / 4)
	}
	for end := time.Now().Add(patience); crossed(t, from, to, handed["IPv4"]) == 0; {
		if time.Now().After(end) {
			t.Fatal("the heartbeat stopped, but frames of a fail-open service still do not pass")
		}
	}
	check("after the last heartbeat")
	p.Heartbeat()
	bed.Box.Must(t, p.Close)
	check("after Close")
}

func TestTooManyTags(t *testing.T) { eachWay(t, testTooManyTags) }

func testTooManyTags(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	from, to := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	if got := crossed(t, from, to, join(toServer, bytes.Repeat(vlan(0), 5), handed["IPv4"][12:])); got != 0 {
		t.Errorf("a frame with five tags passed unseen")
	}
	if c, err := p.Counters(); err != nil || c[A].DroppedTags != 1 {
		t.Errorf("Counters()[A].DroppedTags = %d, %v; want 1", c[A].DroppedTags, err)
	}
}

func TestRestartAdopts(t *testing.T) { eachWay(t, testRestartAdopts) }

func testRestartAdopts(t *testing.T, attach string) {
	bed, p, pins := wired(t, attach, protected)
	from, to := netns.NewCapture(t, bed.Client, "c0"), netns.NewCapture(t, bed.Server, "s0")
	before := linkIDs(t, p)
	crossed(t, from, to)
	bed.Box.Must(t, p.Close)
	if got := crossed(t, from, to, handed["IPv4"]); got != 1 {
		t.Errorf("between two processes: %d of 1 frames passed", got)
	}
	p = open(t, bed, pins, protected[:1])
	if after := linkIDs(t, p); after != before {
		t.Errorf("links after a restart = %v; want those from before, %v", after, before)
	}
	if got := strings.Join(p.Notes(), "; "); !strings.Contains(got, "adopted pinned maps; adopted pinned link") {
		t.Errorf("Notes() = %q; want it to tell of adopted maps and links", got)
	}
	if c, err := p.Counters(); err != nil || c[A].Forwarded < 3 {
		t.Errorf("Counters()[A].Forwarded = %d, %v; want those from before the restart too", c[A].Forwarded, err)
	}
	defer alive(p)()
	from.Send(t, handed["IPv4"])
	if !recv(t, p, A, handed["IPv4"]) {
		t.Error("after a restart a protected frame did not come up")
	}
	if got := crossed(t, from, to, handed["IPv6"]); got != 1 {
		t.Error("a service that is gone is still protected")
	}
}

func TestOtherLayoutIsReplaced(t *testing.T) { eachWay(t, testOtherLayoutIsReplaced) }

func testOtherLayoutIsReplaced(t *testing.T, attach string) {
	bed, p, pins := wired(t, attach, protected)
	bed.Box.Must(t, p.Close)
	pin := filepath.Join(pins, wireMapWpCounts)
	if err := os.Remove(pin); err != nil {
		t.Fatal(err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, name := range []string{pin, filepath.Join(pins, "wp_of_old")} {
		if err := m.Pin(name); err != nil {
			t.Fatal(err)
		}
		defer m.Unpin()
		if m, err = m.Clone(); err != nil {
			t.Fatal(err)
		}
	}
	p = open(t, bed, pins, protected)
	if got := strings.Join(p.Notes(), "; "); !strings.Contains(got, "another layout replaced") || !strings.Contains(got, "adopted pinned link") {
		t.Errorf("Notes() = %q; want it to tell of replaced maps and adopted links", got)
	}
	if _, err := os.Stat(filepath.Join(pins, "wp_of_old")); err == nil {
		t.Error("a pin that nobody uses is still there")
	}
	defer alive(p)()
	from := netns.NewCapture(t, bed.Client, "c0")
	from.Send(t, handed["IPv4"])
	if !recv(t, p, A, handed["IPv4"]) {
		t.Error("a protected frame did not come up")
	}
}

func TestDetach(t *testing.T) { eachWay(t, testDetach) }

func testDetach(t *testing.T, attach string) {
	bed, p, pins := wired(t, attach, protected)
	bed.Box.Must(t, p.Detach)
	if _, err := os.Stat(pins); err == nil {
		t.Errorf("pin folder is still there")
	}
	bed.Box.Must(t, func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			if strings.HasPrefix(l.Attrs().Name, "wirepatch-") {
				t.Errorf("TAP %s is still there", l.Attrs().Name)
			}
			if l.Attrs().Promisc != 0 {
				t.Errorf("%s is still promiscuous", l.Attrs().Name)
			}
		}
		return err
	})
	open(t, bed, pins, nil) // and it can be opened anew
}

func TestOpenTwice(t *testing.T) { eachWay(t, testOpenTwice) }

func testOpenTwice(t *testing.T, attach string) {
	bed, _, pins := wired(t, attach, nil)
	err := bed.Box.Do(func() error {
		_, err := Open(Config{A: "b0", B: "b1", PinDir: pins, Attach: attach})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "another dataplane process") {
		t.Errorf("a second Open = %v; want an error that names the other process", err)
	}
}

func linkIDs(t *testing.T, p *Port) (ids [2]uint32) {
	t.Helper()
	for i, l := range p.links {
		info, err := l.Info()
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = uint32(info.ID)
	}
	return ids
}
