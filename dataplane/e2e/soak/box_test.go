package soak

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

// patience is how long a test waits for what must happen, a session for its next
// bytes.
const patience = 40 * time.Second

const settingsText = `
[service four]
address = 10.77.0.2
port = 80
fail = %[1]s
[service six]
address = fd77::2
port = 80
fail = %[1]s
`

// box is the dataplane between two ends.
type box struct {
	*netns.Bed
	control *control.Client
	args    []string
	pins    string
	cmd     *exec.Cmd
	ended   chan struct{}

	mu  sync.Mutex
	log []string // its standard error
}

// newBox starts the dataplane in a bed, with the definitions of a folder of
// testdata, and waits until it inspects.
func newBox(t *testing.T, bed *netns.Bed, definitions, fail string) *box {
	t.Helper()
	dir := t.TempDir()
	b := &box{Bed: bed}
	settings, socket := filepath.Join(dir, "appliance.ini"), filepath.Join(dir, "dataplane.sock")
	if err := os.WriteFile(settings, fmt.Appendf(nil, settingsText, fail), 0o644); err != nil {
		t.Fatal(err)
	}
	pins := filepath.Join(netns.MountBPF(t), "wirepatch")
	b.pins = pins
	b.args = []string{"-wire-a", "b0", "-wire-b", "b1", "-settings", settings, "-definitions", filepath.Join("testdata", definitions), "-socket", socket, "-pin", pins, "-attach", bed.Attach}
	b.control = control.Dial(socket)
	t.Cleanup(b.control.Close)
	b.start(t)
	t.Cleanup(func() {
		b.end(syscall.SIGKILL)
		c := exec.Command(program, append(b.args, "-detach")...)
		if err := b.Box.Start(c); err != nil {
			t.Errorf("detach: %v", err)
		} else if err := c.Wait(); err != nil {
			t.Errorf("detach: %v", err)
		}
		if t.Failed() {
			t.Logf("the dataplane's log:\n%s", b.text())
		}
	})
	return b
}

// start starts the dataplane and waits until its loop answers.
func (b *box) start(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd, b.ended = exec.Command(program, b.args...), make(chan struct{})
	b.cmd.Stderr, b.cmd.SysProcAttr = w, &syscall.SysProcAttr{Setpgid: true}
	if err := b.Box.Start(b.cmd); err != nil {
		t.Fatalf("start the dataplane: %v", err)
	}
	w.Close()
	up := make(chan bool, 1)
	go b.follow(r, b.cmd, b.ended, up)
	select {
	case <-up:
	case <-b.ended:
		t.Fatalf("the dataplane ended before it was ready:\n%s", b.text())
	case <-time.After(patience):
		t.Fatalf("the dataplane was not ready within %v:\n%s", patience, b.text())
	}
	b.status(t)
}

// follow keeps what the process says until its end.
func (b *box) follow(r *os.File, cmd *exec.Cmd, ended chan struct{}, up chan bool) {
	defer close(ended)
	defer r.Close()
	for s := bufio.NewScanner(r); s.Scan(); {
		b.mu.Lock()
		b.log = append(b.log, s.Text())
		b.mu.Unlock()
		if strings.Contains(s.Text(), "msg=started") {
			up <- true
		}
	}
	cmd.Wait()
}

func (b *box) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.log, "\n")
}

// end sends a signal and waits for the end.
func (b *box) end(sig syscall.Signal) {
	b.cmd.Process.Signal(sig)
	<-b.ended
}

func (b *box) status(t *testing.T) control.Status {
	t.Helper()
	s, err := b.control.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen hands every event to f until ctx is done, of one process after the other.
func (b *box) listen(ctx context.Context, f func(control.Event)) {
	for last := uint64(0); ctx.Err() == nil; {
		events, err := b.control.Events(ctx, last, 5*time.Second)
		if err != nil {
			last = 0 // the next process begins anew
			time.Sleep(time.Millisecond)
			continue
		}
		for _, e := range events {
			last = e.ID
			f(e)
		}
	}
}

// recent returns the last events of the process.
func (b *box) recent(t *testing.T) []control.Event {
	t.Helper()
	var all []control.Event
	for last := uint64(0); len(all) < 1<<14; {
		events, err := b.control.Events(t.Context(), last, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
		if len(events) < 100 {
			break
		}
		last = events[len(events)-1].ID
	}
	return all
}

// events returns what the process has told since it was started.
func (b *box) events(t *testing.T) []control.Event {
	t.Helper()
	var all []control.Event
	for last := uint64(0); ; {
		events, err := b.control.Events(t.Context(), last, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		last = events[len(events)-1].ID
		all = append(all, events...)
	}
}
