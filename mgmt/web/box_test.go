package web

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
)

// boxBehind is what the site asks besides the dataplane and the keeper: init's
// commands, served by their own server, and answers in the form of the update
// program's. That one itself is driven through the page in qemu/e2e/firmware.
type boxBehind struct {
	*lab
	mu     sync.Mutex
	did    []string
	lines  []string
	status update.Status
	refuse *update.Refusal
	got    []byte // the file that was uploaded
}

func (b *boxBehind) path(name string) string { return filepath.Join(b.dir, name+".sock") }

func (l *lab) startBox() {
	l.Helper()
	l.box = &boxBehind{lab: l, lines: []string{"wirepatch: forwarding"}, status: update.Status{State: update.Idle, Version: "0.2.0", Board: "qemu", Revision: 7}}
	cl, err := net.Listen("unix", l.box.path("command"))
	l.must(err)
	go command.Serve(context.Background(), cl, l.box)
	ul, err := net.Listen("unix", l.box.path("update"))
	l.must(err)
	srv := &http.Server{Handler: l.box}
	go srv.Serve(ul)
	l.Cleanup(func() { cl.Close(); srv.Close() })
}

func (b *boxBehind) note(format string, a ...any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, fmt.Sprintf(format, a...))
	return nil
}

// done returns what was asked for, and forgets it.
func (b *boxBehind) done() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Join(b.did, "; ")
	b.did = nil
	return all
}

func (b *boxBehind) Restart(who string) error      { return b.note("restart by %s", who) }
func (b *boxBehind) PowerOff(who string) error     { return b.note("power off by %s", who) }
func (b *boxBehind) FactoryReset(who string) error { return b.note("reset by %s", who) }
func (b *boxBehind) ChooseSlot(version, who string) error {
	return b.note("slot %s by %s", version, who)
}
func (b *boxBehind) Blink(_ context.Context, port string) error { return b.note("blink %s", port) }
func (b *boxBehind) SetClock(t time.Time, _ string) error       { return b.note("clock") }
func (b *boxBehind) RecoveryCode(who string) (string, error) {
	return "", b.note("recovery code for %s", who)
}
func (b *boxBehind) SecureBoot() command.SecureBoot               { return command.SecureBoot{} }
func (b *boxBehind) Enrol(who string) error                       { return b.note("enrol by %s", who) }
func (b *boxBehind) Presence(_ context.Context, who string) error { return errors.New("nobody") }
func (b *boxBehind) Log(n int) []string                           { return b.lines[max(0, len(b.lines)-n):] }

func (b *boxBehind) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == "POST" {
		b.note("%s?%s", r.URL.Path, r.URL.RawQuery)
	}
	if r.URL.Path == "/v1/upload" {
		b.got, _ = io.ReadAll(r.Body)
	}
	w.Header().Set("Content-Type", "application/json")
	if b.refuse != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		json.NewEncoder(w).Encode(b.refuse)
		return
	}
	json.NewEncoder(w).Encode(b.status)
}

// Rehearse is what the dataplane is asked for.
func (l *lab) Rehearse(context.Context, time.Duration) (control.Rehearsal, error) {
	return control.Rehearsal{StoppedMS: 1004, NoticedMS: 430, Bypassed: 12, Services: []control.RehearsedService{{Name: "portal", Fail: "open", Passed: 12}}}, nil
}

// multipartForm is one, in the order of its fields.
func multipartForm(fields ...string) (body *bytes.Buffer, kind string) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "file" {
			f, _ := w.CreateFormFile("file", "site.update")
			f.Write([]byte(fields[i+1]))
		} else {
			w.WriteField(fields[i], fields[i+1])
		}
	}
	w.Close()
	return body, w.FormDataContentType()
}

// An update file goes through to the update program, as it is, once the form's
// token has come; without it not a byte does.
func TestUpload(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, s := l.session()
	send := func(fields ...string) *httptest.ResponseRecorder {
		body, kind := multipartForm(fields...)
		return l.do("POST", "/updates/upload", body.String(), with(c), header("Content-Type", kind))
	}
	content := strings.Repeat("update ", 1<<20) // far beyond what other requests may have
	for name, fields := range map[string][]string{"no token": {"file", content}, "wrong token": {"token", "x", "file", content}, "token too late": {"file", content, "token", s.Token}} {
		if w := send(fields...); w.Code != 403 || l.box.got != nil {
			t.Errorf("%s: %d, %d bytes went through; want 403 and none", name, w.Code, len(l.box.got))
		}
	}
	if w := send("token", s.Token); w.Code != 422 {
		t.Errorf("no file: %d; want 422", w.Code)
	}
	if w := send("token", s.Token, "file", content); w.Code != 303 || w.Header().Get("Location") != "/updates" || string(l.box.got) != content || l.box.done() != "/v1/upload?" {
		t.Errorf("upload: %d to %s, %d bytes; want 303 to /updates and all of them", w.Code, w.Header().Get("Location"), len(l.box.got))
	}
	send("token", s.Token, "restart", "yes", "file", "x")
	if did := l.box.done(); did != "/v1/upload?restart=yes" {
		t.Errorf("with its firmware to be put in: %q", did)
	}
	l.box.refuse = &update.Refusal{Code: update.BadSignature, Text: "not signed by keys <that> this box trusts"}
	if w := send("token", s.Token, "file", "x"); w.Code != 422 || !strings.Contains(w.Body.String(), "ot signed by keys &lt;that&gt; this box trusts") {
		t.Errorf("refused: %d\n%s", w.Code, w.Body)
	}
	w := l.do("POST", "/api/v1/updates/upload?restart=yes", "abc", with(c), header("Content-Type", "application/octet-stream"))
	if w.Code != 422 || string(l.box.got) != "abc" {
		t.Errorf("by a program: %d %s, %q went through", w.Code, w.Body, l.box.got)
	}
}

// The page says what runs, what is offered, what was; and each button does what
// it says.
func TestUpdates(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	b := testBox()
	b.Slots = []state.Slot{{Version: "0.2.0", State: "confirmed", Running: true}, {Version: "0.1.0", State: "confirmed"}, {Version: "0.0.9", State: "given up"}}
	l.writeBox(b)
	l.poller.Poll(t.Context())
	l.box.status.Offer = &update.Offer{Firmware: &update.Item{Version: "0.3.0"}}
	l.box.status.History = []update.Past{{Time: l.now(), What: "definitions 7"}, {Time: l.now(), What: "update", Code: "older", Text: "from https://anna:geheim@updates.example"}}
	c, _ := l.session()
	text := l.do("GET", "/updates", "", with(c)).Body.String()
	for _, want := range []string{`<strong>0.3.0</strong> is offered`, `Start 0.1.0`, `revision 7`, `definitions 7`, `02:00 to 04:00 UTC`, "none: updates come as files"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	for _, not := range []string{"Start 0.0.9", "Start 0.2.0", "geheim"} {
		if strings.Contains(text, not) {
			t.Errorf("the page has %q", not)
		}
	}
	for _, tt := range []struct{ path, key, value, want string }{
		{"/updates/check", "x", "", "/v1/check?"},
		{"/updates/install", "when", "window", "/v1/install?when=window"},
		{"/updates/install", "when", "never", "/v1/install?when=never"},
	} {
		l.post("admin", tt.path, tt.key, tt.value)
		if did := l.box.done(); did != tt.want {
			t.Errorf("%s %s asked for %q; want %q", tt.path, tt.value, did, tt.want)
		}
	}
	l.post("admin", "/updates/install", "when", "now")
	for end := time.Now().Add(time.Minute); l.box.done() != "/v1/install?"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is put in")
		}
	}
	l.post("admin", "/updates/slot", "version", "0.1.0", "sure", "yes")
	l.post("admin", "/system/restart", "sure", "yes")
	l.post("admin", "/system/blink", "port", "wire-b")
	if did := l.box.done(); did != "slot 0.1.0 by admin on the page; restart by admin on the page; blink wire-b" {
		t.Errorf("it did %q", did)
	}
	l.box.status.State, l.box.status.Done, l.box.status.Bytes = update.Downloading, 5<<20, 10<<20
	if w := l.do("GET", "/updates", "", with(c)); w.Header().Get("Refresh") == "" || !strings.Contains(w.Body.String(), `value="0.500"`) {
		t.Errorf("while it downloads: Refresh %q; want how far it is, again and again", w.Header().Get("Refresh"))
	}
}

func TestRehearsal(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, s := l.session()
	w := l.do("POST", "/system/rehearse", url.Values{"token": {s.Token}, "sure": {"yes"}}.Encode(), with(c))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "1004 ms") || !strings.Contains(w.Body.String(), "portal: fail open, 12 passed") {
		t.Errorf("rehearsal: %d\n%s", w.Code, w.Body)
	}
	// One after the other they would be a bypass that nobody has approved.
	if w := l.post("admin", "/system/rehearse", "sure", "yes"); w.Code != 409 {
		t.Errorf("rehearsed again at once: %d; want 409", w.Code)
	}
	l.advance(rehearseEvery)
	if w := l.post("admin", "/system/rehearse", "sure", "yes"); w.Code != 200 {
		t.Errorf("rehearsed after %v: %d %s; want 200", rehearseEvery, w.Code, w.Body)
	}
}

// secrets are planted in every place that a bundle is made of.
var secrets = []string{"Pa55word-of-anna", "W3A1-TD88-310A-VAPV", "wirepatch_abcdefghijklmnopqrstuvwxyz0123456789", "proxy-pass", "hook-secret", "BEGIN PRIVATE KEY"}

// The support bundle has what is needed and none of the secrets.
func TestBundle(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	token, err := l.site.Users.NewToken("robot", 1, "admin", time.Hour)
	l.must(err)
	l.box.lines = append(l.box.lines, `mgmt: msg="no password is set" setup_code=W3A1-TD88-310A-VAPV`, "mgmt: token wirepatch_abcdefghijklmnopqrstuvwxyz0123456789 was sent", "updated: http://anna:proxy-pass@proxy:3128 refuses", "x: password=Pa55word-of-anna")
	now, err := l.keeper.Current()
	l.must(err)
	next := now.Text + "[firmware]\nproxy = http://anna:proxy-pass@proxy.example:3128\n"
	_, err = l.keeper.Write(t.Context(), keeper.Change{Text: next, Base: now.Sum, Who: "anna"})
	l.must(err)
	b := testBox()
	b.Log = append(b.Log, state.Entry{ID: 2, Text: "setup_code=W3A1-TD88-310A-VAPV"})
	l.writeBox(b)
	l.poller.Poll(t.Context())
	l.post("admin", "/outputs/add", "name", "hook", "kind", "webhook", "target", "https://127.0.0.1:1/x", "secret", "hook-secret")
	c, _ := l.session()
	w := l.do("GET", "/system/bundle", "", with(c))
	if w.Code != 200 || !strings.Contains(w.Header().Get("Content-Disposition"), ".tar.gz") {
		t.Fatalf("bundle: %d %v", w.Code, w.Header())
	}
	z, err := gzip.NewReader(w.Body)
	l.must(err)
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		l.must(err)
		text, err := io.ReadAll(r)
		l.must(err)
		files[strings.TrimPrefix(h.Name, "wirepatch/")] = string(text)
	}
	hash, _ := l.site.Users.SignIn(t.Context(), "admin", testPassword, "")
	for name, text := range files {
		for _, secret := range append(secrets, token, hash.Hash, testPassword, "argon2") {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%s holds the secret %q:\n%s", name, secret, text)
			}
		}
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
			t.Errorf("%s is no JSON:\n%s", name, text)
		}
	}
	for name, want := range map[string]string{"log.txt": "forwarding", "appliance.ini": "[service portal]", "dataplane.json": "WP-2023-26125", "system.json": `"cpus"`, "updates.json": `"definitions": 7`, "users.json": `"administrator": 1`, "outputs.json": "hook", "audit-head.json": "hash", "events.json": "{"} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %q: %q", name, want, files[name])
		}
	}
	if text := l.do("GET", "/system", "", with(c)).Body.String(); strings.Contains(text, "VAPV") || strings.Contains(text, "proxy-pass") {
		t.Error("the page shows a secret of the log")
	}
}
