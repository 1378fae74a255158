package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// side is one wire port: its interface, and what carries its frames.
type side struct {
	name    string
	ifindex int
	mtu     int
	base    int // MTU without room for tags; 0: unknown
	notes   []string
	carrier carrier
}

// open readies the interface.
func (d *side) open(name string, mtu int) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	d.name, d.ifindex = name, l.Attrs().Index
	if l.Attrs().EncapType != "ether" {
		return fmt.Errorf("interface type is %s; want an Ethernet interface", l.Attrs().EncapType)
	}
	d.size(l, mtu)
	d.roomForTags(l)
	if err := quiet(name); err != nil {
		return err
	}
	if err := netlink.SetPromiscOn(l); err != nil {
		return fmt.Errorf("set promiscuous: %w", err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// tagRoom is what three more tags take than the one that fits besides the MTU.
const tagRoom = 3 * 4

// size sets the interface's MTU, if one is given. A wire with another one is
// better than none.
func (d *side) size(l netlink.Link, mtu int) {
	d.mtu, d.base = l.Attrs().MTU, mtu
	if mtu == 0 && d.mtu == 1500 {
		d.base = d.mtu
	}
	if mtu == 0 || mtu <= d.mtu && d.mtu <= mtu+tagRoom {
		return
	}
	if err := netlink.LinkSetMTU(l, mtu); err != nil {
		d.notes = append(d.notes, fmt.Sprintf("MTU of %s stays %d: the driver refuses %d (%v)", d.name, d.mtu, mtu, err))
		return
	}
	d.mtu = mtu
}

// roomForTags has full frames with several tags cross, which drivers and XDP
// measure by the MTU. Where a driver refuses, they do not.
func (d *side) roomForTags(l netlink.Link) {
	if d.mtu == d.base && netlink.LinkSetMTU(l, d.mtu+tagRoom) == nil {
		d.mtu += tagRoom
	}
}

// narrow undoes roomForTags, and says whether there was something to undo.
func (d *side) narrow() bool {
	l, err := netlink.LinkByIndex(d.ifindex)
	if err != nil || d.base == 0 || d.mtu <= d.base || netlink.LinkSetMTU(l, d.base) != nil {
		return false
	}
	d.mtu = d.base
	return true
}

// widen undoes narrow.
func (d *side) widen() {
	if l, err := netlink.LinkByIndex(d.ifindex); err == nil {
		d.roomForTags(l)
	}
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

func (d *side) close() {
	if d.carrier != nil {
		d.carrier.close()
		d.carrier = nil
	}
}

// remove ends promiscuous mode.
func (d *side) remove() error {
	l, err := netlink.LinkByIndex(d.ifindex)
	if err != nil {
		return nil // it is gone
	}
	return netlink.SetPromiscOff(l)
}

func closeFD(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
		*fd = -1
	}
}
