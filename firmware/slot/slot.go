// Package slot knows the firmware slots: unified kernel images on the EFI system
// partition, whose file names say version and tries left, as systemd-boot counts
// them. init asks it what runs and confirms or gives up the running slot; the
// update puts a new one in. It does not judge whether a slot is healthy, nor
// whether its signature is good.
//
//	wirepatch_0.2.0+3.efi     new: three tries left
//	wirepatch_0.2.0+2-1.efi   the first try is under way, or failed
//	wirepatch_0.2.0+0-3.efi   given up: started only when there is no other
//	wirepatch_0.2.0+0.efi     set aside by hand: the same
//	wirepatch_0.2.0.efi       confirmed
package slot

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Folder is where the slots lie on the EFI system partition: where systemd-boot
// looks for them.
const Folder = "EFI/Linux"

// Tries is how often a new slot may fail to confirm itself.
const Tries = 3

// Slot is one slot as its file name tells.
type Slot struct {
	Version  string
	Counting bool // not confirmed
	Left     int  // tries left, while Counting
	Done     int  // tries made, while Counting
}

var name = regexp.MustCompile(`^wirepatch_([0-9]+(?:\.[0-9]+){0,3}(?:[~-][a-z0-9.]+)?)(?:\+([0-9]{1,2})(?:-([0-9]{1,6}))?)?\.efi$`)

// Parse reads a file name.
func Parse(file string) (Slot, bool) {
	// Firmware may write names as it likes: FAT knows no case.
	m := name.FindStringSubmatch(strings.ToLower(file))
	if m == nil {
		return Slot{}, false
	}
	s := Slot{Version: m[1], Counting: m[2] != ""}
	s.Left, _ = strconv.Atoi(m[2])
	s.Done, _ = strconv.Atoi(m[3])
	return s, true
}

// ID is the name by which systemd-boot says which slot it started: without the
// count.
func (s Slot) ID() string { return "wirepatch_" + s.Version + ".efi" }

// File is the slot's file name.
func (s Slot) File() string {
	switch {
	case !s.Counting:
		return s.ID()
	case s.Done == 0:
		return fmt.Sprintf("wirepatch_%s+%d.efi", s.Version, s.Left)
	}
	return fmt.Sprintf("wirepatch_%s+%d-%d.efi", s.Version, s.Left, s.Done)
}

// State says in a word what the slot is.
func (s Slot) State() string {
	switch {
	case !s.Counting:
		return "confirmed"
	case s.Left == 0 && s.Done > 0:
		return "given up"
	case s.Left == 0:
		return "set aside"
	case s.Done > 0:
		return "on trial"
	}
	return "new"
}

// Confirmed is the slot once it has proved itself.
func (s Slot) Confirmed() Slot { return Slot{Version: s.Version} }

// GivenUp is the slot once it has failed.
func (s Slot) GivenUp() Slot { return Slot{Version: s.Version, Counting: true, Done: max(s.Done, 1)} }

// SetAside is the slot that an operator has left for the other one.
func (s Slot) SetAside() Slot { return Slot{Version: s.Version, Counting: true} }

// Spent says whether the boot loader starts it only when there is no other.
func (s Slot) Spent() bool { return s.Counting && s.Left == 0 }

// Compare orders versions: negative when a is older than b. A suffix after ~ or
// - is a version before the one without (0.2.0~rc1 before 0.2.0).
func Compare(a, b string) int {
	number := func(v string) ([]int, string) {
		base, suffix := v, ""
		if i := strings.IndexAny(v, "~-"); i >= 0 {
			base, suffix = v[:i], v[i+1:]
		}
		var out []int
		for p := range strings.SplitSeq(base, ".") {
			n, _ := strconv.Atoi(p)
			out = append(out, n)
		}
		for len(out) > 1 && out[len(out)-1] == 0 {
			out = out[:len(out)-1]
		}
		return out, suffix
	}
	an, as := number(a)
	bn, bs := number(b)
	if c := slices.Compare(an, bn); c != 0 {
		return c
	}
	if (as == "") != (bs == "") {
		if as == "" {
			return 1
		}
		return -1
	}
	return cmp.Compare(as, bs)
}

// Valid says whether it is a version that a slot can have.
func Valid(version string) bool {
	s, ok := Parse(Slot{Version: version}.ID())
	return ok && s.Version == version
}
