package vm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSerialWait(t *testing.T) {
	var log bytes.Buffer
	s := newSerial(&log)
	line := regexp.MustCompile(`speed (\d+)\n`)
	found := make(chan []string)
	go func() {
		at := int64(0)
		for range 2 {
			var m []string
			var err error
			if m, at, err = s.WaitFrom(t.Context(), at, line); err != nil {
				t.Error(err)
			}
			found <- m
		}
	}()
	for _, piece := range []string{"boot\nspe", "ed 1", "2\nand speed 3\n"} {
		io.WriteString(s, piece)
	}
	if diff := cmp.Diff([][]string{{"speed 12\n", "12"}, {"speed 3\n", "3"}}, [][]string{<-found, <-found}); diff != "" {
		t.Errorf("WaitFrom() (-want +got):\n%s", diff)
	}
	if got, want := log.String(), "boot\nspeed 12\nand speed 3\n"; got != want {
		t.Errorf("the log is %q; want %q", got, want)
	}
	if got, want := s.Tail(1), "and speed 3"; got != want {
		t.Errorf("Tail(1) = %q; want %q", got, want)
	}
}

func TestSerialWaitEnds(t *testing.T) {
	s := newSerial(io.Discard)
	never := regexp.MustCompile(`never`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.WaitFrom(ctx, 0, never); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitFrom() = %v; want %v", err, context.Canceled)
	}
	s.end()
	if _, _, err := s.WaitFrom(t.Context(), 0, never); !errors.Is(err, errEnded) {
		t.Errorf("WaitFrom() = %v; want %v", err, errEnded)
	}
}

// TestSerialBounded: a machine that talks without end fills no memory, and
// positions stay right.
func TestSerialBounded(t *testing.T) {
	s := newSerial(io.Discard)
	for range 100 {
		io.WriteString(s, strings.Repeat("x", serialKept/10))
	}
	at := s.Position()
	if want := int64(100 * (serialKept / 10)); at != want {
		t.Errorf("Position() = %d; want %d", at, want)
	}
	io.WriteString(s, "needle")
	_, next, err := s.WaitFrom(t.Context(), at, regexp.MustCompile("needle"))
	if err != nil || next != at+6 {
		t.Errorf("WaitFrom() = %d, %v; want %d", next, err, at+6)
	}
	if len(s.kept) > serialKept {
		t.Errorf("%d bytes are kept; want at most %d", len(s.kept), serialKept)
	}
}

// TestSerialServe attaches to the console: the past, the present and the keys.
func TestSerialServe(t *testing.T) {
	keys, typed := io.Pipe()
	s := newSerial(io.Discard)
	s.begin(typed)
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go s.Serve(l)
	io.WriteString(s, "past ")
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	expect := func(r io.Reader, want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(r, b); err != nil || string(b) != want {
			t.Errorf("got %q, %v; want %q", b, err, want)
		}
	}
	expect(c, "past ")
	io.WriteString(s, "present")
	expect(c, "present")
	io.WriteString(c, "5\n")
	expect(keys, "5\n")
	s.end()
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read() after the end = %d, %v; want EOF", n, err)
	}
}
