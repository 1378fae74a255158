// Package modules picks kernel modules out of an unpacked kernel package: those
// that a board names, all that they depend on, in an order in which they load.
// Debian's package carries no modules.dep, so the modules' own .modinfo tells.
package modules

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"strings"
)

// Info is what a module says about itself.
type Info struct {
	Name    string
	Depends []string
	Pre     []string // soft dependencies to load before it; modules or aliases
	Aliases []string
	Version string // vermagic's first word: the kernel release it is for
}

// ParseInfo reads the .modinfo section of a module.
func ParseInfo(module []byte) (Info, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return Info{}, fmt.Errorf("read module: %w", err)
	}
	s := f.Section(".modinfo")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return Info{}, errors.New("read module: no .modinfo section")
	}
	b, err := s.Data()
	if err != nil {
		return Info{}, fmt.Errorf("read module's .modinfo: %w", err)
	}
	return parseFields(b)
}

// parseFields reads the section: NUL-terminated key=value strings.
func parseFields(b []byte) (Info, error) {
	var i Info
	for field := range bytes.SplitSeq(b, []byte{0}) {
		key, value, _ := strings.Cut(string(field), "=")
		switch key {
		case "name":
			i.Name = canonical(value)
		case "depends":
			for d := range strings.SplitSeq(value, ",") {
				if d != "" {
					i.Depends = append(i.Depends, canonical(d))
				}
			}
		case "softdep":
			i.Pre = append(i.Pre, pre(value)...)
		case "alias":
			i.Aliases = append(i.Aliases, value)
		case "vermagic":
			i.Version, _, _ = strings.Cut(value, " ")
		}
	}
	if i.Name == "" {
		return i, errors.New("read module's .modinfo: no name")
	}
	return i, nil
}

// pre takes the modules after "pre:" from a softdep, as "pre: a b post: c".
func pre(softdep string) []string {
	var out []string
	in := false
	for _, w := range strings.Fields(softdep) {
		if strings.HasSuffix(w, ":") {
			in = w == "pre:"
		} else if in {
			out = append(out, w)
		}
	}
	return out
}

// canonical writes a module's name as the kernel does; in file names - and _
// mean the same.
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }
