package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// logBuffer keeps the log and tells when a line has come.
type logBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	line chan struct{}
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.line <- struct{}{}:
	default:
	}
	return l.b.Write(p)
}

func (l *logBuffer) text() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// start runs the program until the returned function is called, which returns
// what it logged. values are what the pattern's groups found in the log.
func start(t *testing.T, data, pattern string) (values []string, stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log := &logBuffer{line: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, options{listen: "127.0.0.1:0", data: data, control: filepath.Join(data, "none.sock"), box: filepath.Join(data, "none.json")},
			slog.New(slog.NewTextHandler(log, nil)))
	}()
	re := regexp.MustCompile(pattern)
	for values == nil {
		select {
		case <-log.line:
			values = re.FindStringSubmatch(log.text())
		case err := <-done:
			t.Fatalf("run = %v; log:\n%s", err, log.text())
		}
	}
	return values[1:], func() string {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run = %v; want nil after the signal to end", err)
		}
		return log.text()
	}
}

func TestFirstAndSecondStart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "mgmt")
	pattern := `(?s)address=(\S+) certificate_sha256=(\S+).*setup_code=(\S+)`
	first, stop := start(t, data, pattern)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := c.Get("https://" + first[0] + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.Request.URL.Path != "/setup" || strings.Contains(string(body), first[2]) {
		t.Errorf("GET / ends at %s; want /setup, without the code on the page", resp.Request.URL)
	}
	c.CloseIdleConnections()
	stop()
	if st, err := os.Stat(data); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v; want mode 0700", st, err)
	}
	second, stop := start(t, data, pattern)
	stop()
	if second[1] != first[1] || second[2] != first[2] {
		t.Errorf("second start: certificate, code %q; want those of the first, %q", second[1:], first[1:])
	}
}

func TestCannotListen(t *testing.T) {
	err := run(t.Context(), options{listen: "256.0.0.1:1", data: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Error("run on an impossible address = nil; want an error")
	}
}
