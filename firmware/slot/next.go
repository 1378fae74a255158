package slot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/unix"
)

// Next is what the boot loader is left for the starts to come. It counts the
// starts of slots on trial by itself, but starts a confirmed one again and again,
// whatever became of the file. So as long as nothing is on trial, firmware that
// got as far as init asks for one further start of itself, and what is started
// without that request is the other firmware. The boot loader takes the request
// away before it starts anything.
type Next struct {
	Once string // ID of the slot that is started next; "" for the boot loader's own choice
	Else string // pattern of names that start when nothing is asked for once
}

// The boot loader's variables (Boot Loader Interface).
const (
	oneShot      = "LoaderEntryOneShot"
	defaultEntry = "LoaderEntryDefault"
)

// Plan says what to leave with these slots on the disk, newest first.
func Plan(all []Slot) Next {
	var confirmed, spent []Slot
	for _, s := range all {
		switch {
		case !s.Counting:
			confirmed = append(confirmed, s)
		case s.Spent():
			spent = append(spent, s)
		default:
			return Next{} // it is the boot loader's turn to count
		}
	}
	switch {
	case len(confirmed) > 1:
		return Next{confirmed[0].ID(), confirmed[1].ID()}
	case len(confirmed) == 1 && len(spent) == 1:
		// Also when its name should lose that it was confirmed: without tries left on
		// both sides the boot loader would choose the newer.
		return Next{Else: confirmed[0].pattern(spent[0])}
	}
	return Next{}
}

// pattern matches the names of the slot with any count, but not the other slot's.
func (s Slot) pattern(other Slot) string {
	if strings.HasPrefix(other.Version, s.Version+".") {
		return s.ID()
	}
	return strings.TrimSuffix(s.ID(), ".efi") + "[+.]*"
}

// ReadNext reads what is left with the boot loader.
func ReadNext(efivars string) (n Next, err error) {
	for name, to := range map[string]*string{oneShot: &n.Once, defaultEntry: &n.Else} {
		if *to, err = variable(efivars, name); err != nil && !errors.Is(err, ErrNoLoader) {
			return n, err
		}
	}
	return n, nil
}

// Leave leaves it. The request comes before what is started without one, and goes
// after it: a power cut in between starts what runs now.
func (n Next) Leave(efivars string) error {
	was, err := ReadNext(efivars)
	if err != nil || was == n {
		return err
	}
	if was.Else != n.Else {
		if err := leave(efivars, defaultEntry, ""); err != nil {
			return err
		}
	}
	if was.Once != n.Once {
		if err := leave(efivars, oneShot, n.Once); err != nil {
			return err
		}
	}
	if was.Else == n.Else {
		return nil
	}
	return leave(efivars, defaultEntry, n.Else)
}

// leave writes one of the boot loader's variables anew, or removes it.
func leave(efivars, name, value string) error {
	path := filepath.Join(efivars, name+"-"+loaderVendor)
	if err := mutable(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("EFI variable %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove EFI variable %s: %w", name, err)
	}
	if value == "" {
		return nil
	}
	var content []byte
	for _, u := range append(utf16.Encode([]rune(value)), 0) {
		content = binary.LittleEndian.AppendUint16(content, u)
	}
	return WriteVariable(efivars, name, loaderVendor, persistent, content)
}

const immutable = 0x10 // include/uapi/linux/fs.h: FS_IMMUTABLE_FL

// mutable takes from the file what the kernel protects variables with that it does
// not know, against being removed by accident.
func mutable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil || flags&immutable == 0 {
		return nil // a folder of files, as in tests
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags&^immutable)
}
