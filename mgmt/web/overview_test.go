package web

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/wire"
)

const hostile = "<script>alert(1)</script>\"'`{{.}}<!--\x00\xff\xfe\u202e\x1b[2J</pre>"

// hostileLab has hostile bytes in every string that another program hands over.
func hostileLab(t *testing.T) *lab {
	l := newLab(t)
	l.setPassword()
	s := &l.status
	l.mu.Lock()
	s.Version = hostile
	for i := range s.Ports {
		p := &s.Ports[i]
		p.Name, p.Driver, p.MAC, p.Attach = hostile, hostile, hostile, hostile
	}
	s.Services = []control.Service{{Name: hostile, Address: hostile, Protocol: hostile, Fail: hostile, Exceed: hostile}}
	s.Definitions = []control.Definition{{ID: hostile, Title: hostile, Vulnerabilities: []string{hostile}, Mode: hostile},
		{ID: hostile, Error: hostile}}
	l.mu.Unlock()
	e := control.Event{Kind: hostile, Text: hostile, Service: hostile, Client: hostile, Server: hostile}
	l.log.Add(e)
	e.Evidence = &session.Evidence{Definition: hostile, Mode: hostile, Action: hostile, Element: hostile,
		Before: []byte(hostile), After: []byte(hostile + "x"), Note: hostile}
	l.log.Add(e)
	b := testBox()
	b.Version, b.Board, b.Hostname, b.Data = hostile, hostile, hostile, hostile
	b.Management.Interface, b.Management.Address, b.Management.Mode = hostile, hostile, hostile
	b.Processes[0].Name, b.Processes[0].State, b.Processes[0].LastExit, b.Processes[0].Restarts = hostile, "stopped", hostile, 2
	b.Log[0].Text = hostile
	l.writeBox(b)
	l.poller.Poll(t.Context())
	l.poller.Poll(t.Context())
	return l
}

func TestHostileBytes(t *testing.T) {
	l := hostileLab(t)
	l.settle()
	l.audit.Add(audit.Entry{Who: hostile, From: hostile, Action: hostile, Object: hostile, Detail: hostile, Outcome: "done"})
	c, _ := l.session()
	q := url.Values{"q": {hostile}, "definition": {hostile}, "client": {hostile}, "from": {hostile}}.Encode()
	for _, path := range []string{"/", "/live", "/corrections", "/corrections?show=events", "/corrections?" + q, "/corrections/3", "/audit", "/users", "/account", "/api/v1/status", "/api/v1/events"} {
		w := l.do("GET", path, "", with(c))
		body := w.Body.String()
		if w.Code != 200 {
			t.Fatalf("GET %s: %d", path, w.Code)
		}
		for _, bad := range []string{"<script>alert", "\x00", "\xff", "\u202e", "\x1b"} {
			// JSON may carry what a terminal or browser shows as text: escaping
			// there is about its own syntax and markup.
			if strings.HasPrefix(path, "/api/") && bad == "\u202e" {
				continue
			}
			if i := strings.Index(body, bad); i >= 0 {
				t.Errorf("GET %s contains %q: …%q…", path, bad, body[max(0, i-60):min(len(body), i+60)])
			}
		}
		if want := map[bool]string{true: "application/json", false: "text/html; charset=utf-8"}[strings.HasPrefix(path, "/api/")]; w.Header().Get("Content-Type") != want {
			t.Errorf("GET %s: Content-Type %q; want %q", path, w.Header().Get("Content-Type"), want)
		}
	}
	page := l.do("GET", "/live", "", with(c)).Body.String()
	for _, want := range []string{`<span class="esc">\x00\xff\xfe\xe2\x80\xae\x1b</span>`, "<ins>x</ins>", "&lt;script&gt;alert(1)&lt;/script&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
}

func TestNoInlineCode(t *testing.T) {
	l := newLab(t)
	page := l.do("GET", "/setup", "").Body.String()
	l.setPassword()
	l.poller.Poll(t.Context())
	c, _ := l.session()
	page += l.do("GET", "/login", "").Body.String() + l.do("GET", "/", "", with(c)).Body.String() + l.do("GET", "/nothing", "", with(c)).Body.String()
	for _, bad := range []string{"<style", " style=", "<script>", " onclick", " onload", "javascript:", "http://", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("a page contains %q, which its content policy refuses", bad)
		}
	}
}

func TestPageSaysWhatIsWrong(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, _ := l.session()
	live := func() string {
		w := l.do("GET", "/live", "", with(c))
		if w.Code != 200 {
			t.Fatalf("GET /live: %d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	has := func(when, page string, want ...string) {
		t.Helper()
		for _, s := range want {
			if !strings.Contains(page, s) {
				t.Errorf("%s: the page does not say %q", when, s)
			}
		}
	}
	has("not asked yet", live(), "has not been asked yet", "portal", "10.77.0.2") // the service from the settings
	l.server.Close()
	l.poller.Poll(t.Context())
	has("never answered", live(), "has not answered since", "its socket is not there", "engine is away", "portal")
	l.startDataplane("one")
	l.mu.Lock()
	l.status.Ports[1].Up = false
	l.status.Services = nil
	l.mu.Unlock()
	b := testBox()
	b.Data = "tmpfs: no disk with an ext4 file system labelled wirepatch-data"
	l.writeBox(b)
	l.poller.Poll(t.Context())
	has("faults", live(), "Port B (lan0) has no link", "No service is protected", "do not outlast a power cycle", "WP-2025-24358", "test 2 of 4 failed")
	l.must(os.WriteFile(l.site.Settings, []byte("[service x]\nport = 99999\n"), 0o644))
	has("bad settings", live(), "settings cannot be read", "want a number from 1 to 65535")
	l.server.Close()
	l.poller.Poll(t.Context())
	has("away", live(), "has not answered since", "1\u202f281", "those of its last answer")
}

func TestEventsAPI(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.hostileEvents()
	c, _ := l.session()
	get := func(query string) (int, []wire.Record) {
		w := l.do("GET", "/api/v1/events"+query, "", with(c))
		var list []wire.Record
		if w.Code == 200 {
			l.must(json.Unmarshal(w.Body.Bytes(), &list))
		}
		return w.Code, list
	}
	_, all := get("")
	if len(all) != 8 {
		t.Fatalf("%d events; want 8", len(all))
	}
	if got := string(all[1].Evidence.Before); got != "X-Forwarded-Prefix: //evil.example/\r\n" {
		t.Errorf("bytes before = %q; want those of the wire", got)
	}
	if _, some := get("?since=3&limit=2"); len(some) != 2 || some[0].Seq != 4 {
		t.Errorf("since=3&limit=2 = %v; want 4 and 5", some)
	}
	if w := l.do("GET", "/api/v1/events?since=99", "", with(c)); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("no events: %s; want []", w.Body)
	}
	for _, q := range []string{"?since=-1", "?since=x", "?limit=1e3", "?since=99999999999999999999"} {
		if code, _ := get(q); code != 400 {
			t.Errorf("%s: %d; want 400", q, code)
		}
	}
}
