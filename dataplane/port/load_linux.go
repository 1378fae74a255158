package port

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// load loads program and maps, the maps from their pins where there are any.
// Who changes a map's meaning without its sizes gives it another name: then
// an old pin is not taken for a new one.
func (p *Port) load() error {
	if err := bpfFolder(p.pinDir); err != nil {
		return err
	}
	opts := &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.pinDir}}
	_, statErr := os.Stat(filepath.Join(p.pinDir, wireMapWpCounts))
	err := p.assign(opts)
	switch {
	case errors.Is(err, ebpf.ErrMapIncompatible):
		// The program in force keeps the old maps until its link is updated.
		if err := removePins(p.pinDir, isMap); err != nil {
			return err
		}
		p.note("maps of another layout replaced: counters start anew (%v)", err)
		err = p.assign(opts)
	case err == nil && statErr == nil:
		p.note("adopted pinned maps")
	}
	if err != nil {
		return fmt.Errorf("load wire program: %w", kernelError(err))
	}
	if p.engine, err = mapEngineState(p.objs.WpEngine.FD()); err != nil {
		return fmt.Errorf("map engine state: %w", err)
	}
	p.engine.stop()
	if err := p.startClocks(); err != nil {
		// Without them a machine that stands still looks as if the engine did.
		p.note("a machine that stands still counts as a dead engine: %v", err)
	}
	if p.slots.memory, err = mapSlots(p.objs.WpSlots); err != nil {
		return fmt.Errorf("map slots: %w", err)
	}
	if p.vetting, err = mapVetting(p.objs.WpVetting, p.objs.WpNeedles); err != nil {
		return fmt.Errorf("map vetting: %w", err)
	}
	if p.struck, err = mapStruck(p.objs.WpStruck); err != nil {
		return fmt.Errorf("map corrections: %w", err)
	}
	for i := range p.sides {
		e := wirePortsEntry{Ifindex: uint32(p.sides[i].ifindex), Peer: uint32(p.sides[1-i].ifindex), Side: uint32(i)}
		if t, ok := p.sides[i].carrier.(*tap); ok {
			e.Tap = uint32(t.index)
		}
		if err := p.objs.WpPorts.Put(uint32(i), e); err != nil {
			return fmt.Errorf("set wire port %s: %w", Side(i), err)
		}
	}
	return p.setXDP()
}

// bpfFolder makes dir and checks that pins can live there.
func bpfFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make pin folder: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("pin folder %s: %w", dir, err)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("pin folder %s is not on a BPF file system; mount one with: mount -t bpf bpf /sys/fs/bpf", dir)
	}
	return nil
}

func isMap(name string) bool { return !strings.HasPrefix(name, "link_") }

// mapPin returns the map that is pinned under a name.
func (p *Port) mapPin(name string) *ebpf.Map {
	o := &p.objs
	return map[string]*ebpf.Map{wireMapWpAddresses: o.WpAddresses, wireMapWpCounts: o.WpCounts, wireMapWpTicks: o.WpTicks, wireMapWpEngine: o.WpEngine, wireMapWpFlows: o.WpFlows, wireMapWpSlots: o.WpSlots,
		wireMapWpPorts: o.WpPorts, wireMapWpServices: o.WpServices, xdpMapWpXsks: p.xdp.Xsks, xdpMapWpOut: p.xdp.Out,
		wireMapWpSessions: o.WpSessions, wireMapWpOpenings: o.WpOpenings, wireMapWpVetting: o.WpVetting, wireMapWpNeedles: o.WpNeedles, wireMapWpHeads: o.WpHeads, wireMapWpStruck: o.WpStruck}[name]
}

// removePins unlinks those entries of dir that match.
func removePins(dir string, match func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read pin folder: %w", err)
	}
	for _, e := range entries {
		if !match(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove pin: %w", err)
		}
	}
	return nil
}
