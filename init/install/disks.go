package install

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wirepatch/firmware/slot"
)

// Disk is a whole disk that the kernel has found.
type Disk struct {
	Name       string // as sda
	Device     string // below /dev
	Model      string // what the disk says of itself; "" when it says nothing
	Bytes      int64
	Sector     int // in bytes, as it is addressed
	ReadOnly   bool
	Partitions []string // names of those that it holds
	Stick      bool     // this start came from it
}

// Disks lists the disks in sys (/sys/class/block), with devices in dev. The ones
// that hold the partition with the GUID stick are what this start came from.
func Disks(sys, dev, stick string) []Disk {
	names, err := os.ReadDir(sys)
	if err != nil {
		return nil
	}
	parts := slot.Partitions(sys, dev)
	var out []Disk
	for _, n := range names {
		dir := filepath.Join(sys, n.Name())
		if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
			continue
		}
		// What has no device behind it is memory or a loop; drives with media are no
		// place for an appliance.
		if _, err := os.Stat(filepath.Join(dir, "device")); err != nil || strings.HasPrefix(n.Name(), "sr") || strings.HasPrefix(n.Name(), "fd") {
			continue
		}
		d := Disk{Name: n.Name(), Device: filepath.Join(dev, n.Name()), Model: model(dir), ReadOnly: number(dir, "ro") != 0,
			Bytes: number(dir, "size") * 512, Sector: int(number(dir, "queue/logical_block_size"))}
		if d.Bytes == 0 {
			continue // a reader without a card
		}
		for _, p := range parts {
			if p.Disk == d.Device {
				d.Partitions = append(d.Partitions, p.Name)
				d.Stick = d.Stick || stick != "" && p.GUID == stick
			}
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Disk) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// model is what the disk says of its make and number.
func model(dir string) string {
	var all []string
	for _, n := range []string{"device/vendor", "device/model", "device/name", "device/serial", "serial"} {
		// A PCI device's vendor is a number.
		if t := text(dir, n); t != "" && !strings.HasPrefix(t, "0x") && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return strings.Join(all, " ")
}

func text(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

func number(dir, name string) int64 {
	n, _ := strconv.ParseInt(text(dir, name), 10, 64)
	return n
}

// Fit says why nothing can be installed on the disk, nil if it can.
func (d Disk) Fit(image int64) error {
	switch {
	case d.Stick:
		return fmt.Errorf("%s is the stick that this installer was started from; choose another disk", d.Name)
	case d.ReadOnly:
		return fmt.Errorf("%s is read-only; take off its write protection or choose another disk", d.Name)
	case d.Sector != 512:
		return fmt.Errorf("%s is addressed in sectors of %d bytes; the image is for 512: switch the disk to 512e or choose another", d.Name, d.Sector)
	case d.Bytes < image:
		return fmt.Errorf("%s has %s; the appliance needs %s: choose a larger disk", d.Name, size(d.Bytes), size(image))
	}
	return nil
}

// size is a number of bytes as disks are sold.
func size(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }
