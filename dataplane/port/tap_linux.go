package port

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

// tapQueue is how many frames a TAP holds for the engine.
const tapQueue = 4096

// tap carries a port's frames beside tcx: up through a TAP, which has one
// reader and so needs but one queue, and out through a packet socket. Frames
// have virtio-net headers both ways.
type tap struct {
	fd    int // of the TAP
	index int // interface index of the TAP
	out   int // packet socket

	box    *outbox
	failed unsent

	// write's, here so that sending allocates nothing.
	hdr [packet.VNetLen]byte
	iov [2]unix.Iovec
}

func tapName(s Side) string { return "wirepatch-" + s.String() }

// newTap opens the TAP of a side and the packet socket of its port.
func newTap(s Side, ifindex int) (*tap, error) {
	t := &tap{fd: -1, out: -1, box: newOutbox()}
	if err := t.openTap(tapName(s)); err != nil {
		t.close()
		return nil, fmt.Errorf("TAP %s: %w", tapName(s), err)
	}
	if err := t.openSocket(ifindex); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// openTap makes the TAP, or takes over the one that an earlier process left.
func (t *tap) openTap(name string) error {
	err := t.attach(name)
	if errors.Is(err, unix.EINVAL) { // one of another kind bears the name
		if l, err := netlink.LinkByName(name); err == nil {
			netlink.LinkDel(l)
		}
		err = t.attach(name)
	}
	if err != nil {
		return err
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	t.index = l.Attrs().Index
	if err := quiet(name); err != nil {
		return err
	}
	// Down first: an adopted TAP has just got its carrier back, and only setting
	// it up activates its queue at once; else the kernel takes its time.
	if err := netlink.LinkSetDown(l); err != nil {
		return fmt.Errorf("set down: %w", err)
	}
	if err := netlink.LinkSetTxQLen(l, tapQueue); err != nil {
		return fmt.Errorf("set queue length: %w", err)
	}
	if err := netlink.LinkSetARPOff(l); err != nil {
		return fmt.Errorf("set ARP off: %w", err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

func (t *tap) attach(name string) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun (kernel module tun is needed): %w", err)
	}
	closeFD(&t.fd)
	t.fd = fd
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("%w: %w", errHeld, err)
		}
		return fmt.Errorf("attach: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("make persistent: %w", err)
	}
	offload := unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offload); err != nil {
		return fmt.Errorf("set offloads: %w", err)
	}
	return nil
}

// openSocket opens the socket that sends out of the port. Its protocol is 0:
// it never receives.
func (t *tap) openSocket(ifindex int) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	t.out = fd
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return fmt.Errorf("packet socket: set virtio header: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer); err != nil {
		return fmt.Errorf("packet socket: set send buffer: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifindex}); err != nil {
		return fmt.Errorf("packet socket: bind: %w", err)
	}
	return nil
}

func (t *tap) close() {
	closeFD(&t.fd)
	closeFD(&t.out)
}

func (t *tap) fds() []int  { return []int{t.fd} }
func (t *tap) ready() bool { return false }

func (t *tap) flush() unsent {
	t.push()
	u := t.failed
	t.failed = unsent{}
	return u
}

func (t *tap) recv(buf []byte) (packet.VNet, []byte, error) {
	var v packet.VNet
	n, err := t.read(buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return v, nil, ErrAgain
	}
	if err != nil {
		return v, nil, err
	}
	if !v.Unmarshal(buf[:n]) {
		return v, nil, fmt.Errorf("got %d bytes, want a virtio header", n)
	}
	return v, buf[packet.VNetLen:n], nil
}

// lost is what the TAP's queue had no room for, since the TAP was made.
func (t *tap) lost() (uint64, error) {
	l, err := netlink.LinkByIndex(t.index)
	if err != nil {
		return 0, err
	}
	if s := l.Attrs().Statistics; s != nil {
		return s.TxDropped, nil
	}
	return 0, nil
}

// removeTap deletes a side's TAP, if there is one.
func removeTap(s Side) error {
	l, err := netlink.LinkByName(tapName(s))
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkDel(l)
}
