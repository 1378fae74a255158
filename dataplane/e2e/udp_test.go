package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// listenUDP receives datagrams at an address of a namespace.
func listenUDP(t *testing.T, n *netns.NS, address string) <-chan []byte {
	t.Helper()
	got := make(chan []byte, 1024)
	n.Must(t, func() error {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			buf := make([]byte, 1<<16)
			for {
				n, _, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				got <- slices.Clone(buf[:n])
			}
		}()
		return nil
	})
	return got
}

// dialUDP is a socket of a namespace that sends to an address.
func dialUDP(t *testing.T, n *netns.NS, address string) *net.UDPConn {
	t.Helper()
	var c net.Conn
	n.Must(t, func() (err error) {
		c, err = net.Dial("udp", address)
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// TestOtherDatagramsStayBelow: what goes to other ports of a host with a protected
// UDP service never comes up to the engine.
func TestOtherDatagramsStayBelow(t *testing.T) { eachWay(t, testOtherDatagramsStayBelow) }

func testOtherDatagramsStayBelow(t *testing.T, attach string) {
	const datagrams = 100
	b := newBoxWith(t, attach, dnsSettings, "testdata/datagrams")
	for _, server := range []string{"10.77.0.2", "[fd77::2]"} {
		other, ours := listenUDP(t, b.Server, server+":5353"), listenUDP(t, b.Server, server+":53")
		before := b.status(t)
		c := dialUDP(t, b.Client, server+":5353")
		for i := range datagrams {
			if _, err := c.Write([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-other:
				if !slices.Equal(got, []byte{byte(i)}) {
					t.Fatalf("%s: datagram %d = %x", server, i, got)
				}
			case <-time.After(patience):
				t.Fatalf("%s: datagram %d did not arrive", server, i)
			}
		}
		after := b.status(t)
		up := after.Ports[0].HandedUp + after.Ports[1].HandedUp - before.Ports[0].HandedUp - before.Ports[1].HandedUp
		if on := after.Ports[0].Forwarded - before.Ports[0].Forwarded; up != 0 || on < datagrams {
			t.Errorf("%s: %d packets were handed up, %d redirected in the kernel; want none, at least %d", server, up, on, datagrams)
		}
		if _, err := dialUDP(t, b.Client, server+":53").Write(slices.Concat([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7}, []byte("harmles\x07example\x00\x00\x01\x00\x01"))); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ours:
		case <-time.After(patience):
			t.Fatalf("%s: a query did not arrive", server)
		}
		if got := b.status(t).Ports[0].HandedUp; got == after.Ports[0].HandedUp {
			t.Errorf("%s: a query was not handed up", server)
		}
	}
}

// only is a folder with some of the repository's definitions.
func only(t *testing.T, ids ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, id := range ids {
		text, err := os.ReadFile(filepath.Join("../../definitions", id, "patch.yaml"))
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, id), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, id, "patch.yaml"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
