package web

import (
	"net/netip"
	"strings"
	"testing"

	"wirepatch/dataplane/control"
)

// TestFirstSteps: the overview leads from an empty box to one whose servers'
// vulnerabilities are known, and a found server is protected with one button.
func TestFirstSteps(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.set(func() { l.status.Services = nil })
	l.must(l.inventory.PutFound([]control.Found{
		{Address: netip.MustParseAddr("fd00::2"), Port: 8080, Protocol: "http", First: l.now(), Last: l.now(), Software: []control.FoundSoftware{{Name: "gin", Version: "1.8.2", Evidence: "Server: gin/1.8.2", Seen: l.now()}}},
		{Address: netip.MustParseAddr("fd00::2"), Port: 5432, Protocol: "postgresql", First: l.now(), Last: l.now()},
	}))
	next := func(want string) {
		t.Helper()
		l.poller.Poll(t.Context())
		_, steps, _ := strings.Cut(l.page("admin", "/"), `id="first-steps"`)
		_, step, _ := strings.Cut(steps, `>next</span>`)
		step, _, _ = strings.Cut(step, "</li>")
		if !strings.Contains(step, want) {
			t.Errorf("the next step is %q; want %q", step, want)
		}
	}
	next(`href="/settings#add-service"`)
	page := l.page("admin", "/servers/fd00::2")
	for _, want := range []string{`value="http-fd00--2-8080"`, "Protect port 8080"} {
		if !strings.Contains(page, want) {
			t.Errorf("the found server's page lacks %q", want)
		}
	}
	if strings.Contains(page, "Protect port 5432") {
		t.Error("it offers to protect what there is no decoder for")
	}
	if w := l.post("admin", "/draft/service/add", "name", "http-fd00--2-8080", "address", "fd00::2", "port", "8080", "protocol", "http", "fail", "open", "exceed", "reset"); w.Code != 303 {
		t.Fatalf("protect: %d %s", w.Code, w.Body)
	}
	next(`href="/changes#draft"`)
	l.post("admin", "/changes/submit", "reason", "the first one")
	next(`href="/servers"`)
	if page := l.page("admin", "/servers/fd00::2"); !strings.Contains(page, "as http-fd00--2-8080") {
		t.Error("the server's page does not say that it is protected")
	}
	l.post("admin", "/servers/take", "address", "fd00::2")
	next(`href="/vulnerabilities#advisories-h"`)
	l.post("admin", "/advisories/add", "text", `{"id":"CVE-2023-26125","modified":"2023-06-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"gin"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.9.0"}]}]}]}`)
	if page := l.page("admin", "/"); strings.Contains(page, `id="first-steps"`) {
		t.Error("all is done, and the first steps are still there")
	}
}
