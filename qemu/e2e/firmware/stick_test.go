package firmware

import (
	"bufio"
	"os"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// TestStick: an update on a stick that is plugged into the running box is
// refused when it is for another board, and put in when it is right.
func TestStick(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	over := a.trusting("")
	m := newMachine(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: over}.build(t)})
	m.config.More = []string{"-device", "pcie-root-port,id=first,chassis=1,addr=0x9", "-device", "pcie-root-port,id=second,chassis=2,addr=0xa"}
	m.on()
	m.wait(`updated: ready`)

	a.offer(variant{version: "0.2.0", board: "other"})
	m.plug("first", a)
	m.wait(`update refused: site.update: the update is for board other; this box is a qemu`)

	a.offer(variant{version: "0.2.0", over: over})
	m.plug("second", a)
	m.wait(`firmware 0.2.0 is installed; restarting into it`)
	m.wait(`slot 0.2.0 runs, on trial`)
}

// plug plugs a stick with the author's newest state as one file into a port.
func (m *machine) plug(port string, a *author) {
	m.Helper()
	path := filepath.Join(m.config.Dir, port+".img")
	f, err := os.Create(path)
	a.must(err)
	defer f.Close()
	const size = 300 << 20
	a.must(f.Truncate(size))
	fat, err := fat32.Create(file.New(f, false), size, 0, 512, "STICK", true)
	a.must(err)
	to, err := fat.OpenFile("/site.update", os.O_CREATE|os.O_RDWR)
	a.must(err)
	w := bufio.NewWriter(to) // diskfs panics at a write of nothing at the end of a file of whole clusters
	a.must(a.Bundle(w))
	a.must(w.Flush())
	a.must(to.Close())
	a.must(fat.Close())
	a.must(m.vm.QMP("blockdev-add", map[string]any{"node-name": port, "driver": "raw", "file": map[string]any{"driver": "file", "filename": path}}))
	a.must(m.vm.QMP("device_add", map[string]any{"driver": "virtio-blk-pci", "id": "dev-" + port, "drive": port, "bus": port}))
}
