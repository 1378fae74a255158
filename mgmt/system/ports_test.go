package system

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// What a real driver tells, of a pair of ports in a namespace.
func TestPorts(t *testing.T) {
	runtime.LockOSThread() // for good: the thread ends with the test's goroutine
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("new network namespace (needs root): %v", err)
	}
	defer ns.Close()
	// sysfs shows the ports of the namespace that it was mounted in.
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("sys", "/sys", "sysfs", 0, "")); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wire-a", MTU: 1512}, PeerName: "wire-b"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"wire-a", "wire-b"} {
		l, err := netlink.LinkByName(n)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := Ports(PortNames...)
	if err != nil || len(got) != 2 {
		t.Fatalf("Ports = %+v, %v; want two, for there is no third", got, err)
	}
	p := got[0]
	if p.Name != "wire-a" || p.Driver != "veth" || !p.Link || p.SpeedMbit != 10000 || p.Duplex != "full" || p.MTU != 1512 || len(p.MAC) != 17 {
		t.Errorf("Ports = %+v; want a veth with link, 10 Gbit/s", p)
	}
	if !slices.Contains(p.Offloads, "tx-scatter-gather") {
		t.Errorf("offloads that are on: %q; want tx-scatter-gather among them", p.Offloads)
	}
}

func TestKernelCounters(t *testing.T) {
	dir := t.TempDir()
	stats := filepath.Join(dir, "x", "statistics")
	write(t, filepath.Join(stats, "rx_packets"), "17\n")
	write(t, filepath.Join(stats, "rx_errors"), "0\n")
	if d := cmp.Diff([]Counter{{"rx_packets", 17}}, kernelCounters(dir, "x")); d != "" {
		t.Errorf("kernelCounters (-want +got):\n%s", d)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSensors(t *testing.T) {
	dir := t.TempDir()
	if got := sensors(dir); len(got) != 0 {
		t.Errorf("without any: %v", got)
	}
	write(t, filepath.Join(dir, "thermal", "thermal_zone0", "type"), "acpitz\n")
	write(t, filepath.Join(dir, "thermal", "thermal_zone0", "temp"), "41000\n")
	if d := cmp.Diff([]Sensor{{"acpitz", 41, 0}}, sensors(dir)); d != "" {
		t.Errorf("a zone (-want +got):\n%s", d)
	}
	chip := filepath.Join(dir, "hwmon", "hwmon0")
	for name, text := range map[string]string{"name": "coretemp\n", "temp1_input": "52500\n", "temp1_crit": "100000\n", "temp1_label": "Package id 0\n",
		"temp2_input": "-274000\n", "temp3_input": "no number\n", "temp4_input": "37000"} {
		write(t, filepath.Join(chip, name), text)
	}
	if d := cmp.Diff([]Sensor{{"coretemp Package id 0", 52.5, 100}, {"coretemp temp4", 37, 0}}, sensors(dir)); d != "" {
		t.Errorf("a chip (-want +got):\n%s", d)
	}
}
