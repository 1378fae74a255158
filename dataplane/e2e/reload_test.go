package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload changes what is in force while a corrected session is under way.
func TestReload(t *testing.T) {
	b := newBox(t)
	startNginx(t, b.Server)
	const header = "X-Removed: yes\r\n"
	removed := func(s string) bool { return strings.Contains(s, "removed=[]") }
	c := dial(t, b.Client, "10.77.0.2:80")
	if got := c.get(t, "/echo", header, nil); !removed(got) {
		t.Fatalf("before: header was not removed: %s", got)
	}

	b.write(t, "[service four]\naddress = 10.77.0.300\n")
	if err := b.control.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "10.77.0.300") {
		t.Errorf("Reload of faulty settings = %v; want an error that names the fault", err)
	}
	if got := once(t, b, "/echo", header); !removed(got) {
		t.Errorf("after faulty settings: header was not removed: %s", got)
	}

	b.write(t, settingsText+"[patch WP-2026-request]\nmode = shadow\n")
	b.process.Process.Signal(syscall.SIGHUP)
	b.event(t, "settings", "loaded anew")
	if got := once(t, b, "/echo", header); removed(got) {
		t.Errorf("in shadow mode: header was removed: %s", got)
	}
	if e := b.event(t, "correction", "nothing was changed"); e.Evidence.Mode != "shadow" {
		t.Errorf("evidence in shadow mode = %+v; want mode shadow", e.Evidence)
	}

	if got := c.get(t, "/echo", header, nil); removed(got) {
		t.Errorf("in shadow mode, a session that began before: header was removed: %s", got)
	}

	// A mode for this service alone, for a session under way, too.
	b.write(t, settingsText+"[patch WP-2026-request]\nmode = off\nmode.four = correct\n")
	if err := b.control.Reload(t.Context()); err != nil {
		t.Errorf("Reload = %v; want nil", err)
	}
	if got := c.get(t, "/echo", header, nil); !removed(got) {
		t.Errorf("off, but for this service to correct: header was not removed: %s", got)
	}

	b.write(t, "[service six]\naddress = fd77::2\nport = 80\n")
	if err := b.control.Reload(t.Context()); err != nil {
		t.Errorf("Reload = %v; want nil", err)
	}
	if got := c.get(t, "/echo", header, nil); got == "" {
		t.Error("the edited session of a service that is gone does not go on")
	}
	if got := once(t, b, "/echo", header); removed(got) {
		t.Errorf("a new session of a service that is gone: header was removed: %s", got)
	}
	if s := b.status(t); len(s.Services) != 1 || s.Services[0].Name != "six" || s.Services[0].Address != "fd77::2" {
		t.Errorf("services = %+v; want only six", s.Services)
	}

	// Once its last session has ended the port lets go of it.
	c.Close()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); ; <-again.C {
		before := b.status(t).Ports[0]
		once(t, b, "/plain", "")
		if after := b.status(t).Ports[0]; after.HandedUp == before.HandedUp && after.Forwarded > before.Forwarded {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a service that is gone and has no sessions is still handed up")
		}
	}
}

// once makes one request on a connection of its own.
func once(t *testing.T, b *box, path, headers string) string {
	t.Helper()
	c := dial(t, b.Client, "10.77.0.2:80")
	defer c.Close()
	return c.get(t, path, headers, nil)
}

// TestFaultySettingsAtStart: the wire carries on, and says why it protects
// nothing.
func TestFaultySettingsAtStart(t *testing.T) {
	b := newBox(t)
	startNginx(t, b.Server)
	b.process.end(t, syscall.SIGTERM)
	b.write(t, "[servce]\n")
	b.start(t)
	b.event(t, "settings", "nothing is protected")
	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "the server has seen it\n" {
		t.Errorf("request = %q; want it to reach the server", got)
	}
}

// TestFaultyDefinitionIsSetAside: one definition whose own test fails does not
// keep the others from being in force.
func TestFaultyDefinitionIsSetAside(t *testing.T) {
	b := newBox(t)
	startNginx(t, b.Server)
	path := filepath.Join(b.definitions, "WP-2026-request", "patch.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(text), `name == "x-removed"`, `name == "x-other"`, 1)
	if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.control.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.event(t, "definition", "WP-2026-request")
	for _, d := range b.status(t).Definitions {
		if aside := d.ID == "WP-2026-request"; (d.Error != "") != aside {
			t.Errorf("definition %s: error %q; want one only for WP-2026-request", d.ID, d.Error)
		}
	}
	if got := once(t, b, "/echo", "X-Removed: stays\r\n"); !strings.Contains(got, "removed=[stays]") {
		t.Errorf("request = %q; want the definition that was set aside not in force", got)
	}
	if got := once(t, b, "/refused", ""); !strings.Contains(got, "refused by the patch") {
		t.Errorf("request = %q; want the other definitions in force", got)
	}
}

// TestAttachedAsSettingsSay changes how the program is to be attached: it is so
// from the next start, with the sessions that are open.
func TestAttachedAsSettingsSay(t *testing.T) {
	b := newBox(t)
	b.AttachBy(t, "xdp")
	startNginx(t, b.Server)
	c := dial(t, b.Client, "10.77.0.2:80")
	c.get(t, "/echo", "X-Removed: yes\r\n", nil)
	b.write(t, settingsText+"[wire]\nattach = xdp\n")
	if err := b.control.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.event(t, "settings", "from the next start")
	for _, want := range []string{"tcx", "xdp, copy"} {
		if got := b.status(t).Ports[1].Attach; got != want {
			t.Errorf("attached by %s; want %s", got, want)
		}
		if got := c.get(t, "/echo", "X-Removed: yes\r\nX-Kept: seen\r\n", nil); !strings.Contains(got, "removed=[] kept=[seen]") {
			t.Errorf("attached by %s, an open session's request = %q; want it corrected", want, got)
		}
		if want == "tcx" {
			b.process.end(t, syscall.SIGTERM)
			b.start(t)
		}
	}
}
