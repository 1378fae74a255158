package firmware

import (
	"testing"
)

// change puts the settings in force with one more line, which is a section's.
func (m *machine) change(section, line string) {
	m.Helper()
	m.run("settings show > /tmp/s; echo '[" + section + "]' >> /tmp/s; echo '" + line + "' >> /tmp/s; settings put /tmp/s")
}

// fails runs a command in the shell, which must not succeed.
func (m *machine) fails(command string) {
	m.Helper()
	m.typed(command + "; echo status=$?=")
	if g := m.wait(`status=([0-9]+)=`); g[1] == "0" {
		m.Fatalf("%s: status 0; want a failure", command)
	}
}

// TestSettings: what was set up on a box is listed, compared and taken back, goes
// into a sealed file and comes out of it, and a factory reset erases it.
func TestSettings(t *testing.T) {
	t.Parallel()
	m := cold(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": good()})
	m.on()
	m.wait(`management https`)
	m.shell()
	m.change("wire", "mtu = 1600")
	m.change("wire", "mtu = 1700")
	m.typed("settings list")
	m.wait(`2  until [0-9: -]+  ended by shell: put /tmp/s`)
	m.typed("settings diff 1")
	m.wait(`\+ mtu = 1700`)
	m.run("settings back 2")
	m.run("settings show | grep -q 'mtu = 1600'")
	m.fails("settings show | grep -q 'mtu = 1700'")

	t.Log("an export, a change, and refused imports that change nothing")
	m.run("echo correct horse battery | settings export /data/box.export")
	m.fails("grep -q mtu /data/box.export")
	m.run("settings back 1")
	m.typed("echo wrong horse battery | settings import /data/box.export")
	m.wait(`nothing was imported: .*the passphrase is wrong`)
	m.run("cp /data/box.export /data/harmed; echo x >> /data/harmed")
	m.typed("echo correct horse battery | settings import /data/harmed")
	m.wait(`nothing was imported: .*damaged or was changed`)
	m.fails("settings show | grep -q mtu")

	t.Log("the import")
	m.typed("echo correct horse battery | settings import /data/box.export")
	m.wait(`import of settings asked for by shell: stopping`)
	m.wait(`settings: the import is in force: take-page`)
	m.wait(`management https`)
	m.shell()
	m.run("settings show | grep -q 'mtu = 1600'")
	m.typed("settings list")
	m.wait(`ended by shell: import of an export from`)

	t.Log("the factory reset")
	m.typed("settings reset yes")
	m.wait(`factory reset: (the|this) disk (was told to discard what was deleted|does not discard)`)
	m.wait(`factory reset: done`)
	m.wait(`management https`)
	m.shell()
	m.fails("settings show | grep -q mtu")
	m.fails("cat /data/box.export > /dev/null")
	m.powerOff()
}
