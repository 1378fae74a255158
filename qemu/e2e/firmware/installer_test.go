package firmware

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// TestInstaller: a machine with an empty disk starts from the stick, asks where
// to, installs there and nowhere else, and once the stick is out starts from its
// disk, forwards, and is set up on its console: the ten steps of docs/install.md.
func TestInstaller(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	l := m.cable()
	m.disk = filepath.Join(m.config.Dir, "disk.img")
	const size = 1 << 30
	if err := os.WriteFile(m.disk, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(m.disk, size); err != nil {
		t.Fatal(err)
	}
	m.config.Disk = "driver=raw,file.driver=file,file.filename=" + m.disk
	stick := filepath.Join(m.config.Dir, "stick.qcow2")
	m.tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image(t, "wirepatch-installer.img"), stick)
	m.config.More = []string{"-device", "qemu-xhci,id=usb,addr=0x9",
		"-blockdev", "driver=qcow2,file.driver=file,file.filename=" + stick + ",node-name=stick",
		"-device", "usb-storage,bus=usb.0,drive=stick,id=stick,removable=on,bootindex=0"}

	m.on()
	m.wait(`ports: wire a is eth0: driver virtio_net, PCI 0000:00:04.0`)
	m.wait(`This stick installs Wirepatch [0-9.]+ for board qemu`)
	m.wait(`sda .*QEMU HARDDISK .*\(this stick\)\s+holds wirepatch-install`)
	m.wait(`vda +1\.1 GB`)
	m.wait(`Type the name of the disk`)
	m.typed("sda")
	m.wait(`sda is the stick that this installer was started from; choose another disk`)
	m.wait(`Type the name of the disk`)
	m.typed("vda")
	m.wait(`All that is on vda is lost\. Type yes to go on: `)
	m.typed("yes")
	m.wait(`writing vda: 100 %%`)
	m.wait(`reading back vda: 100 %%`)
	m.wait(`Take the stick out now`)
	if err := m.vm.QMP("device_del", map[string]any{"id": "stick"}); err != nil {
		t.Fatal(err)
	}
	m.wait(`The stick is out`)
	m.wait(`data partition /dev/vda2 is new`)
	m.wait(`forwarding, `)
	m.wantThrough(l)
	m.powerOff()

	// The stick's port has nothing in it from now on.
	m.config.More = nil
	m.on()
	m.waitAll(`forwarding, `, `management https`)
	m.wantThrough(l)
	m.setUp()
	m.powerOff()
	m.closed(m.ownTable(size))
}

// setUp answers the console's questions at a new box.
func (m *machine) setUp() {
	m.Helper()
	const password = "four plain words here"
	for _, step := range [][2]string{{"11", `Host name \[`}, {"rack7", `by DHCP  2 by hand`}, {"1", `The clock says`}, {"", `NTP`}, {"", `Update repository`}, {"", `pass uninspected  2 stop`},
		{"1", `first administrator \[admin\]`}, {"", `Type yes`}, {"yes", `Password`}, {password, `The same again`}, {password, `The page is at https://10\.0\.2\.15`}} {
		m.typed(step[0])
		m.wait("%s", step[1])
	}
}

// closed wants the secrets on the data partition, which begins there, to be
// readable by their owner only.
func (m *machine) closed(at uint64) {
	m.Helper()
	out, err := exec.Command("/usr/sbin/debugfs", "-R", "ls -p /mgmt", fmt.Sprintf("%s?offset=%d", m.disk, at)).Output()
	if err != nil {
		m.Fatal(err)
	}
	for _, name := range []string{"key.pem", "users.json"} {
		if mode := regexp.MustCompile(`/([0-7]{6})/[0-9]+/[0-9]+/` + name + `/`).FindSubmatch(out); mode == nil || string(mode[1]) != "100600" {
			m.Errorf("/data/mgmt/%s has mode %q; want 100600, in\n%s", name, mode, out)
		}
	}
}

// ownTable wants the disk to have GUIDs that the image has not, and a data
// partition that fills it. It returns where that begins.
func (m *machine) ownTable(size uint64) uint64 {
	m.Helper()
	read := func(path string) *gpt.Table {
		f, err := os.Open(path)
		if err != nil {
			m.Fatal(err)
		}
		defer f.Close()
		t, err := gpt.Read(file.New(f, true), 512, 512)
		if err != nil {
			m.Fatal(err)
		}
		return t
	}
	got, built := read(m.disk), read(image(m, "wirepatch.img"))
	for i, p := range got.Partitions[:2] {
		if p.GUID == built.Partitions[i].GUID {
			m.Errorf("partition %d has the image's GUID %s; want one of its own", i+1, p.GUID)
		}
	}
	if end := got.Partitions[1].End * 512; end < size-2<<20 {
		m.Errorf("the data partition ends at %d; want it to fill the disk of %d bytes", end, size)
	}
	return got.Partitions[1].Start * 512
}
