package web

import (
	"fmt"
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

// TestServersInParts: a page has a hundred servers, the next the rest; words find some.
func TestServersInParts(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	list := "address,name,group,product,version\n"
	for i := range 150 {
		list += fmt.Sprintf("192.0.2.%d,portal %d,hall-%d,gin,1.8.%d\n", i+1, i, i%5, i%3)
	}
	if w := l.upload("admin", "/servers/csv", list); w.Code != 303 {
		t.Fatalf("csv: %d %s", w.Code, w.Body)
	}
	for _, tt := range []struct {
		query string
		want  int
		links string
	}{
		{"", 100, "Those after"}, {"?from=100", 50, "Those before"}, {"?from=9999", 100, "Those after"}, {"?from=x", 100, "Those after"},
		{"?q=hall-3+GIN", 30, ""}, {"?q=192.0.2.150", 1, ""}, {"?q=nothing-of-this", 0, "None has these words"},
	} {
		page := l.page("admin", "/servers"+tt.query)
		if got := strings.Count(page, `<a href="/servers/192.0.2.`); got != 2*tt.want && got != tt.want {
			t.Errorf("%q lists %d; want %d", tt.query, got, tt.want)
		}
		if !strings.Contains(page, tt.links) || tt.links == "" && strings.Contains(page, "Those ") {
			t.Errorf("%q: the links are others than %q", tt.query, tt.links)
		}
	}
}
