package e2e

import (
	"net"
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
