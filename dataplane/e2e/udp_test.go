package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

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
