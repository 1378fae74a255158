package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/change"
)

// post sends a form as a user, with the session's token.
func (l *lab) post(user, path string, kv ...string) *httptest.ResponseRecorder {
	l.Helper()
	c, s := l.sessionOf(user)
	v := url.Values{"token": {s.Token}}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return l.do("POST", path, v.Encode(), with(c))
}

// page returns what a user sees.
func (l *lab) page(user, path string) string {
	l.Helper()
	c, _ := l.sessionOf(user)
	w := l.do("GET", path, "", with(c))
	if w.Code != 200 {
		l.Errorf("GET %s as %s: %d %s", path, user, w.Code, w.Body)
	}
	return w.Body.String()
}

// change makes n changes, each in force.
func (l *lab) change(n int) {
	l.Helper()
	for i := range n {
		l.post(auth.FirstName, "/draft/appliance", "hostname", fmt.Sprintf("host%d", i), "link_propagation", "yes")
		if w := l.post(auth.FirstName, "/changes/submit", "reason", "test"); w.Code != 303 {
			l.Fatalf("change %d: %d %s", i, w.Code, w.Body)
		}
	}
}

// nothingPending gives up the draft, unless the route is there for it.
func (l *lab) nothingPending(path string) {
	if path != "/draft/discard" {
		l.changes.Discard(change.Who{Name: "test"})
	}
}

func (l *lab) state(id int64) *change.Change {
	l.Helper()
	c, err := l.changes.Get(id)
	l.must(err)
	return c
}

// mode is a definition's mode on the running wire.
func (l *lab) mode(definition, service string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.status.Definitions {
		if d.ID == definition {
			return change.ModeIn(d, service)
		}
	}
	return ""
}

func TestChangeByOnePerson(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	if w := l.post("admin", "/draft/mode", "definition", "WP-2023-26125", "service", "portal", "mode", "shadow"); w.Code != 303 {
		t.Fatalf("edit: %d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/", "/corrections", "/users", "/changes"} {
		if page := l.page("admin", path); !strings.Contains(page, "lines pending") || !strings.Contains(page, `action="/draft/discard"`) {
			t.Errorf("%s does not show that something is pending", path)
		}
	}
	if got := l.mode("WP-2023-26125", "portal"); got != "correct" {
		t.Errorf("before it is applied the mode is %s; want correct", got)
	}
	w := l.post("admin", "/changes/submit", "reason", "try it first")
	if w.Code != 303 || w.Header().Get("Location") != "/changes/1" {
		t.Fatalf("apply: %d %s", w.Code, w.Body)
	}
	if c := l.state(1); c.State != change.Done || !strings.HasPrefix(c.Applied.Note, "verified") {
		t.Errorf("the change is %s: %s; want done and verified", c.State, c.Applied.Note)
	}
	if got := l.mode("WP-2023-26125", "portal"); got != "shadow" {
		t.Errorf("the mode on the wire is %s; want shadow", got)
	}
	l.poller.Poll(t.Context())
	page := l.page("admin", "/patches/WP-2023-26125")
	if !strings.Contains(page, `<option selected>shadow</option>`) {
		t.Error("the page of inline patches does not show the mode")
	}
	if !strings.Contains(page, "Back to what was before it") || strings.Contains(l.page("admin", "/patches/WP-2023-29401"), "Back to what was before it") {
		t.Error("one click does not lead back from the change, or does so at another inline patch")
	}
	if w := l.post("admin", "/changes/undo", "id", "1"); w.Code != 303 {
		t.Fatalf("undo: %d %s", w.Code, w.Body)
	}
	if got, st := l.mode("WP-2023-26125", "portal"), l.state(1).State; got != "correct" || st != change.Undone {
		t.Errorf("undone: mode %s, state %s; want correct, undone", got, st)
	}
	if w := l.post("admin", "/changes/undo", "id", "1"); w.Code != 409 {
		t.Errorf("undone twice: %d; want 409", w.Code)
	}
}

func TestChangeByThreePeople(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	if w := l.post("administrator", "/settings/approvals", "approvals", "2"); w.Code != 303 {
		t.Fatalf("policy: %d %s", w.Code, w.Body)
	}
	add := []string{"name", "shop", "address", "10.77.0.9", "port", "8080", "protocol", "http", "fail", "closed", "exceed", "reset"}
	if w := l.post("administrator", "/draft/service/add", add...); w.Code != 303 {
		t.Fatalf("add a service: %d %s", w.Code, w.Body)
	}
	l.post("administrator", "/changes/submit", "reason", "a new shop")
	plan := l.state(1).Plan
	approve := func(who, plan string, want int) {
		t.Helper()
		if w := l.post(who, "/changes/approve", "id", "1", "plan", plan); w.Code != want {
			t.Errorf("approved by %s: %d %s; want %d", who, w.Code, w.Body, want)
		}
	}
	approve("administrator", plan, 403) // the requester
	approve("operator", plan, 403)      // the role
	approve("approver", "another plan", 409)
	approve("approver", plan, 303)
	approve("approver", plan, 409) // twice
	if c := l.state(1); c.State != change.Submitted || len(l.status.Services) != 1 {
		t.Errorf("with one approval it is %s; want submitted, nothing in force", c.State)
	}
	approve("admin", plan, 303)
	if c := l.state(1); c.State != change.Done || len(l.status.Services) != 2 || l.status.Services[1].Fail != "closed" {
		t.Errorf("with two approvals: %s, services %+v; want done, the shop protected", c.State, l.status.Services)
	}
	if page := l.page("auditor", "/changes/1"); !strings.Contains(page, "2 of 2; approver") || !strings.Contains(page, "<ins>+ [service shop]</ins>") {
		t.Errorf("the auditor does not see who approved what:\n%s", page)
	}
	head, err := l.audit.Head()
	l.must(err)
	if got, err := audit.Verify(l.dir+"/records.db", head.String()); err != nil || got != head {
		t.Errorf("the audit log: %v, %v", got, err)
	}
	var text strings.Builder
	all, _ := l.audit.Since(0, 1000)
	for _, r := range all {
		text.WriteString(r.Bytes)
	}
	for _, want := range []string{"policy.approvals", "draft.edit", `"change.submit"`, `"change.approve","object":"change 1","detail":"plan ` + plan, `"change.done"`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
}

func TestChangeInItsWindow(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	submit := func(from, to string) {
		l.post("admin", "/draft/appliance", "hostname", "rack"+from[14:15], "link_propagation", "no")
		if w := l.post("admin", "/changes/submit", "reason", "tonight", "from", from, "to", to); w.Code != 303 {
			t.Fatalf("submit: %d %s", w.Code, w.Body)
		}
	}
	submit("2026-11-22T22:00", "2026-11-22T23:00")
	due := func(want change.State, id int64) {
		t.Helper()
		l.must(l.changes.Due(t.Context()))
		if got := l.state(id).State; got != want {
			t.Errorf("at %s change %d is %s; want %s", l.now().Format(time.TimeOnly), id, got, want)
		}
	}
	due(change.Approved, 1)
	l.advance(12 * time.Hour)
	due(change.Done, 1)
	submit("2026-11-22T22:30", "2026-11-22T22:40")
	l.advance(time.Hour)
	due(change.Missed, 2)
	if now, err := l.keeper.Current(); err != nil || !strings.Contains(now.Text, "hostname = rack0") {
		t.Errorf("in force is %q, %v; want the first alone", now.Text, err)
	}
	// What is left of a window must be as long as a change may take.
	submit("2026-11-23T03:10", "2026-11-23T04:00")
	l.advance(time.Date(2026, 11, 23, 3, 58, 0, 0, time.UTC).Sub(l.now()))
	due(change.Missed, 3)
	if note := l.state(3).Applied.Note; !strings.Contains(note, "what is left of its window, 2m0s") {
		t.Errorf("it says %q", note)
	}
	l.advance(-5 * time.Hour)
	for _, bad := range [][2]string{{"2026-11-22T20:00", ""}, {"2026-11-23T20:00", "2026-11-23T19:00"}, {"2026-11-20T20:00", "2026-11-20T21:00"}, {"2026-11-23T20:00", "2026-11-23T20:02"}, {"x", "y"}} {
		l.post("admin", "/draft/appliance", "hostname", "rack9", "link_propagation", "no")
		if w := l.post("admin", "/changes/submit", "reason", "r", "from", bad[0], "to", bad[1]); w.Code != 422 {
			t.Errorf("window %v: %d; want 422", bad, w.Code)
		}
	}
}

// In a freeze what is approved waits for its end, unless it was marked urgent; the
// way back is open.
func TestFreeze(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	for _, bad := range [][]string{{"from", "2026-11-20T00:00", "to", "2026-11-21T00:00"}, {"from", "2026-11-24T00:00", "to", "2026-11-23T00:00"}, {"from", "", "to", "2026-11-23T00:00"}, {"from", "2026-11-24T00:00", "to", "2027-11-23T00:00"}} {
		if w := l.post("admin", "/freezes/add", append(bad, "name", "x")...); w.Code != 422 {
			t.Errorf("freeze %v: %d; want 422", bad, w.Code)
		}
	}
	l.change(1)
	if w := l.post("admin", "/freezes/add", "name", "quarter", "from", "2026-11-22T09:00", "to", "2026-11-22T18:00", "note", "books are closed"); w.Code != 303 {
		t.Fatalf("add: %d %s", w.Code, w.Body)
	}
	submit := func(mode string, kv ...string) {
		t.Helper()
		l.post("operator", "/draft/mode", "definition", "WP-2023-29401", "mode", mode)
		if page := l.page("operator", "/changes"); !strings.Contains(page, "The freeze quarter holds until") {
			t.Error("the page does not say that a freeze holds")
		}
		if w := l.post("operator", "/changes/submit", append(kv, "reason", "now, please")...); w.Code != 303 {
			t.Fatalf("submit: %d %s", w.Code, w.Body)
		}
	}
	submit("correct", "urgent", "yes")
	if c := l.state(2); c.State != change.Done || !strings.HasPrefix(c.Applied.Note, "urgent, in spite of the freeze quarter; verified") {
		t.Errorf("marked urgent it is %s: %s", c.State, c.Applied.Note)
	}
	if w := l.post("operator", "/changes/undo", "id", "2"); w.Code != 303 || l.state(2).State != change.Undone {
		t.Errorf("undo: %d, %s", w.Code, l.state(2).State)
	}
	submit("off")
	l.must(l.changes.Due(t.Context()))
	if c := l.state(3); c.State != change.Approved || l.mode("WP-2023-29401", "portal") == "off" {
		t.Errorf("in the freeze it is %s, mode %s", c.State, l.mode("WP-2023-29401", "portal"))
	}
	if page := l.page("operator", "/changes/3"); !strings.Contains(page, "for the end of the freeze quarter") {
		t.Error("its page does not say what it waits for")
	}
	if w := l.post("operator", "/freezes/remove", "name", "quarter"); w.Code != 403 {
		t.Errorf("an operator removes the freeze: %d", w.Code)
	}
	l.advance(9 * time.Hour)
	l.must(l.changes.Due(t.Context()))
	if c := l.state(3); c.State != change.Done || strings.Contains(c.Applied.Note, "urgent") {
		t.Errorf("after the freeze it is %s: %s", c.State, c.Applied.Note)
	}
	if w := l.post("admin", "/freezes/remove", "name", "quarter"); w.Code != 303 {
		t.Errorf("remove: %d", w.Code)
	}
}

func TestChangeRefusedByTheWire(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	before, err := l.keeper.Current()
	l.must(err)
	l.set(func() { l.refuse = errors.New("the engine cannot take it") })
	l.post("admin", "/draft/appliance", "hostname", "rack7", "link_propagation", "yes")
	if w := l.post("admin", "/changes/submit", "reason", "r"); w.Code != 422 || !strings.Contains(w.Body.String(), "the engine cannot take it") {
		t.Errorf("submit: %d %s; want 422 with the cause", w.Code, w.Body)
	}
	l.set(func() { l.refuse = nil })
	if c := l.state(1); c.State != change.Failed {
		t.Errorf("it is %s; want failed", c.State)
	}
	if now, _ := l.keeper.Current(); now.Text != before.Text {
		t.Errorf("in force is %q; want what was before", now.Text)
	}
}

func TestEditsThatCannotBe(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for _, tt := range [][]string{
		{"/draft/service/add", "name", "x", "address", "10.0.0.300", "port", "80"},
		{"/draft/service/add", "name", "x", "address", "10.0.0.3", "port", "0"},
		{"/draft/service/add", "name", "portal", "address", "10.0.0.3", "port", "80"},
		{"/draft/service/add", "name", "x]\n[wire", "address", "10.0.0.3", "port", "80"},
		{"/draft/service/add", "name", "x", "address", "10.77.0.2", "port", "80"}, // taken
		{"/draft/service/remove", "name", "nobody"},
		{"/draft/mode", "definition", "WP-1", "service", "nobody", "mode", "off"},
		{"/draft/mode", "definition", "WP-1", "service", "portal", "mode", "on"},
		{"/draft/mode", "definition", "WP-1\n[x]", "mode", "off"},
		{"/draft/appliance", "hostname", "a b\nc", "link_propagation", "yes"},
		{"/draft/management", "mode", "static", "address", "10.0.0.1"},
		{"/draft/whole", "text", "[servce x]\n"},
		{"/draft/whole", "revision", "99"},
	} {
		if w := l.post("admin", tt[0], tt[1:]...); w.Code != 422 {
			t.Errorf("%q: %d %s; want 422", tt, w.Code, w.Body)
		}
	}
	if d, err := l.changes.Draft(); d != nil || err != nil {
		t.Errorf("draft = %+v, %v; want none", d, err)
	}
}

// Someone changes the file by another way while a draft is open.
func TestOutdatedDraft(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.post("admin", "/draft/appliance", "hostname", "rack7", "link_propagation", "yes")
	l.post("admin", "/changes/submit", "reason", "later", "from", "2026-11-23T00:00", "to", "2026-11-23T01:00")
	l.change(1)
	l.advance(14*time.Hour + time.Minute)
	if err := l.changes.Due(t.Context()); !errors.Is(err, change.ErrOutdated) {
		t.Errorf("Due = %v; want %v", err, change.ErrOutdated)
	}
	if c := l.state(1); c.State != change.Failed {
		t.Errorf("it is %s; want failed", c.State)
	}
}

func TestEarlierSettingsInTheDraft(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	before, _ := l.keeper.Current()
	l.change(2)
	if w := l.post("admin", "/draft/whole", "revision", "1"); w.Code != 303 {
		t.Fatalf("put in the draft: %d %s", w.Code, w.Body)
	}
	if d, err := l.changes.Draft(); err != nil || d == nil || d.Text != before.Text {
		t.Errorf("draft = %+v, %v; want the first settings", d, err)
	}
	if w := l.post("admin", "/draft/whole", "text", "[appliance]\r\nhostname = typed\r\n"); w.Code != 303 {
		t.Fatalf("typed as a browser sends it: %d %s", w.Code, w.Body)
	}
	if d, _ := l.changes.Draft(); d == nil || d.Text != "[appliance]\nhostname = typed\n" {
		t.Errorf("draft = %+v; want lines as in a file", d)
	}
}

func TestManagementMustBeConfirmed(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.post("admin", "/draft/management", "mode", "static", "address", "192.0.2.10/24", "gateway", "192.0.2.1", "dns", "192.0.2.53, 192.0.2.54")
	if w := l.post("admin", "/changes/submit", "reason", "moved"); w.Code != 303 {
		t.Fatalf("apply: %d %s", w.Code, w.Body)
	}
	if page := l.page("admin", "/"); !strings.Contains(page, "The management port has changed") {
		t.Error("no page asks to confirm")
	}
	if w := l.post("admin", "/settings/confirm"); w.Code != 303 {
		t.Errorf("confirm: %d %s", w.Code, w.Body)
	}
	if page := l.page("admin", "/settings"); strings.Contains(page, "The management port has changed") || !strings.Contains(page, `value="192.0.2.53, 192.0.2.54"`) {
		t.Error("confirmed, the page still asks, or does not show the address")
	}
}

// A program with a token proposes; a person approves.
func TestChangeByToken(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.post("admin", "/settings/approvals", "approvals", "1")
	token, err := l.site.Users.NewToken("ci", auth.Operator, "admin", time.Hour)
	l.must(err)
	api := func(path, body string) *httptest.ResponseRecorder {
		return l.do("POST", "/api/v1"+path, body, header("Authorization", "Bearer "+token))
	}
	if w := api("/draft/mode", `{"definition":"WP-2023-29401","mode":"correct"}`); w.Code != 200 {
		t.Fatalf("edit: %d %s", w.Code, w.Body)
	}
	w := api("/changes/submit", `{"reason":"shadow was clean for a week"}`)
	var c change.Change
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || c.State != change.Submitted || c.Requester != "token ci" {
		t.Fatalf("submit: %d %s", w.Code, w.Body)
	}
	if w := api("/changes/approve", `{"id":1,"plan":"`+c.Plan+`"}`); w.Code != 403 {
		t.Errorf("a token approves: %d; want 403", w.Code)
	}
	if w := l.post("approver", "/changes/approve", "id", "1", "plan", c.Plan); w.Code != 303 || l.mode("WP-2023-29401", "portal") != "correct" {
		t.Errorf("approved by a person: %d, mode %s", w.Code, l.mode("WP-2023-29401", "portal"))
	}
}
