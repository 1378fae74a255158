package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorder notes what it is asked for.
type recorder struct {
	did     []string
	pressed chan struct{}
	gone    chan struct{} // who waited for the button, went away
}

func (r *recorder) note(format string, a ...any) error {
	r.did = append(r.did, fmt.Sprintf(format, a...))
	return nil
}
func (r *recorder) Restart(who string) error      { return r.note("restart by %s", who) }
func (r *recorder) PowerOff(who string) error     { return r.note("power off by %s", who) }
func (r *recorder) FactoryReset(who string) error { return r.note("reset by %s", who) }
func (r *recorder) ChooseSlot(version, who string) error {
	return r.note("slot %s by %s", version, who)
}
func (r *recorder) Blink(_ context.Context, port string) error {
	if port != "mgmt" {
		return errors.New("no port " + port)
	}
	return r.note("blink %s", port)
}
func (r *recorder) RecoveryCode(who string) (string, error) {
	return "abcd-efgh", r.note("recovery code for %s", who)
}
func (r *recorder) SecureBoot() SecureBoot                 { return SecureBoot{SetupMode, "Example Ltd", "0a0b"} }
func (r *recorder) Enrol(who string) error                 { return r.note("enrol by %s", who) }
func (r *recorder) SetClock(t time.Time, who string) error { return r.note("clock %d", t.Unix()) }
func (r *recorder) Presence(ctx context.Context, _ string) error {
	select {
	case <-r.pressed:
		return nil
	case <-ctx.Done():
		r.gone <- struct{}{}
		return ctx.Err()
	}
}
func (r *recorder) Log(n int) []string { return strings.Split("abcdefgh", "")[:min(n, 8)] }

func start(t *testing.T) (Client, *recorder) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{pressed: make(chan struct{}, 1), gone: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- Serve(context.Background(), l, r) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v; want nil", err)
		}
	})
	return Client{path}, r
}

func TestCommands(t *testing.T) {
	c, r := start(t)
	ctx := t.Context()
	for _, err := range []error{c.Restart(ctx, "anna"), c.PowerOff(ctx, "anna"), c.FactoryReset(ctx, "anna"), c.ChooseSlot(ctx, "0.1.0", "anna"),
		c.Blink(ctx, "mgmt"), c.SetClock(ctx, time.Unix(7, 0), "anna")} {
		if err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(r.did, ", "), "restart by anna, power off by anna, reset by anna, slot 0.1.0 by anna, blink mgmt, clock 7"; got != want {
		t.Errorf("it did %q; want %q", got, want)
	}
	if err := c.Blink(ctx, "x"); err == nil || err.Error() != "no port x" {
		t.Errorf("Blink of no port = %v; want what is wrong", err)
	}
	if lines, err := c.Log(ctx, 3); err != nil || strings.Join(lines, "") != "abc" {
		t.Errorf("Log(3) = %q, %v; want three lines", lines, err)
	}
	if lines, err := c.Log(ctx, -1); err != nil || len(lines) != 0 {
		t.Errorf("Log(-1) = %q, %v; want none", lines, err)
	}
}

func TestPresence(t *testing.T) {
	c, r := start(t)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Presence(short, "anna"); err == nil {
		t.Error("Presence without a hand = nil; want an error")
	}
	<-r.gone
	r.pressed <- struct{}{}
	if err := c.Presence(t.Context(), "anna"); err != nil {
		t.Errorf("Presence with the button pressed = %v", err)
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add("{\"op\":\"log\",\"number\":7}\n")
	f.Add("{\"op\":1}\n")
	f.Add(strings.Repeat("x", 2*maxQuestion))
	f.Fuzz(func(t *testing.T, line string) {
		q, err := readQuestion(strings.NewReader(line))
		if err != nil {
			return
		}
		var a answer
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // what waits need not
		do(ctx, &recorder{pressed: make(chan struct{}, 1), gone: make(chan struct{}, 1)}, question{Op: q.Op, Number: q.Number, Text: q.Text}, &a)
	})
}
