package web

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/auth"
)

// Names and passwords within addresses of the settings are shown to those who may
// edit the settings, and to nobody else.
func TestCredentialsAreMasked(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	set := func(password string) {
		t.Helper()
		w := l.post("operator", "/draft/firmware", "repository", "https://box:p@"+password+"@updates.example/wirepatch", "proxy", "http://p:"+password+"@192.0.2.3:3128", "install", "window", "window", "03:00-04:30", "every", "1h")
		if w.Code != 303 {
			t.Fatalf("edit: %d %s", w.Code, w.Body)
		}
	}
	set("hunter2")
	l.nothingPending("")
	set("hunter3")
	if w := l.post("operator", "/changes/submit", "reason", "updates by the mirror"); w.Code != 303 {
		t.Fatalf("apply: %d %s", w.Code, w.Body)
	}
	set("hunter4") // pending
	l.post("operator", "/draft/time", "servers", "192.0.2.5, ntp.example")
	places := []string{"/settings", "/changes", "/changes/1", "/updates", "/api/v1/settings", "/api/v1/changes", "/api/v1/changes/1", "/api/v1/updates", "/api/v1/status", "/", "/audit", "/api/v1/audit", "/reports/now?kind=changes", "/api/v1/report?kind=changes"}
	for _, path := range places {
		for _, user := range []string{"auditor", "approver"} {
			if user == "approver" && strings.HasSuffix(path, "audit") {
				continue
			}
			if text := l.page(user, path); strings.Contains(text, "hunter") {
				t.Errorf("%s shows a password of the settings to the %s", path, user)
			}
		}
	}
	for path, want := range map[string]string{"/settings": "hunter4", "/changes": "hunter4", "/changes/1": "hunter3", "/api/v1/settings": "hunter3", "/api/v1/changes/1": "hunter3"} {
		if !strings.Contains(l.page("operator", path), want) {
			t.Errorf("%s keeps from the operator what is in the settings", path)
		}
	}
	if text := l.page("auditor", "/changes/1"); !strings.Contains(text, "://(left out)@updates.example") {
		t.Errorf("the change does not show the address that the box is to ask:\n%s", text)
	}
	l.post("operator", "/changes/submit", "reason", "time")
	text, err := os.ReadFile(filepath.Join(l.dir, "appliance.ini"))
	l.must(err)
	for _, want := range []string{"repository = https://box:p@hunter4@updates.example/wirepatch", "window = 03:00-04:30", "install = window", "servers = 192.0.2.5, ntp.example"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("appliance.ini lacks %q:\n%s", want, text)
		}
	}
	if page := l.page("operator", "/settings"); !strings.Contains(page, `value="03:00-04:30"`) || !strings.Contains(page, `value="1h"`) || !strings.Contains(page, `value="192.0.2.5, ntp.example"`) {
		t.Error("the page of settings does not show what is in force")
	}
	for path, kv := range map[string][]string{"/draft/firmware": {"install", "sometimes"}, "/draft/time": {"servers", "a b"}} {
		if w := l.post("operator", path, kv...); w.Code != 422 {
			t.Errorf("POST %s %q: %d; want 422", path, kv, w.Code)
		}
	}
	if w := l.post("operator", "/draft/firmware", "repository", "https://x/ y\n[wire]"); w.Code != 422 {
		t.Errorf("an address that is more than one: %d; want 422", w.Code)
	}
}

// Only the change that went into force last can be undone.
func TestOnlyLastIsUndoable(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for range 3 {
		l.advance(time.Second)
		l.change(1)
		l.advance(time.Second)
		l.post(auth.FirstName, "/draft/appliance", "hostname", "other", "link_propagation", "yes")
		l.post(auth.FirstName, "/changes/submit", "reason", "test")
	}
	for id := range int64(6) {
		if err := l.changes.Undoable(l.state(id + 1)); (err == nil) != (id == 5) {
			t.Errorf("change %d of 6: undoable %v", id+1, err)
		}
	}
}

// Who is refused again and again does not fill the audit log.
func TestRefusalsAreBounded(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	before, err := l.audit.Head()
	l.must(err)
	for range 200 {
		l.post("auditor", "/draft/discard")
	}
	head, err := l.audit.Head()
	l.must(err)
	if n := head.Seq - before.Seq; n != refusalsWritten {
		t.Errorf("%d records of 200 refusals; want %d", n, refusalsWritten)
	}
	l.advance(time.Minute)
	l.post("auditor", "/draft/discard")
	if text := l.page("admin", "/api/v1/audit?since="+fmt.Sprint(head.Seq)); !strings.Contains(text, "170 more refusals were not written") {
		t.Errorf("the next minute's records are\n%s", text)
	}
}
