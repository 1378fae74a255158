package port

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Flow is a TCP session by its two ends.
type Flow struct{ Client, Server netip.AddrPort }

// MarkEdited says that the engine has changed bytes of a session, so that its
// ends no longer count alike: when the engine is gone its frames are dropped,
// whatever the service's policy, for to pass them would corrupt it. The mark
// outlives the process and ends with the next SYN between the two ends.
func (p *Port) MarkEdited(f Flow) error {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return fmt.Errorf("mark edited session: %w", err)
	}
	if err := p.objs.WpEdited.Put(flowKey(f), uint64(ts.Nano())); err != nil {
		return fmt.Errorf("mark edited session: %w", err)
	}
	return nil
}

// Edited lists the marked sessions. Called before the first MarkEdited, it tells
// which sessions an earlier process left that cannot be picked up.
func (p *Port) Edited() ([]Flow, error) {
	var out []Flow
	var k wireFlowKey
	var v uint64
	it := p.objs.WpEdited.Iterate()
	for it.Next(&k, &v) {
		out = append(out, flowOf(k))
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("list edited sessions: %w", err)
	}
	return out, nil
}

func flowKey(f Flow) wireFlowKey {
	k := wireFlowKey{Family: 6, Port: [2]uint16{networkOrder(f.Client.Port()), networkOrder(f.Server.Port())}}
	if f.Client.Addr().Unmap().Is4() {
		k.Family = 4
	}
	k.Addr = [2][16]uint8{f.Client.Addr().As16(), f.Server.Addr().As16()}
	return k
}

func flowOf(k wireFlowKey) Flow {
	end := func(i int) netip.AddrPort {
		a := netip.AddrFrom16(k.Addr[i])
		if k.Family == 4 {
			a = a.Unmap()
		}
		return netip.AddrPortFrom(a, networkOrder(k.Port[i])) // its own inverse
	}
	return Flow{end(0), end(1)}
}
