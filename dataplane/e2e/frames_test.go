package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// TestHeaders has sessions whose packets carry more than the plain headers. They
// are corrected, and the headers stay.
func TestHeaders(t *testing.T) { eachWay(t, testHeaders) }

func testHeaders(t *testing.T, attach string) {
	option := func(level, name int, value string) func(fd int) error {
		return func(fd int) error { return unix.SetsockoptString(fd, level, name, value) }
	}
	variants := []struct {
		name, server string
		tags         []int32
		set          []func(fd int) error
		holds        string // of each frame of the client's
	}{
		{"two tags", netns.Server4, []int32{100, 200}, nil, "\x88\xa8\x00\x64\x81\x00\x00\xc8\x08\x00"},
		{"two tags, IPv6", netns.Server6, []int32{4094, 1}, nil, "\x88\xa8\x0f\xfe\x81\x00\x00\x01\x86\xdd"},
		{"recorded route", netns.Server4, nil, []func(int) error{option(unix.SOL_IP, unix.IP_OPTIONS, "\x07\x0b\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00")}, "\x07\x0b\x08\x0a\x4d\x00\x01\x00\x00\x00\x00"},
		{"extension headers", netns.Server6, nil, []func(int) error{
			option(unix.SOL_IPV6, unix.IPV6_HOPOPTS, "\x00\x00\x01\x04\x00\x00\x00\x00"),
			option(unix.SOL_IPV6, unix.IPV6_DSTOPTS, "\x00\x00\x01\x04\x00\x00\x00\x00"),
		}, "\x3c\x00\x01\x04\x00\x00\x00\x00\x06\x00\x01\x04\x00\x00\x00\x00"},
	}
	b := newBoxBy(t, attach)
	l := listen(t, b)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			if v.tags != nil {
				roomForTags(t, b)
				b.Tag(t, v.tags...)
			}
			d := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) (err error) {
				c.Control(func(fd uintptr) {
					for _, set := range v.set {
						if err == nil {
							err = set(int(fd))
						}
					}
				})
				return err
			}}
			arrived := netns.NewCapture(t, b.Server, "s0")
			c, server := pairBy(t, b, l, d, netip.AddrPortFrom(netip.MustParseAddr(v.server), 80).String())
			padding := strings.Repeat("p", 4000)
			for i := range 20 {
				request := fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\nX-Padding: %s\r\n", i, padding)
				c.exchange(t, server, request+"X-Removed: "+padding[:100*i]+"\r\n\r\n", request+"\r\n")
			}
			segments := 0
			for _, f := range arrived.All(t) {
				if !f.Outgoing && bytes.Contains(f.Data, []byte("pppppppp")) {
					segments++
					if !bytes.Contains(f.Data, []byte(v.holds)) {
						t.Errorf("frame %.90x lacks %x", f.Data, v.holds)
					}
				}
			}
			if segments < 20 {
				t.Errorf("%d segments arrived at the server; want at least one for each request", segments)
			}
		})
	}
	if s := b.status(t).Sessions; s.Edited != uint64(len(variants)) || s.Reset != 0 || s.Passed != 0 {
		t.Errorf("sessions = %+v; want %d edited, none passed or reset", s, len(variants))
	}
}

// roomForTags has the ends leave room for two tags in what they send, as they
// would on a wire that takes but 1500 bytes.
func roomForTags(t *testing.T, b *box) {
	t.Helper()
	b.Ends(t, func(name string) error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		// The hosts' own IPv6 route has metric 256, the IPv4 one has none.
		for n, metric := range map[string]int{"10.77.0.0/24": 0, "fd77::/64": 1} {
			dst, err := netlink.ParseIPNet(n)
			if err != nil {
				return err
			}
			if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Scope: netlink.SCOPE_LINK, MTU: 1400, Priority: metric}); err != nil {
				return fmt.Errorf("set MTU of route %s: %w", n, err)
			}
		}
		return nil
	})
}

// pairBy is pairTo with a dialer.
func pairBy(t *testing.T, b *box, l net.Listener, d net.Dialer, addr string) (*conn, net.Conn) {
	t.Helper()
	var c net.Conn
	b.Client.Must(t, func() (err error) {
		c, err = d.Dial("tcp", addr)
		return err
	})
	t.Cleanup(func() { c.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	c.SetDeadline(time.Now().Add(patience))
	server.SetDeadline(time.Now().Add(patience))
	return newConn(c), server
}

// TestJumboFrames corrects sessions of hosts with an MTU of 9000.
func TestJumboFrames(t *testing.T) { eachWay(t, testJumboFrames) }

func testJumboFrames(t *testing.T, attach string) {
	const size, mtu = 20 << 20, 9000
	b := newBoxWith(t, attach, settingsText+fmt.Sprintf("[wire]\nmtu = %d\n", mtu), "testdata/definitions")
	b.Ends(t, func(name string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(l, mtu)
	})
	b.AsOnWire(t)
	dir := startNginx(t, b.Server)
	writeFile(t, filepath.Join(dir, "big"), content(size), size)
	want := sum(t, content(size))
	arrived := netns.NewCapture(t, b.Server, "s0")
	for _, host := range []string{netns.Server4, "[" + netns.Server6 + "]"} {
		if got := sha256of(curl(t, b.Client, "-H", "X-Removed: "+strings.Repeat("x", 3000), "http://"+host+"/big")); got != want {
			t.Errorf("download from %s: SHA-256 = %s; want %s", host, got, want)
		}
		curl(t, b.Client, "-f", "-H", "X-Removed: shifted", "-T", filepath.Join(dir, "big"), "http://"+host+"/put/up")
		if got := sumFile(t, filepath.Join(dir, "put", "up")); got != want {
			t.Errorf("upload to %s: SHA-256 = %s; want %s", host, got, want)
		}
	}
	longest := 0
	for _, f := range arrived.All(t) {
		if !f.Outgoing {
			longest = max(longest, len(f.Data))
		}
	}
	if longest != mtu+14 {
		t.Errorf("the longest frame that arrived has %d bytes; want %d", longest, mtu+14)
	}
	if s := b.status(t); s.Sessions.Edited != 4 || s.Sessions.Passed+s.Sessions.Reset != 0 || s.Ports[0].Dropped+s.Ports[1].Dropped != 0 {
		t.Errorf("sessions = %+v, ports %+v; want 4 edited, none passed or reset, nothing dropped", s.Sessions, s.Ports)
	}
}

// TestSeveralQueues has many sessions come in on all queues of the ports, the
// two directions of each where the hosts' hashes take them.
func TestSeveralQueues(t *testing.T) { eachWay(t, testSeveralQueues) }

func testSeveralQueues(t *testing.T, attach string) {
	const queues, sessions, requests = 4, 24, 40
	b := newBoxOn(t, netns.NewBedOf(t, queues), attach, settingsText, "testdata/definitions")
	startNginx(t, b.Server)
	var wg sync.WaitGroup
	for i := range sessions {
		addr := []string{"10.77.0.2:80", "[fd77::2]:80"}[i%2]
		c := dial(t, b.Client, addr)
		wg.Go(func() {
			cut := rand.New(rand.NewPCG(uint64(i), 9))
			for n := range requests {
				kept := fmt.Sprintf("%d.%d.%0*d", i, n, cut.IntN(3000), 0)
				got, err := c.try("/echo", "X-Removed: "+kept[:cut.IntN(len(kept))]+"\r\nX-Kept: "+kept+"\r\n", cut)
				if err != nil || !strings.Contains(got, "removed=[] kept=["+kept+"]") {
					t.Errorf("session %d, request %d = %.100q, %v; want it corrected", i, n, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"b0", "b1"} {
		if got := queuesUsed(t, b, name, queues); got < 2 && attach == "xdp" {
			t.Errorf("port %s: frames came in on %d queues; want several", name, got)
		}
	}
	if s := b.status(t); s.Sessions.Total != sessions || s.Sessions.Edited != sessions || s.Sessions.Passed+s.Sessions.Reset != 0 || s.Corrections != sessions*requests {
		t.Errorf("sessions = %+v, %d corrections; want %d, all edited, %d corrections", s.Sessions, s.Corrections, sessions, sessions*requests)
	}
}

// queuesUsed counts the queues on which XDP saw frames.
func queuesUsed(t *testing.T, b *box, name string, queues int) (used int) {
	t.Helper()
	b.Box.Must(t, func() error {
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
	return used
}
