package port

import (
	"context"
	"errors"
	"fmt"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Info describes a wire port's interface.
type Info struct {
	Name, Driver, MAC string
	Up                bool // it has link
	SpeedMbit         int  // 0: unknown
}

// Describe reads what the kernel knows of an interface. What a driver does not
// tell stays empty.
func Describe(name string) (Info, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return Info{Name: name}, fmt.Errorf("describe interface %s: %w", name, err)
	}
	i := Info{Name: name, MAC: l.Attrs().HardwareAddr.String(), Up: hasLink(l)}
	e, err := ethtool.NewEthtool()
	if err != nil {
		return i, fmt.Errorf("describe interface %s: %w", name, err)
	}
	defer e.Close()
	if d, err := e.DriverName(name); err == nil {
		i.Driver = d
	}
	// SPEED_UNKNOWN is all ones; some drivers cut it to 16 bits.
	if v, err := e.CmdGet(&ethtool.EthtoolCmd{}, name); err == nil && v != 1<<32-1 && v != 1<<16-1 && i.Up {
		i.SpeedMbit = int(v)
	}
	return i, nil
}

func hasLink(l netlink.Link) bool { return l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0 }

// ErrGone says that a wire port's interface is no longer there.
var ErrGone = errors.New("interface is gone")

// WatchLinks calls changed whenever a wire port's link comes or goes, until ctx
// is done. It is first called for the state at the beginning. An interface that
// has gone (ErrGone) needs a new Open, also if one of its name comes back.
func (p *Port) WatchLinks(ctx context.Context, changed func(s Side, up bool)) error {
	updates, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
	defer close(done)
	failed := make(chan error, 1)
	opts := netlink.LinkSubscribeOptions{ListExisting: true, ErrorCallback: func(err error) {
		select {
		case failed <- err:
		default:
		}
	}}
	if err := netlink.LinkSubscribeWithOptions(updates, done, opts); err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	var known, state [2]bool
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("watch links: %w", err)
		case u, ok := <-updates:
			if !ok {
				return errors.New("watch links: the kernel closed the subscription")
			}
			for s := range p.sides {
				if int(u.Index) != p.sides[s].ifindex || u.Family == unix.AF_BRIDGE {
					continue
				}
				if u.Header.Type == unix.RTM_DELLINK {
					return fmt.Errorf("wire port %s (%s): %w", Side(s), p.sides[s].name, ErrGone)
				}
				up := hasLink(u.Link)
				if !known[s] || up != state[s] {
					known[s], state[s] = true, up
					changed(Side(s), up)
				}
			}
		}
	}
}

// MTU returns the longest IP packet that a wire port is to send.
func (p *Port) MTU(s Side) int {
	if d := &p.sides[s]; d.base == 0 {
		return d.mtu
	}
	return p.sides[s].base
}
