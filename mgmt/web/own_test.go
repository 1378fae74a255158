package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/change"
)

// Nobody approves what is their own work: not what they edited and another
// submitted, and not what they had a token of theirs ask for.
func TestNobodyApprovesOwnWork(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.post("admin", "/settings/approvals", "approvals", "1")

	l.post("administrator", "/draft/mode", "definition", "WP-2023-29401", "mode", "off")
	l.post("operator", "/draft/appliance", "hostname", "rack7", "link_propagation", "yes")
	l.post("operator", "/changes/submit", "reason", "a name")
	for _, who := range []string{"administrator", "operator"} {
		if w := l.post(who, "/changes/approve", "id", "1", "plan", l.state(1).Plan); w.Code != 403 {
			t.Errorf("%s approves what they edited: %d; want 403", who, w.Code)
		}
	}
	if page := l.page("administrator", "/changes/1"); strings.Contains(page, `action="/changes/approve"`) {
		t.Error("who edited a change is offered to approve it")
	}
	if w := l.post("approver", "/changes/reject", "id", "1"); w.Code != 303 {
		t.Fatalf("reject: %d %s", w.Code, w.Body)
	}

	token, err := l.site.Users.NewToken("ci", auth.Operator, "administrator", time.Hour)
	l.must(err)
	bearer := header("Authorization", "Bearer "+token)
	l.do("POST", "/api/v1/draft/mode", `{"definition":"WP-2023-29401","mode":"off"}`, bearer)
	w := l.do("POST", "/api/v1/changes/submit", `{"reason":"by the token"}`, bearer)
	var c change.Change
	l.must(json.Unmarshal(w.Body.Bytes(), &c))
	if w := l.post("administrator", "/changes/approve", "id", "2", "plan", c.Plan); w.Code != 403 {
		t.Errorf("approved by who made the token: %d; want 403", w.Code)
	}
	if w := l.post("admin", "/changes/approve", "id", "2", "plan", c.Plan); w.Code != 303 {
		t.Errorf("approved by another: %d %s; want 303", w.Code, w.Body)
	}
}

// An administrator who makes a second person approves nothing with it at once.
func TestNobodyMakesTheirApprover(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	const password = "one long phrase more"
	l.advance(10 * time.Millisecond)
	l.post("admin", "/users/add", "name", "early", "role", "approver", "password", password)
	l.must(l.site.Users.ChangePassword(t.Context(), "early", password+" of mine"))
	l.advance(10 * time.Millisecond) // the next second is not waited for
	l.post("admin", "/settings/approvals", "approvals", "1")
	l.post("admin", "/draft/mode", "definition", "WP-2023-29401", "mode", "off")
	l.post("admin", "/changes/submit", "reason", "r")
	approve := func(who string, want int) {
		t.Helper()
		if w := l.post(who, "/changes/approve", "id", "1", "plan", l.state(1).Plan); w.Code != want {
			t.Errorf("%s approves: %d %s; want %d", who, w.Code, w.Body, want)
		}
	}
	for _, kv := range [][]string{
		{"/users/add", "name", "second", "role", "approver", "password", password},
		{"/users/role", "name", "auditor", "role", "approver"},
		{"/users/password", "name", "approver", "password", password},
	} {
		if w := l.post("admin", kv[0], kv[1:]...); w.Code != 303 {
			t.Fatalf("%v: %d %s", kv, w.Code, w.Body)
		}
		l.must(l.site.Users.ChangePassword(t.Context(), kv[2], password+" of mine"))
		approve(kv[2], 403)
		if page := l.page(kv[2], "/changes/1"); strings.Contains(page, `action="/changes/approve"`) {
			t.Errorf("%s is offered to approve", kv[2])
		}
	}
	approve("early", 303)
	l.advance(change.ApprovalLife)
	l.post("admin", "/draft/mode", "definition", "WP-2023-29401", "mode", "shadow")
	l.post("admin", "/changes/submit", "reason", "r")
	if w := l.post("second", "/changes/approve", "id", "2", "plan", l.state(2).Plan); w.Code != 303 {
		t.Errorf("approved by one who has been there for long: %d %s; want 303", w.Code, w.Body)
	}
}

// One person is not two by acting in others' names: whose password they set, whose
// account they made, themselves or through somebody whom they made.
func TestNobodyIsTwo(t *testing.T) {
	const password, key = "one long phrase more", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	type step [4]string // who, path, user, role
	tests := []struct {
		name           string
		steps          []step
		asks, approves string
	}{
		{"a password, then approving", []step{{"administrator", "/users/password", "operator"}}, "operator", "administrator"},
		{"another role for oneself", []step{{"administrator", "/users/add", "new", "operator"}, {"administrator", "/users/role", "administrator", "approver"}}, "new", "administrator"},
		{"two new ones", []step{{"administrator", "/users/add", "new", "operator"}, {"administrator", "/users/add", "second", "approver"}}, "new", "second"},
		{"through a new one", []step{{"administrator", "/users/add", "new", "administrator"}, {"new", "/users/password", "approver"}}, "administrator", "approver"},
		{"given again by a new one", []step{{"administrator", "/users/password", "approver"}, {"administrator", "/users/add", "new", "administrator"}, {"new", "/users/role", "approver", "approver"}, {"new", "/users/role", "administrator", "operator"}}, "administrator", "approver"},
		{"by the key of another", []step{{"administrator", "/users/key", "admin"}, {"admin", "/users/password", "approver"}}, "administrator", "approver"},
		{"by the token of one that is gone", []step{{"administrator", "/users/add", "new", "administrator"}, {"new", "/tokens/add", "ci", "operator"}, {"administrator", "/users/remove", "new"}}, "ci", "administrator"},
	}
	for _, tt := range tests {
		l := newLab(t)
		l.setPassword()
		l.addUsers()
		l.post("admin", "/settings/approvals", "approvals", "1")
		l.advance(time.Second)
		var token string
		for _, st := range tt.steps {
			if st[1] == "/tokens/add" {
				text, err := l.site.Users.NewToken(st[2], auth.Operator, st[0], time.Hour)
				l.must(err)
				token = text
				continue
			}
			if w := l.post(st[0], st[1], "name", st[2], "role", st[3], "password", password, "key", key); w.Code != 303 {
				t.Fatalf("%s: %v: %d %s", tt.name, st, w.Code, w.Body)
			}
			if _, there := l.site.Users.Get(st[2]); there {
				l.must(l.site.Users.ChangePassword(t.Context(), st[2], password+" of mine"))
			}
			l.advance(time.Second)
		}
		if token != "" {
			bearer := header("Authorization", "Bearer "+token)
			l.do("POST", "/api/v1/draft/mode", `{"definition":"WP-2023-29401","mode":"off"}`, bearer)
			l.do("POST", "/api/v1/changes/submit", `{"reason":"r"}`, bearer)
		} else {
			l.post(tt.asks, "/draft/mode", "definition", "WP-2023-29401", "mode", "off")
			l.post(tt.asks, "/changes/submit", "reason", "r")
		}
		if w := l.post(tt.approves, "/changes/approve", "id", "1", "plan", l.state(1).Plan); w.Code != 403 {
			t.Errorf("%s: %s approves what %s asked for: %d; want 403", tt.name, tt.approves, tt.asks, w.Code)
		}
		if w := l.post("auditor", "/changes/approve", "id", "1", "plan", l.state(1).Plan); w.Code != 403 {
			t.Errorf("%s: an auditor approves: %d; want 403", tt.name, w.Code)
		}
		l.must(l.site.Users.SetRole("auditor", auth.Approver))
		if w := l.post("auditor", "/changes/approve", "id", "1", "plan", l.state(1).Plan); w.Code != 303 {
			t.Errorf("%s: approved by another: %d %s; want 303", tt.name, w.Code, w.Body)
		}
	}
}

// What is submitted is what was seen, also when another edits it meanwhile.
func TestSubmittedAsSeen(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.post("operator", "/draft/appliance", "hostname", "rack7", "link_propagation", "yes")
	page := l.page("operator", "/changes")
	_, rest, _ := strings.Cut(page, `name="draft" value="`)
	seen, _, _ := strings.Cut(rest, `"`)
	l.post("administrator", "/draft/mode", "definition", "WP-2023-29401", "mode", "off")
	if w := l.post("operator", "/changes/submit", "reason", "a name", "draft", seen); w.Code != 409 {
		t.Errorf("submitted what was edited since: %d; want 409", w.Code)
	}
}

// Characters that make a line look like another one are seen.
func TestDiffShowsWhatTheBoxReads(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	now, err := l.keeper.Current()
	l.must(err)
	if w := l.post("admin", "/draft/whole", "text", now.Text+"; \u202ekcart fo edis eht no\u200b\n"); w.Code != 303 {
		t.Fatalf("edit: %d %s", w.Code, w.Body)
	}
	if page := l.page("admin", "/changes"); strings.ContainsAny(page, "\u202e\u200b") || !strings.Contains(page, `\u{202e}kcart`) {
		t.Error("the draft is not shown as the box reads it")
	}
	l.post("admin", "/changes/submit", "reason", "r")
	if page := l.page("admin", "/changes/1"); strings.ContainsAny(page, "\u202e\u200b") || !strings.Contains(page, `\u{202e}kcart`) {
		t.Error("the change is not shown as the box reads it")
	}
}

// An import would bring other users, and another number of approvals.
func TestImportIsNoWayRoundApprovals(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.post("admin", "/settings/approvals", "approvals", "1")
	w := l.post("admin", "/settings/import", "sure", "yes", "text", "sealed", "passphrase", "a good passphrase")
	if w.Code != 409 || !strings.Contains(w.Body.String(), "others must approve") {
		t.Errorf("import where approvals are wanted: %d %s; want 409", w.Code, w.Body)
	}
}

// Passwords in the addresses of sources and receivers are shown to nobody.
func TestPasswordsInAddresses(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	for path, kv := range map[string][]string{
		"/feeds/add":             {"name", "x", "kind", "kev", "hours", "1", "url", "https://box:Pa55word@feeds.invalid/", "proxy", "http://box:Pa55word@proxy.invalid:3128"},
		"/reports/schedules/add": {"name", "x", "kind", "effect", "every", "day", "target", "https://box:Pa55word@reports.invalid/"},
	} {
		if w := l.post("admin", path, kv...); w.Code != 303 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/vulnerabilities", "/api/v1/feeds", "/reports", "/api/v1/reports", "/audit", "/api/v1/audit"} {
		page := l.page("auditor", path)
		if strings.Contains(page, "Pa55word") || !strings.Contains(page, "invalid") {
			t.Errorf("%s has the password, or not the address", path)
		}
	}
}

// Undo is the way back from one change, not to the settings of long ago.
func TestHowFarUndoReaches(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	submit := func(mode string) {
		t.Helper()
		l.advance(time.Minute)
		l.post("admin", "/draft/mode", "definition", "WP-2023-29401", "mode", mode)
		if w := l.post("admin", "/changes/submit", "reason", "r"); w.Code != 303 {
			t.Fatalf("submit: %d %s", w.Code, w.Body)
		}
	}
	undo := func(id string, want int) {
		t.Helper()
		if w := l.post("admin", "/changes/undo", "id", id); w.Code != want {
			t.Errorf("undo of %s: %d %s; want %d", id, w.Code, w.Body, want)
		}
	}
	submit("correct")
	submit("shadow")
	submit("correct") // the settings are again as change 1 made them
	undo("1", 409)
	undo("3", 303)
	undo("2", 303)
	l.post("admin", "/settings/approvals", "approvals", "1")
	l.advance(change.UndoLife + time.Minute)
	undo("1", 409)
	token, err := l.site.Users.NewToken("ci", auth.Operator, "admin", time.Hour)
	l.must(err)
	if w := l.do("POST", "/api/v1/changes/undo", `{"id":1}`, header("Authorization", "Bearer "+token)); w.Code != 403 {
		t.Errorf("a token undoes: %d; want 403", w.Code)
	}
}
