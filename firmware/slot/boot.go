package slot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

// Efivars is where the kernel shows the firmware's variables.
const Efivars = "/sys/firmware/efi/efivars"

// loaderVendor is systemd's in the names of variables (Boot Loader Interface).
const loaderVendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

// maxVariable is more than any of these variables has, in bytes.
const maxVariable = 4096

// Boot is what the boot loader says about this start. It lives in memory that is
// lost at reset, so it is about no earlier one.
type Boot struct {
	Entry     string // slot's ID that was started
	Partition string // GUID of the EFI system partition
}

// ErrNoLoader says that no boot loader left word: the kernel was started directly.
var ErrNoLoader = errors.New("started without boot loader")

// ReadBoot reads it from the kernel's folder of variables.
func ReadBoot(efivars string) (b Boot, err error) {
	if b.Entry, err = variable(efivars, "LoaderEntrySelected"); err != nil {
		return b, err
	}
	b.Partition, err = variable(efivars, "LoaderDevicePartUUID")
	b.Entry, b.Partition = strings.ToLower(b.Entry), strings.ToLower(b.Partition)
	// It names the file as it was before this try was counted.
	if s, ok := Parse(b.Entry); ok {
		b.Entry = s.ID()
	}
	return b, err
}

// StartedFrom returns the GUID of the partition that the running program was
// loaded from, also without boot loader: the unified kernel image says it itself.
// It is "" when nothing says it.
func StartedFrom(efivars string) string {
	guid, err := variable(efivars, "LoaderDevicePartUUID")
	if err != nil {
		return ""
	}
	return strings.ToLower(guid)
}

// Flag reads one of the machine's firmware's that are a byte, 0 or 1; one that is
// not there is 0.
func Flag(efivars, name string) bool {
	b, err := readGlobal(efivars, name)
	return err == nil && len(b) == 1 && b[0] == 1
}

// WriteVariable writes a variable in one piece: the kernel takes it so only.
func WriteVariable(efivars, name, vendor string, attributes uint32, content []byte) error {
	f, err := os.OpenFile(filepath.Join(efivars, name+"-"+vendor), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("write EFI variable %s: %w", name, err)
	}
	_, err = f.Write(append(binary.LittleEndian.AppendUint32(nil, attributes), content...))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write EFI variable %s: %w", name, err)
	}
	return nil
}

// variable reads one of the boot loader's: four bytes of attributes, then UTF-16
// that ends with 0.
func variable(efivars, name string) (string, error) {
	f, err := os.Open(filepath.Join(efivars, name+"-"+loaderVendor))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoLoader
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxVariable))
	if err != nil {
		return "", err
	}
	if len(raw) < 4 {
		return "", fmt.Errorf("read EFI variable %s: it is empty", name)
	}
	var units []uint16
	for raw = raw[4:]; len(raw) >= 2; raw = raw[2:] {
		u := binary.LittleEndian.Uint16(raw)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units)), nil
}
