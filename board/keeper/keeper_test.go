package keeper

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirepatch/board/settings"
	"wirepatch/board/socket"
)

const (
	first    = "[appliance]\nhostname = fresh\n"
	second   = "; by hand\n[appliance]\nhostname = rack7\n"
	moved    = second + "[management]\nmode = static\naddress = 192.0.2.10/24\n"
	faultyIn = "[appliance]\nhostnme = x\n"
)

// bench is a keeper in a folder of its own, and what it applied.
type bench struct {
	*Keeper
	applied []string
	fail    error
	logged  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{}
	b.Keeper = &Keeper{Owner: filepath.Join(dir, "owner.ini"), Default: filepath.Join(dir, "default.ini"), Folder: filepath.Join(dir, "settings"), Now: time.Now,
		Logf: func(f string, a ...any) { b.logged = append(b.logged, fmt.Sprintf(f, a...)) },
		Apply: func(_ context.Context, _, s *settings.Settings) error {
			b.applied = append(b.applied, s.Hostname+" "+s.Management.Mode)
			err := b.fail
			b.fail = nil // the way back works
			return err
		}}
	if err := os.WriteFile(b.Default, []byte(first), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) write(t *testing.T, text string) error {
	t.Helper()
	now, err := b.Current()
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Write(t.Context(), Change{Text: text, Base: now.Sum, Who: "anna", Reason: "because"})
	return err
}

// inForce fails unless text is what is in force.
func (b *bench) inForce(t *testing.T, text string) {
	t.Helper()
	if now, err := b.Current(); err != nil || now.Text != text {
		t.Errorf("in force is %q, %v; want %q", now.Text, err, text)
	}
}

func TestWrite(t *testing.T) {
	b := newBench(t)
	if err := b.write(t, second); err != nil {
		t.Fatal(err)
	}
	b.inForce(t, second)
	for name, tt := range map[string]struct {
		text, base string
		want       error
	}{
		"the same again": {second, Sum(second), nil},
		"faulty":         {faultyIn, Sum(second), ErrFault},
		"too large":      {strings.Repeat(";\n", MaxText), Sum(second), ErrFault},
		"another's base": {first, Sum(first), ErrBase},
	} {
		if _, err := b.Write(t.Context(), Change{Text: tt.text, Base: tt.base}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", name, err, tt.want)
		}
	}
	b.inForce(t, second)
	if len(b.applied) != 1 || b.applied[0] != "rack7 dhcp" {
		t.Errorf("applied %q; want the one change, once", b.applied)
	}
	// What was done is said by the keeper itself, whatever who asked says of it.
	if want := []string{"settings: SHA-256 is now " + Sum(second) + "; 2 sections differ: [], [appliance]", "settings: changed by anna: because"}; !slices.Equal(b.logged, want) {
		t.Errorf("logged %q; want %q", b.logged, want)
	}
	h, err := b.History()
	if err != nil || len(h) != 1 || h[0].Text != first || h[0].Who != "anna" || h[0].Reason != "because" {
		t.Errorf("History = %+v, %v; want what was before", h, err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	b := newBench(t)
	for i := range 25 {
		if err := b.write(t, fmt.Sprintf("[appliance]\nhostname = h%d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	h, err := b.History()
	if err != nil || len(h) != kept || h[0].Number != 25 || !strings.Contains(h[0].Text, "h23") || h[kept-1].Number != 16 {
		t.Errorf("History = %d from %d to %d, %v; want the last %d", len(h), h[len(h)-1].Number, h[0].Number, err, kept)
	}
}

func TestApplyFails(t *testing.T) {
	b := newBench(t)
	b.fail = errors.New("the dataplane says no")
	if err := b.write(t, moved); !errors.Is(err, ErrApply) || !strings.Contains(err.Error(), "says no") {
		t.Errorf("Write = %v; want %v with the cause", err, ErrApply)
	}
	b.inForce(t, first)
	if len(b.applied) != 2 || b.applied[1] != "fresh dhcp" {
		t.Errorf("applied %q; want the new one, then the old one again", b.applied)
	}
	if err := b.Confirm(); !errors.Is(err, ErrNone) {
		t.Errorf("Confirm = %v; want %v", err, ErrNone)
	}
}

func TestUnconfirmedIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(t, second)
		if err := b.write(t, moved); err != nil {
			t.Fatal(err)
		}
		if now, _ := b.Current(); now.Confirm.IsZero() {
			t.Error("nothing says that it must be confirmed")
		}
		time.Sleep(ConfirmTime - time.Second)
		b.inForce(t, moved)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.inForce(t, second)
		if got := b.applied[len(b.applied)-1]; got != "rack7 dhcp" {
			t.Errorf("applied last: %q; want the old settings", got)
		}
	})
}

func TestConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, settle := range map[string]func(b *bench) error{
			"confirmed":       func(b *bench) error { return b.Confirm() },
			"changed further": func(b *bench) error { return b.write(t, moved+"[wire]\nlink_propagation = no\n") },
		} {
			b := newBench(t)
			b.write(t, moved)
			if err := settle(b); err != nil {
				t.Fatal(err)
			}
			now, _ := b.Current()
			time.Sleep(2 * ConfirmTime)
			synctest.Wait()
			b.inForce(t, now.Text)
			if err := b.Recover(); err != nil {
				t.Fatal(err)
			}
			b.inForce(t, now.Text)
			if !strings.Contains(now.Text, "192.0.2.10") {
				t.Errorf("%s: in force is %q", name, now.Text)
			}
		}
	})
}

// The power goes before the change is confirmed: the box starts with the old one.
func TestPowerCutWhileUnconfirmed(t *testing.T) {
	b := newBench(t)
	b.write(t, second)
	b.write(t, moved)
	b.waiting.cancel()
	again := newBench(t).Keeper
	again.Owner, again.Default, again.Folder = b.Owner, b.Default, b.Folder
	if err := again.Recover(); err != nil {
		t.Fatal(err)
	}
	if now, err := again.Current(); err != nil || now.Text != second {
		t.Errorf("after the restart %q, %v is in force; want what was confirmed last", now.Text, err)
	}
}

// What cannot be taken back, since the disk takes nothing, is so at a later start.
func TestRecoverOnAFullDisk(t *testing.T) {
	b := newBench(t)
	if err := errors.Join(b.write(t, second), b.write(t, moved)); err != nil {
		t.Fatal(err)
	}
	again := newBench(t)
	again.Owner, again.Folder = b.Owner, b.Folder
	inTheWay := filepath.Join(b.Owner+".new", "x") // root is not stopped by a mode
	if err := os.MkdirAll(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := again.Recover(); err == nil {
		t.Error("Recover = nil where nothing can be written")
	}
	if err := os.RemoveAll(b.Owner + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := again.Recover(); err != nil {
		t.Fatal(err)
	}
	if now, err := again.Current(); err != nil || now.Text != second {
		t.Errorf("in force at the second start: %q, %v; want %q", now.Text, err, second)
	}
}

func TestSocket(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := socket.Listen(path, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- b.Serve(t.Context(), l) }()
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode of the socket = %v, %v; want 0660", st.Mode(), err)
	}
	c, ctx := Client{path}, t.Context()
	now, err := c.Current(ctx)
	if err != nil || now.Text != first || now.Sum != Sum(first) {
		t.Errorf("Current = %+v, %v", now, err)
	}
	if _, err := c.Write(ctx, Change{Text: faultyIn, Base: now.Sum}); !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), "hostnme: unknown key") {
		t.Errorf("Write of a faulty file = %v; want %v and what is wrong", err, ErrFault)
	}
	if _, err := c.Write(ctx, Change{Text: moved, Base: "x"}); !errors.Is(err, ErrBase) {
		t.Errorf("Write on another base = %v; want %v", err, ErrBase)
	}
	if now, err = c.Write(ctx, Change{Text: moved, Base: now.Sum, Who: "anna"}); err != nil || now.Text != moved || now.Confirm.IsZero() {
		t.Errorf("Write = %+v, %v; want it to wait for a confirmation", now, err)
	}
	if err := errors.Join(c.Confirm(ctx)); err != nil {
		t.Errorf("Confirm = %v", err)
	}
	if h, err := c.History(ctx); err != nil || len(h) != 1 || h[0].Text != first {
		t.Errorf("History = %v, %v; want what was before", h, err)
	}
	for _, junk := range []string{"", "\n", "{}\n", "{\"op\":\"rm -rf\"}\n", strings.Repeat("x", 1000)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(junk))
		conn.(*net.UnixConn).CloseWrite()
		conn.Read(make([]byte, 100))
		conn.Close()
	}
	b.inForce(t, moved)
	l.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v; want nil", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"op":"write","change":{"text":"[appliance]\n","base":""}}` + "\n"))
	f.Add([]byte("{\"op\":1}\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		var q request
		readLine(bufio.NewReader(bytes.NewReader(line)), &q)
	})
}
