package firmware

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/firmware/slot"
	"wirepatch/images/disk"
)

// renamed is the step of a future format in which the host name is called name.
const renamed = `var steps = []func(*Editor) error{func(e *Editor) error {
	for i, l := range e.lines {
		if keyOf(l) == "hostname" {
			e.lines[i] = "name" + l[len("hostname"):]
		}
	}
	return nil
}}`

// nextFormat builds the image out of this source, changed as a later version's
// might be: appliance.ini has another format. It returns its initramfs.
func nextFormat(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "source")
	copyTree(t, top, dir)
	edit := func(name string, pairs ...string) {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(string(text), pairs[i]) {
				t.Fatalf("%s has no %q: bring this test up to date", name, pairs[i])
			}
		}
		if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("board/settings/format.go", "const Format = 1\n", "const Format = 2\n", "var steps = []func(*Editor) error{}", renamed)
	edit("board/settings/settings.go", `"hostname"`, `"name"`)
	edit("images/appliance.ini", "hostname = ", "name = ")
	c := exec.Command("go", "run", "./images/build", "-board", "qemu", "-out", filepath.Join(dir, "out"), "-debug-shell")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the later firmware: %v\n%s", err, out)
	}
	return dir
}

// copyTree copies what is needed to build, and lends the packages that were
// fetched already.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	skip := map[string]bool{".git": true, "out": true, "docs": true}
	all, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		target := filepath.Join(to, e.Name())
		switch {
		case skip[e.Name()]:
		case e.IsDir():
			err = os.CopyFS(target, os.DirFS(filepath.Join(from, e.Name())))
		default:
			var b []byte
			if b, err = os.ReadFile(filepath.Join(from, e.Name())); err == nil {
				err = os.MkdirAll(to, 0o755)
			}
			if err == nil {
				err = os.WriteFile(target, b, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(to, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	cache, err := filepath.EvalSymlinks(filepath.Join(from, "out", "test", "cache"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", cache, filepath.Join(to, "out", "cache")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestSettingsFormat: an update changes the format of the settings. The new
// firmware gets a migrated copy; when it does not stay, the old one finds its own
// untouched, whatever was changed meanwhile.
func TestSettingsFormat(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	next := nextFormat(t)
	defaults, err := os.ReadFile(filepath.Join(next, "images", "appliance.ini"))
	if err != nil {
		t.Fatal(err)
	}
	// Not confirmed before this test says so.
	const slow = "\n[firmware]\nconfirm_after = 10h\n"
	root, err := a.Root()
	a.must(err)
	later := variant{version: "0.2.0", initramfs: filepath.Join(next, "out", "initramfs.cpio.zst"), over: []cpio.Record{
		cpio.StaticFile("etc/wirepatch/root.json", string(root), 0o644), cpio.StaticFile("etc/wirepatch/appliance.ini", string(defaults)+slow, 0o644)}}
	m := cold(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: a.trustingWith(slow + "repository = " + a.url + "\n")}.build(t)})
	m.on()
	m.wait(`updated: ready`)
	m.shell()
	m.replace("appliance", "hostname", "kept")
	a.offer(later)
	m.typed("updated install")
	m.wait(`firmware 0.2.0 is installed; restarting into it`)

	t.Log("the later firmware has a copy in its own format, with what was before")
	m.wait(`slot 0.2.0 runs, on trial`)
	m.wait(`settings: a copy was brought from format 1 to 2`)
	m.wait(`management https`)
	m.shell()
	m.run("hostname | grep -q kept")
	m.run("settings show | grep -q '^name = kept'")
	m.replace("appliance", "name", "changed")
	m.run("hostname | grep -q changed")
	m.run("settings diff 1 | grep -q 'name = wirepatch'")
	m.powerOff()

	t.Log("it is given up: the old firmware has its own")
	m.giveUp("0.2.0")
	m.on()
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.wait(`management https`)
	m.shell()
	m.run("settings show | grep -q '^hostname = kept'")
	m.fails("settings show | grep -q changed")
	m.powerOff()
}

// replace gives a setting another value.
func (m *machine) replace(section, key, value string) {
	m.Helper()
	m.run("settings show | grep -v '^" + key + " ' > /tmp/s; echo '[" + section + "]' >> /tmp/s; echo '" + key + " = " + value + "' >> /tmp/s; settings put /tmp/s")
}

// giveUp marks a slot as three failed starts do, while the machine is off.
func (m *machine) giveUp(version string) {
	m.Helper()
	f, err := os.OpenFile(m.disk, os.O_RDWR, 0)
	if err != nil {
		m.Fatal(err)
	}
	defer f.Close()
	esp, err := disk.OpenESP(f, false)
	if err != nil {
		m.Fatal(err)
	}
	for _, n := range m.slots() {
		if s, ok := slot.Parse(n); ok && s.Version == version {
			if err := esp.Rename("/"+slot.Folder+"/"+s.File(), "/"+slot.Folder+"/"+s.GivenUp().File()); err != nil {
				m.Fatal(err)
			}
			return
		}
	}
	m.Fatalf("slot %s is not on the disk", version)
}
