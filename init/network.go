package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"

	"wirepatch/board"
)

// The names that the ports get, so that logs, pinned BPF links and people call
// them by what they are for.
const (
	wireA    = "wire-a"
	wireB    = "wire-b"
	mgmtPort = "mgmt"
)

// ports says which ports there are.
type ports struct{ wireA, wireB, management bool }

var pciAddress = regexp.MustCompile(`^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)

// bringUpPorts finds the ports by the board file, names them and brings the wire
// up. What does not match is said with all that was found, because whoever reads
// it has to write the board file from it.
func (b *box) bringUpPorts() {
	roles, found, err := b.findPorts()
	if err != nil {
		b.mismatch(err, found)
	}
	name := func(i *board.Interface, as string) bool {
		if i == nil {
			return false
		}
		b.step("name port "+as, func() error { return rename(i.Name, as) })
		return true
	}
	b.ports = ports{name(roles.WireA, wireA), name(roles.WireB, wireB), name(roles.Management, mgmtPort)}
	for as, there := range map[string]bool{wireA: b.ports.wireA, wireB: b.ports.wireB} {
		if there {
			b.step("wire port "+as, func() error { return wireUp(as, b.board.OffloadsOff) })
		}
	}
}

// mismatch says what of the board is not in this machine, and what is.
func (b *box) mismatch(err error, found []board.Interface) {
	for line := range strings.Lines(err.Error()) {
		b.journal.Logf("ports: %s", strings.TrimSpace(line))
	}
	for _, f := range found {
		b.journal.Logf("ports: found %s", f)
	}
	if len(found) == 0 {
		b.journal.Logf("ports: found none: no driver of this image fits the machine's cards")
	}
}

// findPorts waits up to five seconds for drivers that find their ports late.
func (b *box) findPorts() (r board.Roles, found []board.Interface, err error) {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if found, err = interfaces("/sys/class/net"); err != nil {
			return r, nil, err
		}
		if r, err = b.board.Match(found); err == nil || time.Now().After(end) {
			return r, found, err
		}
	}
}

// interfaces lists the ports with a device behind them, from sysfs.
func interfaces(dir string) ([]board.Interface, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list network ports: %w", err)
	}
	var out []board.Interface
	for _, n := range names {
		device, err := filepath.EvalSymlinks(filepath.Join(dir, n.Name(), "device"))
		if err != nil {
			continue // lo and other virtual ones
		}
		i := board.Interface{Name: n.Name()}
		if driver, err := os.Readlink(filepath.Join(device, "driver")); err == nil {
			i.Driver = filepath.Base(driver)
		}
		// A virtio device lies below the PCI device that carries it.
		for d := device; d != "/" && i.Path == ""; d = filepath.Dir(d) {
			if pciAddress.MatchString(filepath.Base(d)) {
				i.Path = filepath.Base(d)
			}
		}
		if l, err := netlink.LinkByName(n.Name()); err == nil {
			i.MAC = l.Attrs().HardwareAddr
			if p := l.Attrs().PermHWAddr; len(p) > 0 {
				i.MAC = p
			}
		}
		out = append(out, i)
	}
	return out, nil
}

func rename(from, to string) error {
	if from == to {
		return nil
	}
	l, err := netlink.LinkByName(from)
	if err != nil {
		return fmt.Errorf("find %s: %w", from, err)
	}
	if err := netlink.LinkSetDown(l); err != nil {
		return fmt.Errorf("take %s down: %w", from, err)
	}
	if err := netlink.LinkSetName(l, to); err != nil {
		return fmt.Errorf("name %s %s: %w", from, to, err)
	}
	return nil
}

// wireUp makes a port a piece of wire: it takes all frames, answers none, and
// hands them on as they came.
func wireUp(name string, offloadsOff []string) error {
	if err := sysctl("net.ipv6.conf."+name+".disable_ipv6", "1"); err != nil {
		return err
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	// No ARP: until the program sits on the port the box would answer for its
	// management address.
	if err := netlink.LinkSetARPOff(l); err != nil {
		return fmt.Errorf("switch ARP off: %w", err)
	}
	if err := netlink.SetPromiscOn(l); err != nil {
		return fmt.Errorf("take all frames: %w", err)
	}
	if err := switchOff(name, offloadsOff); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	return nil
}

// switchOff switches off those of the offloads that the port has and that are
// on; a driver that has none of them is fine.
func switchOff(name string, offloads []string) error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("ethtool: %w", err)
	}
	defer e.Close()
	have, err := e.FeaturesWithState(name)
	if err != nil {
		return fmt.Errorf("ask for offloads: %w", err)
	}
	change := map[string]bool{}
	for _, o := range offloads {
		if f, ok := have[o]; ok && f.Active {
			change[o] = false
		}
	}
	if len(change) == 0 {
		return nil
	}
	if err := e.Change(name, change); err != nil {
		return fmt.Errorf("switch offloads off: %w", err)
	}
	now, err := e.FeaturesWithState(name)
	if err != nil {
		return fmt.Errorf("ask for offloads: %w", err)
	}
	for o := range change {
		if now[o].Active {
			return fmt.Errorf("offload %s stays on; frames may be merged on their way", o)
		}
	}
	return nil
}
