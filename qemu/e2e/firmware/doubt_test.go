package firmware

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/board"
)

// TestDoubt: which firmware starts where not all are confirmed, and what is said
// when what started is not what its name says.
func TestDoubt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		slots map[string]string // versions within, by file name
		says  []string
		then  func(*machine)
		left  []string // on the disk afterwards
	}{
		{
			name:  "the newer one was given up: the confirmed one starts",
			slots: map[string]string{"wirepatch_0.1.0.efi": "0.1.0", "wirepatch_0.2.0+0-3.efi": "0.2.0"},
			says:  []string{`0\.2\.0 did not hold and was given up`, `slot 0\.1\.0 runs, confirmed`, `forwarding, `, `0\.1\.0 was confirmed last`},
			then:  bothGivenUp,
			left:  []string{"wirepatch_0.1.0.efi", "wirepatch_0.2.0+0-4.efi"},
		},
		{
			// Neither was ever confirmed on this machine, and both ran out of tries:
			// one starts nevertheless, and is confirmed when it is in health after all.
			name:  "both were given up: one starts and stays",
			slots: map[string]string{"wirepatch_0.1.0+0-3.efi": "0.1.0", "wirepatch_0.2.0+0-3.efi": "0.2.0"},
			says:  []string{`slot 0\.2\.0 runs, given up`, `forwarding, `, `firmware: 0\.2\.0 is confirmed`},
			left:  []string{"wirepatch_0.1.0+0-3.efi", "wirepatch_0.2.0.efi"},
		},
		{
			name:  "another firmware than its name says: nothing is confirmed",
			slots: map[string]string{"wirepatch_0.3.0+3.efi": "0.1.0"},
			says:  []string{`the boot loader says that it started wirepatch_0\.3\.0\.efi; what runs is wirepatch_0\.1\.0\.efi; it is neither confirmed nor given up`, `forwarding, `},
			left:  []string{"wirepatch_0.3.0+2-1.efi"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := cold(t)
			files := map[string][]byte{}
			for name, version := range tt.slots {
				files[name] = variant{version: version}.build(t)
			}
			m.fill(files)
			m.on()
			m.waitAll(tt.says...)
			if tt.then != nil {
				tt.then(m)
			}
			m.wantSlots(tt.left...)
		})
	}
}

// bothGivenUp takes the name that says that it was confirmed from the firmware
// that runs, and the machine forgets its UEFI variables. The boot loader starts the
// newest then, which comes back to that one.
func bothGivenUp(m *machine) {
	m.Helper()
	m.shell()
	m.run("mkdir /tmp/esp; mount -t vfat /dev/vda1 /tmp/esp && mv /tmp/esp/EFI/Linux/wirepatch_0.1.0.efi /tmp/esp/EFI/Linux/wirepatch_0.1.0+0-3.efi && umount /tmp/esp && sync")
	m.powerOff()
	if err := os.Remove(filepath.Join(m.config.Dir, "vars.fd")); err != nil {
		m.Fatal(err)
	}
	m.on()
	m.wait(`slot 0\.2\.0 runs, given up`)
	m.wait(`0\.1\.0 was confirmed last; no other has tries left`)
	m.wait(`slot 0\.1\.0 runs, on trial`)
	m.wait(`firmware: 0\.1\.0 is confirmed`)
}

// TestOtherBoard: a machine that is not what the board file says is told on the
// console, with all that was found, so that the file can be corrected from it.
func TestOtherBoard(t *testing.T) {
	t.Parallel()
	text, err := board.Text("supermicro-e300-9d")
	if err != nil {
		t.Fatal(err)
	}
	m := cold(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: []cpio.Record{cpio.StaticFile("etc/wirepatch/board.ini", string(text), 0o644)}}.build(t)})
	m.on()
	m.waitAll(`ports: wire a: no port is i40e number 1`, `ports: wire b: no port is i40e number 2`, `ports: management: no port is igb number 1`,
		`ports: found eth0: driver virtio_net, PCI 0000:00:04\.0, MAC 52:54:00:77:0a:00`, `ports: found eth2: driver virtio_net, PCI 0000:00:06\.0`,
		`dataplane: not started, for a wire port is missing`)
}
