package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

// TapQueue is how many frames a TAP holds for the engine.
const TapQueue = 4096

// sendBuffer bounds what the kernel holds for one port of what the engine sent,
// in bytes. Beyond it a frame is lost, as on a wire.
const sendBuffer = 8 << 20

func tapName(s Side) string { return "wirepatch-" + s.String() }

// side is one wire port: its interface, its TAP, its packet socket.
type side struct {
	name     string
	ifindex  int
	tap      int // file descriptor
	tapIndex int // interface index
	out      int // packet socket

	// Send's, here so that sending allocates nothing.
	hdr [packet.VNetLen]byte
	iov [2]unix.Iovec
}

func (d *side) reset() { d.tap, d.out = -1, -1 }

func (d *side) open(name, tap string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	d.name, d.ifindex = name, l.Attrs().Index
	if l.Attrs().EncapType != "ether" {
		return fmt.Errorf("interface type is %s; want an Ethernet interface", l.Attrs().EncapType)
	}
	if err := quiet(name); err != nil {
		return err
	}
	if err := netlink.SetPromiscOn(l); err != nil {
		return fmt.Errorf("set promiscuous: %w", err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	if err := d.openTap(tap); err != nil {
		return fmt.Errorf("TAP %s: %w", tap, err)
	}
	return d.openSocket()
}

// quiet keeps the kernel's own IPv6 (router solicitations, MLD, duplicate
// address detection) off an interface.
func quiet(name string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a kernel without IPv6
	}
	return err
}

// openTap makes the TAP, or takes over the one that an earlier process left.
func (d *side) openTap(name string) error {
	err := d.attachTap(name)
	if errors.Is(err, unix.EINVAL) { // one of another kind bears the name
		if l, err := netlink.LinkByName(name); err == nil {
			netlink.LinkDel(l)
		}
		err = d.attachTap(name)
	}
	if err != nil {
		return err
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	d.tapIndex = l.Attrs().Index
	if err := quiet(name); err != nil {
		return err
	}
	// Down first: an adopted TAP has just got its carrier back, and only setting
	// it up activates its queue at once; else the kernel takes its time.
	if err := netlink.LinkSetDown(l); err != nil {
		return fmt.Errorf("set down: %w", err)
	}
	if err := netlink.LinkSetTxQLen(l, TapQueue); err != nil {
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

func (d *side) attachTap(name string) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun (kernel module tun is needed): %w", err)
	}
	d.closeTap()
	d.tap = fd
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("another dataplane process holds it: %w", err)
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
func (d *side) openSocket() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	d.out = fd
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return fmt.Errorf("packet socket: set virtio header: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer); err != nil {
		return fmt.Errorf("packet socket: set send buffer: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: d.ifindex}); err != nil {
		return fmt.Errorf("packet socket: bind: %w", err)
	}
	return nil
}

func (d *side) closeTap() { closeFD(&d.tap) }

func (d *side) close() {
	closeFD(&d.tap)
	closeFD(&d.out)
}

// remove deletes the TAP and ends promiscuous mode.
func (d *side) remove() error {
	var errs []error
	if l, err := netlink.LinkByIndex(d.tapIndex); err == nil {
		errs = append(errs, netlink.LinkDel(l))
	}
	if l, err := netlink.LinkByIndex(d.ifindex); err == nil {
		errs = append(errs, netlink.SetPromiscOff(l))
	}
	return errors.Join(errs...)
}

func closeFD(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
		*fd = -1
	}
}
