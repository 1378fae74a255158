package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vnetLen is the length of the virtio-net header before each frame of a TAP.
const vnetLen = 10

// offloads is what the far end of a TAP may leave undone: struct tun_offloads of
// linux/if_tun.h.
const offloads = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN

// tap makes a TAP interface in a namespace and returns its other end: what the
// interface sends is read there, what is written there it receives, each frame
// behind a virtio-net header. Without offload every frame is as on a wire.
func tap(t testing.TB, n *NS, name, addr string, mtu int, offload bool) *os.File {
	t.Helper()
	var f *os.File
	n.Must(t, func() (err error) {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("open TUN device: %w", err)
		}
		defer func() { f = os.NewFile(uintptr(fd), name) }() // not before: Go's poller would see a device without interface
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
			return fmt.Errorf("make TAP %s: %w", name, err)
		}
		can := 0
		if offload {
			can = offloads
		}
		if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, can); err != nil {
			return fmt.Errorf("set offloads of TAP %s: %w", name, err)
		}
		return shape(name, mac(addr), mtu)
	})
	t.Cleanup(func() { f.Close() })
	return f
}

func shape(name string, addr net.HardwareAddr, mtu int) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetHardwareAddr(l, addr), netlink.LinkSetMTU(l, mtu), netlink.LinkSetTxQLen(l, 2000))
}
