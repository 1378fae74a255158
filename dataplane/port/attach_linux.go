package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// linkNames are the names under which the ports' links are pinned.
var linkNames = [...][2]string{tcx: {"link_a", "link_b"}, xdp: {"link_xdp_a", "link_xdp_b"}}

func (p *Port) linkPin(s Side) string { return filepath.Join(p.pinDir, linkNames[p.way][s]) }

// attach puts the program in force on both ports. A pinned link is updated in
// place, and one of the other way goes after both ports have the new one: at no
// instant is a port without a program.
func (p *Port) attach() error {
	for _, s := range []Side{A, B} {
		if p.adopt(s) {
			p.note("adopted pinned link of wire port %s", s)
			continue
		}
		l, err := p.newLink(s)
		if err != nil {
			return fmt.Errorf("attach program to wire port %s (%s): %w", s, p.sides[s].name, kernelError(err))
		}
		p.links[s] = l
		if err := l.Pin(p.linkPin(s)); err != nil {
			return fmt.Errorf("pin link of wire port %s: %w", s, err)
		}
	}
	for _, name := range linkNames[1-p.way] {
		if err := cut(filepath.Join(p.pinDir, name)); err != nil {
			return fmt.Errorf("take the other program off: %w", err)
		}
	}
	err := removePins(p.pinDir, func(name string) bool {
		return !slices.Contains(linkNames[p.way][:], name) && p.mapPin(name) == nil && name != tickMapWpClocks
	})
	if p.way == xdp {
		err = errors.Join(err, removeTap(A), removeTap(B))
	}
	return err
}

func (p *Port) newLink(s Side) (link.Link, error) {
	if p.way == xdp {
		o := link.XDPOptions{Interface: p.sides[s].ifindex, Program: p.objs.Wire, Flags: link.XDPDriverMode}
		l, err := link.AttachXDP(o)
		if err != nil && p.sides[s].narrow() {
			// igc runs XDP up to an MTU of 1500 (igc_xdp_set_prog).
			if l, err = link.AttachXDP(o); err != nil {
				p.sides[s].widen()
			}
		}
		return l, err
	}
	return link.AttachTCX(link.TCXOptions{Interface: p.sides[s].ifindex, Program: p.objs.Wire, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
}

// cut detaches the link that is pinned at path, if there is one. Only to remove
// the pin would leave it in force for a while.
func cut(path string) error {
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(l.Detach(), l.Unpin(), l.Close())
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
	if err := p.updateLink(l, p.sides[s].ifindex); err != nil {
		p.note("pinned link of wire port %s replaced: %v", s, err)
		l.Unpin()
		l.Close()
		return false
	}
	p.links[s] = l
	return true
}

func (p *Port) updateLink(l link.Link, ifindex int) error {
	info, err := l.Info()
	if err != nil {
		return err
	}
	on := -1
	if i := info.TCX(); p.way == tcx && i != nil && ebpf.AttachType(i.AttachType) == ebpf.AttachTCXIngress {
		on = int(i.Ifindex)
	} else if i := info.XDP(); p.way == xdp && i != nil {
		on = int(i.Ifindex)
	}
	if on != ifindex {
		return errors.New("it belongs to another interface")
	}
	return l.Update(p.objs.Wire)
}

// Detach takes the program off the ports and removes all that Open made: the
// wire is cut.
func (p *Port) Detach() error {
	var errs []error
	for i := range p.links {
		if p.links[i] != nil {
			errs = append(errs, p.links[i].Detach(), p.links[i].Unpin())
		}
	}
	errs = append(errs, removePins(p.pinDir, isMap), os.Remove(p.pinDir))
	for i := range p.sides {
		errs = append(errs, p.sides[i].remove(), removeTap(Side(i)))
	}
	return errors.Join(append(errs, p.Close())...)
}
