package web

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

// A disk that is full to the last byte stops no page and no sign-in; what cannot
// be kept is refused, and the overview says why. With room again all is as before.
func TestPagesOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	l := newLabIn(t, dir)
	l.setPassword()
	l.hostileEvents()
	l.fill()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	l.must(err)
	for size := 1 << 16; size > 0; { // to the last byte
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else {
			l.must(err)
		}
	}
	l.must(f.Close())
	for range 3 { // they wait in memory, or are given up
		l.log.Add(control.Event{Time: l.now(), Kind: "correction", Service: "portal", Client: "10.77.0.1:1", Server: "10.77.0.2:80", Evidence: &session.Evidence{Action: "set", Before: []byte("a")}})
	}
	l.poller.Poll(t.Context())
	c, _ := l.session()
	for _, path := range pages {
		if got := l.do("GET", path, "", with(c)).Code; got != 200 && path != "/no/such/page" {
			t.Errorf("GET %s on a full disk: %d; want 200", path, got)
		}
	}
	if w := l.do("POST", "/api/v1/login", `{"user":"admin","password":"`+testPassword+`"}`); w.Code != 200 {
		t.Errorf("sign in on a full disk: %d %s", w.Code, w.Body)
	}
	refused := 0
	for range 200 { // until what was reserved is used up, too
		if w := l.post("admin", "/reports/keep", "kind", "compliance"); w.Code >= 400 {
			refused++
			if !strings.Contains(w.Body.String(), "Not done") {
				t.Errorf("a report that cannot be kept: %d %s", w.Code, w.Body)
			}
			break
		}
	}
	if refused == 0 {
		t.Error("200 reports were kept on a full disk")
	}
	l.must(os.Remove(ballast))
	if w := l.post("admin", "/reports/keep", "kind", "compliance"); w.Code != 303 {
		t.Errorf("with room again: %d %s", w.Code, w.Body)
	}
	if got, err := l.audit.Last(0, 1); err != nil || len(got) != 1 || l.audit.Trouble() != "" {
		t.Errorf("the audit log with room again: %v, %v, %q", got, err, l.audit.Trouble())
	}
}
