package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirepatch/dataplane/session"
)

type source struct {
	status    Status
	reloaded  int
	reloadErr error
}

func (s *source) Status(context.Context) (Status, error) { return s.status, nil }

func (s *source) Reload(context.Context) error {
	s.reloaded++
	return s.reloadErr
}

// serve starts a server on a socket and returns a client for it.
func serve(t *testing.T, src Source, log *Log) (*Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(src, log)
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v; want nil after Close", err)
		}
	})
	c := Dial(path)
	t.Cleanup(c.Close)
	return c, path
}

func TestStatusAndReload(t *testing.T) {
	src := &source{status: Status{Version: "1", Ports: []Port{{Name: "b0", Up: true}}, Definitions: []Definition{{ID: "WP-1", Mode: "correct"}}}}
	log := NewLog()
	log.Add(Event{Kind: "start"})
	c, path := serve(t, src, log)
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode of the socket = %v, %v; want 0660", st.Mode(), err)
	}
	got, err := c.Status(t.Context())
	want := src.status
	want.LastEvent = 1
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("Status: %v (-want +got):\n%s", err, d)
	}
	if err := c.Reload(t.Context()); err != nil || src.reloaded != 1 {
		t.Errorf("Reload = %v, reloaded %d times; want nil, once", err, src.reloaded)
	}
	src.reloadErr = errors.New("[service a] port: got \"x\"")
	if err := c.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), src.reloadErr.Error()) {
		t.Errorf("Reload = %v; want the reason %q", err, src.reloadErr)
	}
}

func TestEvents(t *testing.T) {
	log := NewLog()
	c, _ := serve(t, &source{}, log)
	if got, err := c.Events(t.Context(), 0, 0); err != nil || len(got) != 0 {
		t.Errorf("Events of an empty log = %v, %v; want none", got, err)
	}
	go log.Add(Event{Kind: "correction", Evidence: &session.Evidence{Definition: "WP-1", Before: []byte{0, 0xff}}})
	got, err := c.Events(t.Context(), 0, maxWait)
	if err != nil || len(got) != 1 || got[0].ID != 1 || got[0].Time.IsZero() || string(got[0].Evidence.Before) != "\x00\xff" {
		t.Errorf("Events = %+v, %v; want the one that came while waiting", got, err)
	}
	for range MaxEvents + 1 {
		log.Add(Event{Kind: "link"})
	}
	got, err = c.Events(t.Context(), 1, 0)
	if err != nil || len(got) != MaxEvents || got[0].ID != 2 {
		t.Errorf("Events(since 1) = %d events, %v; want %d from 2 on", len(got), err, MaxEvents)
	}
}

func TestEventsEndWithTheServer(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "s"), -1)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(&source{}, NewLog())
	served, asked := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c := Dial(l.Addr().String())
	defer c.Close()
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := c.Events(t.Context(), 0, maxWait)
		asked <- err
	}()
	s.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v; want nil", err)
	}
	<-asked // and not a minute later
}

func TestLogIsBounded(t *testing.T) {
	log := NewLog()
	for range logEntries + 10 {
		log.Add(Event{})
	}
	if got := log.Since(0, 1<<20); len(got) != logEntries || got[0].ID != 11 {
		t.Errorf("log holds %d events from %d on; want %d from 11 on", len(got), got[0].ID, logEntries)
	}
	big := &session.Evidence{Before: make([]byte, 1<<20)}
	for range 20 {
		log.Add(Event{Evidence: big})
	}
	if got := log.Since(0, 1<<20); len(got) != logEvidence>>20 {
		t.Errorf("log holds %d events with 1 MB of evidence each; want %d", len(got), logEvidence>>20)
	}
	for since, want := range map[uint64]int{log.Last(): 0, log.Last() - 1: 1, log.Last() + 5: logEvidence >> 20} {
		if got := log.Since(since, 1<<20); len(got) != want {
			t.Errorf("Since(%d) = %d events; want %d", since, len(got), want)
		}
	}
}

func TestListenReplacesOnlyADeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, -1); err == nil {
		t.Error("Listen on a socket that answers = nil; want an error")
	}
	l.(*limited).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = Listen(path, -1); err != nil {
		t.Fatalf("Listen on a dead socket = %v; want nil", err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, -1); err == nil {
		t.Error("Listen on a regular file = nil; want an error, not its removal")
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	inner, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	l := newLimited(inner, 1)
	accepted := make(chan net.Conn, 4)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	for range 2 {
		c, err := net.Dial("unix", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Error("a second connection was accepted while the first is open; want one at most")
	case <-time.After(10 * time.Millisecond): // absence can only be waited for
	}
	first.Close()
	first.Close() // twice must not free two places
	(<-accepted).Close()
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close = %v; want net.ErrClosed", err)
	}
}

func FuzzServer(f *testing.F) {
	f.Add("/v1/events?since=1&wait=0")
	f.Add("/v1/events?since=-1&wait=99999999999999")
	f.Add("/v1/status?%zz")
	log := NewLog()
	log.Add(Event{Kind: "start"}) // so that no question waits
	s := NewServer(&source{}, log)
	f.Fuzz(func(t *testing.T, target string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := r.URL.Parse(target)
		if err != nil {
			return
		}
		r.URL = u
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a question for later events ends at once
		s.http.Handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	})
}
