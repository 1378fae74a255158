// Package board describes the hardware that the appliance runs on: which
// network ports are the wire, which one is management, what modules and
// consoles there are. One INI file per board; the image carries the one it was
// built for. It only reads and matches; init acts on it.
package board

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"strings"
	"time"
)

// Path is where the image carries its board file.
const Path = "/etc/wirepatch/board.ini"

//go:embed *.ini
var files embed.FS

// Board is one board file.
type Board struct {
	Name       string // the file's name without .ini
	Title      string // for people
	WireA      Port   // towards the clients
	WireB      Port   // towards the servers
	Management Port
	// Attach is how the dataplane's program is to sit on the wire ports: "tcx",
	// "xdp", or "auto" as suits their drivers. appliance.ini can say otherwise.
	Attach  string
	Modules []string // kernel modules to load, in this order; what they depend on is worked out by the image's build
	// Optional are further modules, loaded before those: that one of them does
	// not load on a machine that lacks what it is for is no fault.
	Optional []string
	Consoles []Console
	// OffloadsOff are ethtool feature names that are switched off on the wire
	// ports because they change frames, as rx-lro.
	OffloadsOff []string
	Watchdog    Watchdog
	// Bypass is the line on which the relay hangs that joins the two wire ports
	// outside the box; without a chip there is none.
	Bypass Line
	// Lights are the board's, by what they show: "forwarding", "fault".
	Lights map[string]Line
	// KernelOptions are added to the kernel's command line.
	KernelOptions []string
}

// Port says how a network port is recognized. What is set must all hold; at
// least one of Path, MAC and Order is set.
type Port struct {
	Role   string           // "wire a", "wire b", "management"
	Driver string           // kernel driver, as virtio_net; "" any
	Path   string           // PCI address, as 0000:00:04.0
	MAC    net.HardwareAddr // permanent address
	Order  int              // the how-manieth port of this driver in the order of PCI addresses, from 1
}

// Console is one serial or virtual console with status and menu.
type Console struct {
	Device string // below /dev, as ttyS0
	Speed  int    // baud; 0 leaves it as it is
}

// Watchdog is the hardware watchdog; Driver "" when there is none.
type Watchdog struct {
	Driver  string        // kernel module
	Device  string        // below /dev
	Timeout time.Duration // how long it waits to be fed before it restarts the machine
}

// Line is an output line (GPIO) of a chip on the board.
type Line struct {
	Chip   string // as the kernel labels it, as gpio-f7188x-2; "" for no line
	Offset int    // of the line in the chip
	High   bool   // the level at which the relay joins, or the light shines
}

// String names the line.
func (l Line) String() string { return fmt.Sprintf("%d of %s", l.Offset, l.Chip) }

// Names lists the boards that come with the source.
func Names() []string {
	all, _ := fs.Glob(files, "*.ini")
	for i, n := range all {
		all[i] = strings.TrimSuffix(n, ".ini")
	}
	return all
}

// Text returns the board file that comes with the source under that name.
func Text(name string) ([]byte, error) {
	b, err := files.ReadFile(path.Clean(name) + ".ini")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("board %q is not known; known are %s", name, strings.Join(Names(), ", "))
	}
	return b, err
}

// Read reads the board file at file.
func Read(file string) (*Board, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

// Ports returns the board's three ports, client side first.
func (b *Board) Ports() []Port { return []Port{b.WireA, b.WireB, b.Management} }
