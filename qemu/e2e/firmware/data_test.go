package firmware

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"wirepatch/images/disk"
)

// TestDataPartition: a file system with faults is repaired at the start and keeps
// the settings, and which definitions have passed their tests; one that is gone
// does not keep the wire from forwarding.
func TestDataPartition(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": good()})
	m.on()
	m.wait(`data partition \S+ is new: making its file system`)
	m.waitAll(`definitions loaded.* tested=[1-9]`, `management https`)
	m.shell()
	m.change("wire", "mtu = 1600")
	m.run("mkdir /data/folder; sync")
	m.powerOff()

	t.Log("an inode is wiped: it is repaired")
	m.harm("clri /folder")
	m.harm("set_super_value state 2") // as the kernel marks one that it found a fault in
	m.on()
	m.wait(`data partition \S+: repaired: `)
	m.waitAll(`forwarding, `, `definitions loaded.* tested=0 `, `management https`)
	m.shell()
	m.run("settings show | grep -q 'mtu = 1600'")
	m.powerOff()

	t.Log("it is gone: the wire forwards with the image's settings")
	m.wipe()
	m.on()
	m.wait(`data partition \S+: .*using memory instead, so settings last until power-off`)
	m.waitAll(`forwarding, `, `definitions loaded.* tested=[1-9]`, `management https`)
	m.shell()
	m.fails("settings show | grep -q mtu")
	m.typed("settings reset yes")
	m.wait(`this box keeps no settings beyond power-off`)
	m.powerOff()
}

// data calls do with the data partition in a file of its own, and puts it back.
func (m *machine) data(do func(path string)) {
	m.Helper()
	path := m.disk + ".data"
	whole, err := os.OpenFile(m.disk, os.O_RDWR, 0)
	if err != nil {
		m.Fatal(err)
	}
	defer whole.Close()
	b := make([]byte, disk.DataSize)
	if _, err := whole.ReadAt(b, dataAt); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		m.Fatal(err)
	}
	do(path)
	if b, err = os.ReadFile(path); err != nil {
		m.Fatal(err)
	}
	if _, err := whole.WriteAt(b, dataAt); err != nil {
		m.Fatal(err)
	}
}

// harm has debugfs do something to the data partition's file system.
func (m *machine) harm(request string) {
	m.Helper()
	m.data(func(path string) {
		if out, err := exec.Command("/usr/sbin/debugfs", "-w", "-R", request, path).CombinedOutput(); err != nil || strings.Contains(string(out), "not found") {
			m.Fatalf("debugfs: %v\n%s", err, out)
		}
	})
}

// wipe writes nonsense all over the data partition.
func (m *machine) wipe() {
	m.Helper()
	m.data(func(path string) {
		if err := os.WriteFile(path, []byte(strings.Repeat("nonsense", disk.DataSize/8)), 0o600); err != nil {
			m.Fatal(err)
		}
	})
}
