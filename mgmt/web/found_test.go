package web

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/mgmt/change"
)

// A server that the wire found is shown, taken in with one click, asked which
// version it is, and stands on a page of its own with all evidence.
func TestFoundServers(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.poller.Poll(t.Context())
	l.poller.Poll(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Server", "gin/1.9.1") }))
	defer srv.Close()
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	hostile := "<script>alert(1)</script>"
	l.must(l.inventory.PutFound([]control.Found{{Address: netip.MustParseAddr(host), Port: 80, Protocol: "http", Names: []string{"portal.example", hostile}, First: l.now(), Last: l.now(),
		Software: []control.FoundSoftware{{Name: "gin", Version: "1.8.2", Evidence: "Server: gin/1.8.2 " + hostile, Seen: l.now()}}}}))
	page := l.page("auditor", "/servers")
	if !strings.Contains(page, "gin 1.8.2") || !strings.Contains(page, "portal.example") || strings.Contains(page, hostile) || strings.Contains(page, "Take "+host) {
		t.Error("the auditor's page lacks what was found, has it as markup, or a button to take it in")
	}
	if page := l.page("operator", "/servers"); !strings.Contains(page, "Take "+host+" in") {
		t.Error("there is no button to take it in")
	}
	if w := l.post("operator", "/servers/check", "address", host, "port", port); w.Code != 422 {
		t.Errorf("a server that is not in the inventory is asked: %d", w.Code)
	}
	if w := l.post("operator", "/servers/take", "address", host); w.Code != 303 || w.Header().Get("Location") != "/servers/"+host {
		t.Fatalf("take in: %d %s", w.Code, w.Body)
	}
	for _, want := range []string{"Is what should be patched really patched?", "CVE-2023-26125", "gin 1.8.2", "banner", "Not known", "that does not tell whether the fix was taken back", "Seen on the wire"} {
		if page = l.page("auditor", "/servers/"+host); !strings.Contains(page, want) {
			t.Errorf("the server's page lacks %q", want)
		}
	}
	// Another must approve that it is asked.
	l.post("admin", "/settings/approvals", "approvals", "1")
	if w := l.post("operator", "/servers/check", "address", host, "port", port); w.Code != 303 {
		t.Fatalf("ask: %d %s", w.Code, w.Body)
	}
	c := l.state(1)
	if c.State != change.Submitted || c.Kind != change.OfCheck || strings.Contains(l.page("auditor", "/servers/"+host), "gin 1.9.1") {
		t.Fatalf("without an approval: %+v", c)
	}
	if w := l.post("approver", "/changes/approve", "id", "1", "plan", c.Plan); w.Code != 303 {
		t.Fatalf("approve: %d %s", w.Code, w.Body)
	}
	if c = l.state(1); c.State != change.Done || c.Applied.Note != "it says: gin 1.9.1" {
		t.Errorf("asked: %+v", c)
	}
	if page = l.page("auditor", "/servers/"+host); !strings.Contains(page, "Can retire") && !strings.Contains(page, "nothing is to be done") || !strings.Contains(page, "check") {
		t.Error("what it answered does not count")
	}
	if w := l.post("admin", "/changes/undo", "id", "1"); w.Code != 409 {
		t.Errorf("a question is undone: %d", w.Code)
	}
}

// Fewer approvals want as many as now.
func TestFewerApprovals(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	set := func(n string) { l.Helper(); l.post("admin", "/settings/approvals", "approvals", n) }
	is := func(want int) {
		l.Helper()
		if got, err := l.changes.Approvals(); got != want || err != nil {
			t.Errorf("approvals = %d, %v; want %d", got, err, want)
		}
	}
	set("1")
	is(1)
	set("0")
	is(1)
	c := l.state(1)
	if c.State != change.Submitted || c.Needed != 1 || c.Kind != change.OfApprovals {
		t.Fatalf("fewer: %+v; want it to wait for an approval", c)
	}
	if w := l.post("admin", "/changes/approve", "id", "1", "plan", c.Plan); w.Code != 403 {
		t.Errorf("who asked approves: %d; want 403", w.Code)
	}
	is(1)
	if page := l.page("approver", "/changes/1"); !strings.Contains(page, "others who must approve: 1 → 0") {
		t.Error("the change does not say what it is of")
	}
	l.post("approver", "/changes/approve", "id", "1", "plan", c.Plan)
	is(0)
	if c := l.state(1); c.State != change.Done || c.Applied.Note != "1 → 0" {
		t.Errorf("approved: %+v", c)
	}
	set("2")
	is(2)
}

// What the keeper takes back is not shown as done.
func TestTakenBackIsNotDone(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.post("admin", "/draft/management", "mode", "static", "address", "192.0.2.10/24", "gateway", "192.0.2.1", "dns", "192.0.2.53")
	l.post("admin", "/changes/submit", "reason", "moved")
	if c := l.state(1); c.State != change.Done {
		t.Fatalf("applied: %+v", c)
	}
	l.must(l.changes.Due(t.Context()))
	if c := l.state(1); c.State != change.Done {
		t.Errorf("while it waits to be confirmed: %s", c.State)
	}
	l.must(l.keeper.Recover()) // as after a power cut
	l.must(l.changes.Due(t.Context()))
	if c := l.state(1); c.State != change.Undone || c.Undone.Who != "keeper" {
		t.Errorf("taken back: %+v; want it undone, by the keeper", c)
	}
	if page := l.page("admin", "/changes"); !strings.Contains(page, ">undone<") || !strings.Contains(page, "not confirmed in time") {
		t.Error("the page shows it otherwise")
	}
}

// A cycle reminds, and gives a change its window.
func TestCycles(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	add := []string{"name", "patch Tuesday", "week", "2", "weekday", "2", "offset", "1", "at", "22:00", "zone", "Europe/Berlin", "minutes", "90", "remind", "3", "months", "", "note", "with the database"}
	if w := l.post("admin", "/cycles/add", add...); w.Code != 303 {
		t.Fatalf("add: %d %s", w.Code, w.Body)
	}
	if w := l.post("admin", "/cycles/add", "name", "x", "week", "9", "weekday", "2", "at", "22:00", "zone", "UTC", "minutes", "90"); w.Code != 422 {
		t.Errorf("a faulty cycle: %d", w.Code)
	}
	if page := l.page("admin", "/changes"); !strings.Contains(page, "1 days after the second Tuesday of the month, 22:00 Europe/Berlin") || !strings.Contains(page, "2026-12-09 21:00:00 UTC") {
		t.Error("the page does not list the cycle and its next window")
	}
	if page := l.page("admin", "/"); strings.Contains(page, "Patch cycle") {
		t.Error("reminded weeks ahead")
	}
	l.post("admin", "/draft/mode", "definition", "WP-2023-29401", "mode", "correct")
	l.post("admin", "/changes/submit", "reason", "in its cycle", "cycle", "patch Tuesday")
	want := time.Date(2026, 12, 9, 21, 0, 0, 0, time.UTC)
	if c := l.state(1); c.State != change.Approved || !c.From.Equal(want) || c.To.Sub(c.From) != 90*time.Minute {
		t.Errorf("%+v; want it to wait for the window", c)
	}
	l.advance(want.Sub(l.now()) - 2*24*time.Hour)
	if page := l.page("admin", "/"); !strings.Contains(page, "Patch cycle patch Tuesday: window from 2026-12-09 21:00:00 UTC") {
		t.Error("there is no reminder two days ahead")
	}
	l.advance(2*24*time.Hour + time.Minute)
	l.must(l.changes.Due(t.Context()))
	if c := l.state(1); c.State != change.Done {
		t.Errorf("in its window: %+v", c)
	}
	if text := l.page("admin", "/cycles.ics"); !strings.Contains(text, "DTSTART:20261209T210000Z") {
		t.Errorf("calendar: %s", text)
	}
}
