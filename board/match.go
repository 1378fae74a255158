package board

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Interface is a network port that the kernel has found.
type Interface struct {
	Name   string // as the kernel calls it, eth0
	Driver string
	Path   string // PCI address, "" when it has none
	MAC    net.HardwareAddr
}

// Roles says which interface plays which part. A nil one was not found.
type Roles struct {
	WireA, WireB, Management *Interface
}

// Match gives each port of the board its interface. Its error names every
// port without one; the roles that were found stand nevertheless, because a
// box without management can still carry the wire, and the other way round.
func (b *Board) Match(found []Interface) (Roles, error) {
	// By address, so that the order does not hang on which driver was quicker.
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(x, y Interface) int { return strings.Compare(x.Path, y.Path) })
	taken := map[string]string{}
	var errs []error
	pick := func(p Port) *Interface {
		i := p.find(found)
		if i == nil {
			errs = append(errs, fmt.Errorf("%s: no port is %s", p.Role, p))
			return nil
		}
		if by, ok := taken[i.Name]; ok {
			errs = append(errs, fmt.Errorf("%s: %s is already %s", p.Role, i.Name, by))
			return nil
		}
		taken[i.Name] = p.Role
		return i
	}
	r := Roles{WireA: pick(b.WireA), WireB: pick(b.WireB), Management: pick(b.Management)}
	return r, errors.Join(errs...)
}

func (p Port) find(sorted []Interface) *Interface {
	nth := 0
	for i := range sorted {
		f := &sorted[i]
		if p.Driver != "" && f.Driver != p.Driver {
			continue
		}
		nth++
		if (p.Path == "" || f.Path == p.Path) && (len(p.MAC) == 0 || bytes.Equal(f.MAC, p.MAC)) && (p.Order == 0 || nth == p.Order) {
			return f
		}
	}
	return nil
}

// String says what the port is recognized by.
func (p Port) String() string {
	var all []string
	add := func(set bool, text string) {
		if set {
			all = append(all, text)
		}
	}
	add(p.Driver != "", p.Driver)
	add(p.Path != "", "at PCI "+p.Path)
	add(len(p.MAC) > 0, "with MAC "+p.MAC.String())
	add(p.Order > 0, fmt.Sprintf("number %d", p.Order))
	return strings.Join(all, " ")
}

// String describes the interface for people.
func (i Interface) String() string {
	return fmt.Sprintf("%s: driver %s, PCI %s, MAC %s", i.Name, i.Driver, i.Path, i.MAC)
}
