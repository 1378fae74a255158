package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirepatch/board/settings"
	"wirepatch/firmware/release"
	"wirepatch/firmware/repo"
	"wirepatch/firmware/update"
)

// TestWaits: boxes spread out, after a start and from then on, and are there when
// the window opens.
func TestWaits(t *testing.T) {
	s := settings.DefaultFirmware
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	spread := func(what string, wait func() time.Duration, from, to time.Duration) {
		least, most := time.Duration(1<<62), time.Duration(0)
		for range 1000 {
			w := wait()
			least, most = min(least, w), max(most, w)
		}
		// A thousand boxes fill nine tenths of the span, or something is wrong.
		if least < from || most > to || most-least < (to-from)*9/10 {
			t.Errorf("%s: they wait %v to %v; want all over %v to %v", what, least, most, from, to)
		}
	}
	spread("after the start", func() time.Duration { return firstWait(s) }, 0, 10*time.Minute)
	spread("from then on", func() time.Duration { return nextWait(s, true, at) }, s.Every*9/10, s.Every*11/10)
	s.Install = "window"
	spread("before the window, nothing offered", func() time.Duration { return nextWait(s, false, at) }, s.Every*9/10, s.Every*11/10)
	spread("before the window", func() time.Duration { return nextWait(s, true, at) }, 2*time.Hour, 2*time.Hour+5*time.Minute)
	spread("in the window", func() time.Duration { return nextWait(s, true, at.Add(3*time.Hour)) }, s.Every*9/10, s.Every*11/10)
	s.Every = time.Minute
	spread("often", func() time.Duration { return firstWait(s) }, 0, time.Minute)
}

// box is a daemon with a repository on the web, as it runs on a box without
// slots.
type box struct {
	*daemon
	repo   *repo.Repo
	client http.Client
}

func newBox(t *testing.T) *box {
	t.Helper()
	dir := t.TempDir()
	r := &repo.Repo{Dir: filepath.Join(dir, "repo"), Keys: repo.Keys(filepath.Join(dir, "keys")), Now: time.Now}
	for _, role := range []string{"root", "targets", "firmware", "definitions", "snapshot", "timestamp"} {
		if _, err := r.Keys.Make(role, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.Init(), r.Publish()); err != nil {
		t.Fatal(err)
	}
	root, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(r.Dir))}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	set := settings.DefaultFirmware
	set.Repository, set.Every = "http://"+l.Addr().String(), time.Hour
	d := &daemon{options: options{socket: filepath.Join(dir, "s"), data: filepath.Join(dir, "data")}, release: release.Release{Version: "0.1.0", Board: "box"},
		settings: set, logf: t.Logf, wake: make(chan struct{}, 1),
		client: update.Client{Root: root, Dir: filepath.Join(dir, "data"), Board: "box", Version: "0.1.0", Now: time.Now}}
	if err := os.MkdirAll(d.data, 0o700); err != nil {
		t.Fatal(err)
	}
	b := &box{daemon: d, repo: r}
	b.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.socket)
	}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ready := make(chan bool)
	d.logf = func(format string, a ...any) {
		if strings.HasPrefix(format, "ready") {
			close(ready)
		}
		t.Logf(format, a...)
	}
	go func() { done <- d.serve(ctx) }()
	<-ready
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// post sends a body and returns the answer's code, "" for success.
func (b *box) post(t *testing.T, path string, body *strings.Reader, size int64) (code string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://updated"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return ""
	}
	var r update.Refusal
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || r.Text == "" {
		t.Errorf("POST %s: status %d with %+v, %v; want a code and a text", path, resp.StatusCode, r, err)
	}
	return r.Code
}

// TestUploadRefused: what is too large or has no room is refused by its length,
// before it is there; what is no update, once it is. Nothing is left of any.
func TestUploadRefused(t *testing.T) {
	b := newBox(t)
	junk := strings.Repeat("junk ", 1000)
	for _, tt := range []struct {
		name, body string
		size       int64
		want       string
	}{
		{"no update", junk, int64(len(junk)), update.Damaged},
		{"nothing", "", 0, update.Damaged},
	} {
		if got := b.post(t, "/v1/upload", strings.NewReader(tt.body), tt.size); got != tt.want {
			t.Errorf("%s: refused with %q; want %s", tt.name, got, tt.want)
		}
	}
	if b.status.LastError == nil || b.status.State != update.Idle {
		t.Errorf("status = %+v; want idle, and the last refusal", b.status)
	}
	for size, want := range map[int64]string{maxUpload + 1: update.TooLarge, 1 << 50: update.TooLarge} {
		err := b.upload(t.Context(), strings.NewReader(junk), size, false)
		var r *update.Refusal
		if !errors.As(err, &r) || r.Code != want {
			t.Errorf("an upload of %d bytes: %v; want %s", size, err, want)
		}
	}
	if err := b.room(1 << 50); err == nil {
		t.Error("room for a petabyte = nil; want a refusal")
	}
	if left, _ := filepath.Glob(filepath.Join(b.data, "upload-*")); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

// TestPull: asked to, it looks into the repository at once, and says what it
// found and when it will look again.
func TestPull(t *testing.T) {
	b := newBox(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go b.schedule(ctx)
	if code := b.post(t, "/v1/check", strings.NewReader(""), 0); code != "" {
		t.Fatalf("check: %s", code)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		b.mu.Lock()
		s := b.status
		b.mu.Unlock()
		if !s.LastCheck.IsZero() && s.NextCheck.After(s.LastCheck) {
			if s.LastError != nil || s.Offer == nil || s.Offer.Firmware != nil {
				t.Errorf("status = %+v; want an offer of nothing", s)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("status = %+v; want that it has looked", s)
		}
	}
	if code := b.post(t, "/v1/install", strings.NewReader(""), 0); code != update.Older {
		t.Errorf("install of nothing: %q; want %s", code, update.Older)
	}
	b.settings.Repository = ""
	if code := b.post(t, "/v1/check", strings.NewReader(""), 0); code != update.NotReady {
		t.Errorf("check without a repository: %q; want %s", code, update.NotReady)
	}
}

// TestHeldBack: firmware that is on the box and was left is not put in by itself.
func TestHeldBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := heldBack(file, "0.2.0"); err != nil {
		t.Errorf("heldBack on a box without slots = %v; want none", err)
	}
	for _, tt := range []struct{ slots, want string }{
		{`[]`, ""},
		{`[{"version": "0.2.0", "state": "given up"}, {"version": "0.1.0", "state": "confirmed", "running": true}]`, "did not hold"},
		{`[{"version": "0.2.0", "state": "set aside"}, {"version": "0.1.0", "state": "confirmed", "running": true}]`, "was left by hand"},
		{`[{"version": "0.2.0", "state": "new"}, {"version": "0.1.0", "state": "confirmed", "running": true}]`, ""},
		{`[{"version": "0.2.0", "state": "given up", "running": true}]`, ""},
		{`[{"version": "0.1.9", "state": "given up"}, {"version": "0.1.0", "state": "confirmed", "running": true}]`, ""},
	} {
		if err := os.WriteFile(file, []byte(`{"slots": `+tt.slots+`}`), 0o644); err != nil {
			t.Fatal(err)
		}
		err := heldBack(file, "0.2.0")
		var r *update.Refusal
		if (err == nil) != (tt.want == "") || err != nil && (!errors.As(err, &r) || r.Code != update.HeldBack || !strings.Contains(r.Text, tt.want)) {
			t.Errorf("heldBack of 0.2.0 beside %s = %v; want %q", tt.slots, err, tt.want)
		}
	}
}

// TestAskedWhileItStarts: who gives a command just when the program starts anew
// waits for it.
func TestAskedWhileItStarts(t *testing.T) {
	b := newBox(t)
	away := b.socket + ".away"
	if err := os.Rename(b.socket, away); err != nil {
		t.Fatal(err)
	}
	p := update.Program{Socket: b.socket}
	if _, err := p.Status(t.Context()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("status: %v; want at once that nobody is there", err)
	}
	done := make(chan error)
	go func() {
		_, err := p.Plan(t.Context(), false)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("plan: %v before anybody was there", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := os.Rename(away, b.socket); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("plan, once the program was there: %v", err)
	}
}
