package web

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/wire"
)

// corrections has the dataplane tell of n corrections, of two definitions in turn.
func (l *lab) corrections(n int) {
	l.Helper()
	for i := range n {
		l.log.Add(control.Event{Time: l.now(), Kind: "correction", Text: "header removed", Service: "portal", Client: "10.77.0.1:50314", Server: "10.77.0.2:80",
			Evidence: &session.Evidence{Definition: []string{"WP-1", "WP-2"}[i%2], Mode: "correct", Action: "remove", Element: "request.header", Before: []byte("X-Evil: yes\r\n")}})
		l.advance(time.Second)
	}
	l.poller.Poll(l.Context())
	l.poller.Poll(l.Context())
	l.settle()
}

func TestFind(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.corrections(60)
	c, _ := l.session()
	for path, want := range map[string]int{
		"/corrections":                           perPage,
		"/corrections?definition=WP-1":           perPage,
		"/corrections?definition=WP-1&before=12": 6,
		"/corrections?q=removed+wp-2&before=5":   2,
		"/corrections?client=10.77.0.9":          0,
		"/corrections?from=2026-11-22T10:00:58":  2,
		"/corrections?to=2026-11-22T10:00:01Z":   2,
		"/corrections?mode=shadow":               0,
	} {
		w := l.do("GET", path, "", with(c))
		if got := strings.Count(w.Body.String(), "<article"); w.Code != 200 || got != want {
			t.Errorf("GET %s: %d, %d corrections; want %d", path, w.Code, got, want)
		}
	}
	if w := l.do("GET", "/corrections?from=yesterday", "", with(c)); !strings.Contains(w.Body.String(), "want a time in UTC") {
		t.Errorf("a time that is none is not said: %s", w.Body)
	}
	if next := l.do("GET", "/corrections?definition=WP-1", "", with(c)).Body.String(); !strings.Contains(next, "/corrections?before=11&amp;definition=WP-1") {
		t.Error("the page does not lead on to older ones with the same filter")
	}
	var tallies []events.Tally
	l.must(json.Unmarshal(l.do("GET", "/api/v1/tallies", "", with(c)).Body.Bytes(), &tallies))
	if len(tallies) != 2 || tallies[0].Count != 30 || tallies[1].Definition != "WP-2" {
		t.Errorf("tallies = %+v; want 30 of each definition", tallies)
	}
}

func TestDownloads(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.corrections(1)
	c, _ := l.session()
	w := l.do("GET", "/corrections/1/json", "", with(c))
	var r wire.Record
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || string(r.Evidence.Before) != "X-Evil: yes\r\n" || !strings.Contains(w.Header().Get("Content-Disposition"), `"correction-1.json"`) {
		t.Errorf("JSON: %v, %+v; want the record as a file", err, r)
	}
	pcap := l.do("GET", "/corrections/1/pcap", "", with(c)).Body.Bytes()
	if len(pcap) < 24 || binary.LittleEndian.Uint32(pcap) != pcapMagic {
		t.Fatalf("pcap begins with % x", pcap[:min(24, len(pcap))])
	}
	var packets [][]byte
	for rest := pcap[24:]; len(rest) >= 16; {
		n := binary.LittleEndian.Uint32(rest[8:])
		packets = append(packets, rest[16:16+n])
		rest = rest[16+n:]
	}
	if len(packets) != 2 || !bytes.HasSuffix(packets[0], []byte("X-Evil: yes\r\n")) || len(packets[1]) != 40 ||
		!bytes.Equal(packets[0][12:20], []byte{10, 77, 0, 1, 10, 77, 0, 2}) || binary.BigEndian.Uint16(packets[0][22:]) != 80 {
		t.Errorf("pcap holds % x; want the bytes before and after, from client to server", packets)
	}
}

// After a restart the page knows what was before, and the dataplane's events do
// not come twice.
func TestRestartOfTheProgram(t *testing.T) {
	l := newLab(t)
	l.corrections(5)
	again := wire.New(l.socket(), filepath.Join(l.dir, "box.json"), l.now)
	var kept []wire.Record
	again.Resume(l.events.Resume(), nil, func(r wire.Record, _ string, _ uint64) { kept = append(kept, r) })
	again.Poll(t.Context())
	again.Poll(t.Context())
	if len(kept) != 0 {
		t.Errorf("after a restart %d events come again; want none", len(kept))
	}
	l.log.Add(control.Event{Kind: "link", Text: "new"})
	again.Poll(t.Context())
	if len(kept) != 1 || kept[0].Seq != 6 {
		t.Errorf("the next event is %+v; want number 6", kept)
	}
}

// The audit log that the API gives away is one that the command verifies.
func TestAuditOfWhatUsersDo(t *testing.T) {
	l := newLab(t)
	l.sendForm("/setup", url.Values{"code": {l.site.Users.SetupCode()}, "username": {"anna"}, "password": {testPassword}, "repeat": {testPassword}})
	l.sendForm("/login", url.Values{"username": {"anna"}, "password": {"not the password"}})
	l.sendForm("/login", url.Values{"username": {"hunter2 is my password"}, "password": {"anna"}})
	c, s := l.sessionOf("anna")
	add := url.Values{"token": {s.Token}, "name": {"olga"}, "role": {"operator"}, "password": {"another good password"}}
	if w := l.do("POST", "/users/add", add.Encode(), with(c)); w.Code != 303 {
		t.Fatalf("add a user: %d %s", w.Code, w.Body)
	}
	o, os2 := l.sessionOf("olga")
	l.must(l.site.Users.ChangePassword(t.Context(), "olga", testPassword))
	l.do("POST", "/users/remove", url.Values{"token": {os2.Token}, "name": {"anna"}}.Encode(), with(o))
	text := l.do("GET", "/api/v1/audit", "", with(c)).Body.String()
	for _, want := range []string{`"action\":\"set-up\"`, `\"sign-in\",\"detail\":\"wrong name or password`, `\"unknown user\"`, `\"action\":\"user.add\",\"object\":\"olga\",\"detail\":\"operator\",\"outcome\":\"done\"`, `\"who\":\"olga\",\"role\":\"operator\",\"from\":\"192.0.2.9\",\"action\":\"refused\",\"object\":\"POST /users/remove\"`} {
		if !strings.Contains(strings.ReplaceAll(text, `\"`, `\"`), want) {
			t.Errorf("the audit log lacks %s:\n%s", want, text)
		}
	}
	for _, secret := range []string{testPassword, "hunter2", "another good password", "not the password"} {
		if strings.Contains(text, secret) {
			t.Errorf("the audit log tells %q", secret)
		}
	}
	path := filepath.Join(l.dir, "export.jsonl")
	l.must(os.WriteFile(path, []byte(text), 0o600))
	head, err := l.audit.Head()
	l.must(err)
	if got, err := audit.Verify(path, head.String()); err != nil || got != head {
		t.Errorf("Verify = %v, %v; want %v", got, err, head)
	}
}

func TestPasswordOfAnotherMustBeChanged(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.must(l.site.Users.Add(t.Context(), "olga", auth.Operator, testPassword))
	c, s := l.sessionOf("olga")
	if w := l.do("GET", "/", "", with(c)); w.Code != 303 || w.Header().Get("Location") != "/account" {
		t.Errorf("GET / before the change: %d to %q; want /account", w.Code, w.Header().Get("Location"))
	}
	if w := l.do("GET", "/api/v1/status", "", with(c)); w.Code != 403 {
		t.Errorf("API before the change: %d; want 403", w.Code)
	}
	v := url.Values{"token": {s.Token}, "present": {"wrong password"}, "password": {"my very own words"}, "repeat": {"my very own words"}}
	if w := l.do("POST", "/account/password", v.Encode(), with(c)); w.Code != 422 {
		t.Errorf("change with a wrong present password: %d; want 422", w.Code)
	}
	v.Set("present", testPassword)
	if w := l.do("POST", "/account/password", v.Encode(), with(c)); w.Code != 303 {
		t.Errorf("change: %d %s; want 303", w.Code, w.Body)
	}
	if w := l.do("GET", "/", "", with(c)); w.Code != 200 {
		t.Errorf("GET / after the change: %d; want 200", w.Code)
	}
}

// Who is disabled is out at once, whatever is still open.
func TestDisabledAtOnce(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	c, _ := l.sessionOf("operator")
	if got := l.do("GET", "/", "", with(c)).Code; got != 200 {
		t.Fatalf("GET / = %d; want 200", got)
	}
	a, s := l.session()
	l.do("POST", "/users/disable", url.Values{"token": {s.Token}, "name": {"operator"}}.Encode(), with(a))
	if got := l.do("GET", "/api/v1/status", "", with(c)).Code; got != 401 {
		t.Errorf("after being disabled: %d; want 401", got)
	}
}

func TestSecondFactorOnThePage(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, s := l.session()
	secret := auth.NewFactor()
	code, _ := auth.CodeAt(secret, l.now())
	w := l.do("POST", "/account/factor", url.Values{"token": {s.Token}, "present": {testPassword}, "secret": {secret}, "code": {code}}.Encode(), with(c))
	if w.Code != 200 || strings.Count(w.Body.String(), `<li class="code">`) != 10 {
		t.Fatalf("set the factor: %d %s; want ten recovery codes", w.Code, w.Body)
	}
	l.advance(time.Minute)
	if w := l.do("POST", "/api/v1/login", `{"password":"`+testPassword+`"}`); w.Code != 401 {
		t.Errorf("sign-in without the code: %d; want 401", w.Code)
	}
	code, _ = auth.CodeAt(secret, l.now())
	checkSession(l, l.do("POST", "/api/v1/login", `{"user":"admin","password":"`+testPassword+`","code":"`+code+`"}`))
	checkSession(l, func() *httptest.ResponseRecorder {
		l.advance(time.Minute)
		code, _ = auth.CodeAt(secret, l.now())
		return l.sendForm("/login", url.Values{"username": {"admin"}, "password": {testPassword}, "code": {code}})
	}())
}
