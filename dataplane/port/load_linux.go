package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
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
	err := loadWireObjects(&p.objs, opts)
	switch {
	case errors.Is(err, ebpf.ErrMapIncompatible):
		// The program in force keeps the old maps until its link is updated.
		if err := removePins(p.pinDir, isMap); err != nil {
			return err
		}
		p.note("maps of another layout replaced: counters start anew (%v)", err)
		err = loadWireObjects(&p.objs, opts)
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
	if p.slots.memory, err = mapSlots(p.objs.WpSlots); err != nil {
		return fmt.Errorf("map slots: %w", err)
	}
	for i := range p.sides {
		e := wirePortsEntry{Ifindex: uint32(p.sides[i].ifindex), Peer: uint32(p.sides[1-i].ifindex), Tap: uint32(p.sides[i].tapIndex)}
		if err := p.objs.WpPorts.Put(uint32(i), e); err != nil {
			return fmt.Errorf("set wire port %s: %w", Side(i), err)
		}
	}
	return nil
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

func (p *Port) linkPin(s Side) string { return filepath.Join(p.pinDir, "link_"+s.String()) }

// attach puts the program in force on both ports. A pinned link is updated in
// place: at no instant is the port without a program.
func (p *Port) attach() error {
	for _, s := range []Side{A, B} {
		if p.adopt(s) {
			p.note("adopted pinned link of wire port %s", s)
			continue
		}
		l, err := link.AttachTCX(link.TCXOptions{Interface: p.sides[s].ifindex, Program: p.objs.Wire, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
		if err != nil {
			return fmt.Errorf("attach program to wire port %s (%s): %w", s, p.sides[s].name, kernelError(err))
		}
		p.links[s] = l
		if err := l.Pin(p.linkPin(s)); err != nil {
			return fmt.Errorf("pin link of wire port %s: %w", s, err)
		}
	}
	return removePins(p.pinDir, func(name string) bool {
		return name != "link_a" && name != "link_b" && p.objs.mapPin(name) == nil
	})
}

// adopt takes the pinned link of a port over, if it is one of this interface.
func (p *Port) adopt(s Side) bool {
	l, err := link.LoadPinnedLink(p.linkPin(s), nil)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.note("pinned link of wire port %s replaced: %v", s, err)
			os.Remove(p.linkPin(s))
		}
		return false
	}
	if err := updateLink(l, p.sides[s].ifindex, p.objs.Wire); err != nil {
		p.note("pinned link of wire port %s replaced: %v", s, err)
		l.Unpin()
		l.Close()
		return false
	}
	p.links[s] = l
	return true
}

func updateLink(l link.Link, ifindex int, prog *ebpf.Program) error {
	info, err := l.Info()
	if err != nil {
		return err
	}
	if tcx := info.TCX(); tcx == nil || int(tcx.Ifindex) != ifindex || ebpf.AttachType(tcx.AttachType) != ebpf.AttachTCXIngress {
		return errors.New("it belongs to another interface")
	}
	return l.Update(prog)
}

func isMap(name string) bool { return !strings.HasPrefix(name, "link_") }

func (o *wireObjects) mapPin(name string) *ebpf.Map {
	return map[string]*ebpf.Map{wireMapWpAddresses: o.WpAddresses, wireMapWpCounts: o.WpCounts, wireMapWpEngine: o.WpEngine, wireMapWpFlows: o.WpFlows, wireMapWpSlots: o.WpSlots,
		wireMapWpPorts: o.WpPorts, wireMapWpServices: o.WpServices}[name]
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

// Detach takes the program off the ports and removes all that Open made: the
// wire is cut.
func (p *Port) Detach() error {
	var errs []error
	for i := range p.links {
		if p.links[i] != nil {
			errs = append(errs, p.links[i].Unpin())
		}
	}
	errs = append(errs, removePins(p.pinDir, isMap), os.Remove(p.pinDir))
	for i := range p.sides {
		errs = append(errs, p.sides[i].remove())
	}
	return errors.Join(append(errs, p.Close())...)
}
