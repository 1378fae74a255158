package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

// patience is how long a test waits for what must happen.
const patience = 3 * time.Minute

const settingsText = `
[service four]
address = 10.77.0.2
port = 80
[service six]
address = fd77::2
port = 80
[service closed]
address = 10.77.0.2
port = 81
fail = closed
`

// box is a bed with the dataplane running in its middle.
type box struct {
	*netns.Bed
	control     *control.Client
	settings    string // path of appliance.ini
	definitions string // folder, a copy of testdata/definitions
	args        []string
	process     *process
}

// eachWay runs a test with the program attached in each way.
func eachWay(t *testing.T, test func(t *testing.T, attach string)) {
	for _, attach := range []string{"tcx", "xdp"} {
		t.Run(attach, func(t *testing.T) { test(t, attach) })
	}
}

// newBox makes a bed, starts the dataplane and waits until it inspects.
func newBox(t *testing.T) *box {
	t.Helper()
	return newBoxBy(t, "tcx")
}

func newBoxBy(t *testing.T, attach string) *box {
	t.Helper()
	return newBoxWith(t, attach, settingsText, "testdata/definitions")
}

// newBoxWith is newBox with other settings, and a copy of other definitions.
func newBoxWith(t *testing.T, attach, settings, definitions string) *box {
	t.Helper()
	return newBoxOn(t, netns.NewBed(t), attach, settings, definitions)
}

// newBoxOn is newBoxWith on a bed that is there.
func newBoxOn(t *testing.T, bed *netns.Bed, attach, settings, definitions string) *box {
	t.Helper()
	dir := t.TempDir()
	b := &box{Bed: bed, settings: filepath.Join(dir, "appliance.ini"), definitions: filepath.Join(dir, "definitions")}
	if err := os.CopyFS(b.definitions, os.DirFS(definitions)); err != nil {
		t.Fatal(err)
	}
	b.AttachBy(t, attach)
	b.write(t, settings)
	socket := filepath.Join(dir, "dataplane.sock")
	pins := filepath.Join(netns.MountBPF(t), "wirepatch")
	b.args = []string{"-wire-a", "b0", "-wire-b", "b1", "-settings", b.settings, "-definitions", b.definitions, "-socket", socket, "-pin", pins, "-attach", attach}
	b.control = control.Dial(socket)
	t.Cleanup(b.control.Close)
	b.start(t)
	t.Cleanup(func() {
		b.process.end(t, syscall.SIGTERM)
		c := exec.Command(program, append(b.args, "-detach")...)
		if err := b.Box.Start(c); err != nil {
			t.Errorf("detach: %v", err)
		} else if err := c.Wait(); err != nil {
			t.Errorf("detach: %v", err)
		}
	})
	return b
}

func (b *box) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(b.settings, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts the dataplane and waits until its loop answers.
func (b *box) start(t *testing.T) {
	t.Helper()
	b.process = startProcess(t, b.Box, exec.Command(program, b.args...), "msg=started")
	b.status(t)
}

func (b *box) status(t *testing.T) control.Status {
	t.Helper()
	s, err := b.control.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// event waits for an event of that kind that holds text.
func (b *box) event(t *testing.T, kind, text string) control.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last uint64
	for {
		events, err := b.control.Events(ctx, last, 5*time.Second)
		if err != nil {
			t.Fatalf("wait for event %s %q: %v", kind, text, err)
		}
		for _, e := range events {
			if last = e.ID; e.Kind == kind && strings.Contains(e.Text, text) {
				return e
			}
		}
	}
}

// process is a started program whose standard error goes to the test's log.
type process struct {
	*exec.Cmd
	done chan struct{}
	once sync.Once
}

// startProcess starts c in a namespace and waits for a line with ready on its
// standard error.
func startProcess(t *testing.T, n *netns.NS, c *exec.Cmd, ready string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr, c.SysProcAttr = w, &syscall.SysProcAttr{Setpgid: true}
	if err := n.Start(c); err != nil {
		t.Fatalf("start %s: %v", c.Path, err)
	}
	w.Close()
	p := &process{Cmd: c, done: make(chan struct{})}
	up := make(chan bool, 1)
	go func() {
		defer close(p.done)
		defer r.Close()
		for s := bufio.NewScanner(r); s.Scan(); {
			t.Logf("%s: %s", filepath.Base(c.Path), s.Text())
			if strings.Contains(s.Text(), ready) {
				select {
				case up <- true:
				default:
				}
			}
		}
		io.Copy(io.Discard, r)
		c.Wait()
	}()
	t.Cleanup(func() { p.end(t, syscall.SIGKILL) })
	select {
	case <-up:
	case <-p.done:
		t.Fatalf("%s ended before it was ready", c.Path)
	case <-time.After(patience):
		t.Fatalf("%s was not ready within %v", c.Path, patience)
	}
	return p
}

// pause stops the process and waits until every thread of it stands still.
func (p *process) pause(t *testing.T) {
	t.Helper()
	p.Process.Signal(syscall.SIGSTOP)
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		if p.stands(t) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not stand still", p.Path)
		}
	}
}

func (p *process) stands(t *testing.T) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of %s: %v, %v", p.Path, threads, err)
	}
	for _, name := range threads {
		b, _ := os.ReadFile(name)
		if _, state, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// end sends a signal once, and waits for the end.
func (p *process) end(t *testing.T, sig syscall.Signal) {
	p.once.Do(func() {
		p.Process.Signal(sig)
		select {
		case <-p.done:
		case <-time.After(patience):
			t.Errorf("%s did not end on %v", p.Path, sig)
			p.Process.Kill()
			<-p.done
		}
	})
}
