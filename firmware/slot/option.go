package slot

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"
)

// A slot that the machine's firmware refuses to load (under Secure Boot, one
// whose bytes changed) ends the boot loader with an error, and the machine goes
// on to its next boot option. So there are as many options for the same loader
// as a slot has tries, and one for the slot that is next: the machine finds its
// way without a hand.
const (
	options     = Tries + 1
	firstOption = 0x7700
	loaderPath  = `\EFI\systemd\systemd-bootx64.efi`
)

// GlobalVendor is the machine's firmware's own in the names of variables (UEFI
// specification, 3.3).
const GlobalVendor = "8be4df61-93ca-11d2-aa0d-00e098032b8c"

// Boot options (UEFI specification, 3.1.1, 3.1.3).
const (
	persistent    = 7 // attributes: kept, seen by boot and running system
	optionActive  = 1
	hardDriveNode = 42
)

// EnsureOptions sees to it that the machine has these boot options, before all
// others. It says whether it had to change anything.
func EnsureOptions(efivars string, p Partition) (changed bool, err error) {
	order, err := readGlobal(efivars, "BootOrder")
	if errors.Is(err, fs.ErrNotExist) {
		order, err = nil, nil
	}
	if err != nil {
		return false, err
	}
	var want []byte
	for i := range options {
		number := uint16(firstOption + i)
		name, content := fmt.Sprintf("Boot%04X", number), option(fmt.Sprintf("Wirepatch %d", i+1), p)
		if old, err := readGlobal(efivars, name); err != nil || !bytes.Equal(old, content) {
			changed = true
			if err := writeGlobal(efivars, name, content); err != nil {
				return changed, err
			}
		}
		want = binary.LittleEndian.AppendUint16(want, number)
	}
	if bytes.HasPrefix(order, want) {
		return changed, nil
	}
	for b := range slices.Chunk(order, 2) {
		if n := int(binary.LittleEndian.Uint16(append(slices.Clone(b), 0))); n < firstOption || n >= firstOption+options {
			want = append(want, b...)
		}
	}
	return true, writeGlobal(efivars, "BootOrder", want)
}

// option is an EFI_LOAD_OPTION for the loader on the partition.
func option(description string, p Partition) []byte {
	le := binary.LittleEndian
	text := func(s string) []byte {
		var out []byte
		for _, u := range append(utf16.Encode([]rune(s)), 0) {
			out = le.AppendUint16(out, u)
		}
		return out
	}
	// The partition: a node of type media, hard drive, by its GUID.
	path := le.AppendUint16([]byte{4, 1}, hardDriveNode)
	path = le.AppendUint32(path, uint32(p.Number))
	path = le.AppendUint64(path, p.Start)
	path = le.AppendUint64(path, p.Sectors)
	path = append(path, guid(p.GUID)...)
	path = append(path, 2, 2)
	// The file on it.
	file := text(loaderPath)
	path = append(le.AppendUint16(append(path, 4, 4), uint16(4+len(file))), file...)
	path = append(path, 0x7f, 0xff, 4, 0)
	out := le.AppendUint32(nil, optionActive)
	out = le.AppendUint16(out, uint16(len(path)))
	return append(append(out, text(description)...), path...)
}

// guid is a GUID as firmware keeps it: its first three parts turned round.
func guid(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		return make([]byte, 16)
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

// readGlobal reads a variable of the machine's firmware.
func readGlobal(efivars, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(efivars, name+"-"+GlobalVendor))
	if err != nil {
		return nil, err
	}
	return b[min(4, len(b)):], nil
}

// writeGlobal writes one.
func writeGlobal(efivars, name string, content []byte) error {
	return WriteVariable(efivars, name, GlobalVendor, persistent, content)
}
