package prove

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/patch"
)

// box is the dataplane program between a client and a server.
type box struct {
	*netns.Bed
	control *control.Client
	c       *exec.Cmd
	done    chan struct{}
}

// newBox makes a bed with the dataplane in its middle, all definitions loaded
// that lie under definitions, that of p and those it names in correct.
func newBox(h *netns.Host, program, definitions string, p *proof, logs string) *box {
	dir := h.TempDir()
	b := &box{Bed: netns.NewBed(h), done: make(chan struct{})}
	text := fmt.Sprintf("[service proof]\naddress = %s\nport = %d\nprotocol = %s\nfail = closed\n", netns.Server4, port, p.definition.Protocol)
	if p.Over != "" {
		text += "transport = " + p.Over + "\n"
	}
	for _, id := range append([]string{p.definition.ID}, p.Also...) {
		text += fmt.Sprintf("[patch %s]\nmode.proof = correct\n", id)
	}
	if len(p.Parameters) > 0 {
		text += fmt.Sprintf("[patch %s]\n", p.definition.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		text += fmt.Sprintf("set.%s.proof = %s\n", name, p.Parameters[name])
	}
	ini := filepath.Join(dir, "appliance.ini")
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil {
		h.Fatal(err)
	}
	socket := filepath.Join(dir, "dataplane.sock")
	args := []string{"-wire-a", "b0", "-wire-b", "b1", "-settings", ini, "-definitions", definitions, "-socket", socket,
		"-pin", filepath.Join(netns.MountBPF(h), "wirepatch")}
	b.start(h, exec.Command(program, args...), logs)
	h.Cleanup(func() {
		b.end()
		c := exec.Command(program, append(args, "-detach")...)
		if err := b.Box.Start(c); err != nil {
			h.Errorf("detach the dataplane: %v", err)
		} else if err := c.Wait(); err != nil {
			h.Errorf("detach the dataplane: %v", err)
		}
	})
	b.control = control.Dial(socket)
	h.Cleanup(b.control.Close)
	b.inForce(h, p)
	return b
}

// start starts the program and waits until it says that it is ready.
func (b *box) start(h *netns.Host, c *exec.Cmd, logs string) {
	log, err := os.Create(logs)
	if err != nil {
		h.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		h.Fatal(err)
	}
	c.Stderr, c.SysProcAttr = w, &syscall.SysProcAttr{Setpgid: true}
	b.c = c
	err = b.Box.Start(c)
	w.Close()
	if err != nil {
		h.Fatalf("start the dataplane: %v", err)
	}
	up := make(chan struct{})
	go func() {
		defer close(b.done)
		defer log.Close()
		defer r.Close()
		for s := bufio.NewScanner(r); s.Scan(); {
			fmt.Fprintln(log, s.Text())
			if up != nil && strings.Contains(s.Text(), "msg=started") {
				close(up)
				up = nil
			}
		}
		io.Copy(io.Discard, r)
		c.Wait()
	}()
	select {
	case <-up:
	case <-b.done:
		h.Fatalf("the dataplane ended at its start; see %s", logs)
	case <-time.After(patience):
		b.end()
		h.Fatalf("the dataplane was not ready within %v; see %s", patience, logs)
	}
}

func (b *box) end() {
	b.c.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.done:
	case <-time.After(patience):
		b.c.Process.Kill()
		<-b.done
	}
}

// inForce makes sure that the definition corrects.
func (b *box) inForce(h *netns.Host, p *proof) {
	s, err := b.control.Status(h.Ctx)
	if err != nil {
		h.Fatalf("ask the dataplane: %v", err)
	}
	for _, d := range s.Definitions {
		switch {
		case d.ID != p.definition.ID:
		case d.Services["proof"] == patch.Correct && d.Error == "":
			return
		default:
			h.Fatalf("%s is not in force: mode %s, %s", d.ID, d.Services["proof"], d.Error)
		}
	}
	h.Fatalf("the dataplane has not loaded %s", p.definition.ID)
}

// corrected makes sure that there was a correction: else the two versions would
// have been compared, and the definition not at all.
func (b *box) corrected(h *netns.Host, p *proof) error {
	s, err := b.control.Status(h.Ctx)
	if err != nil {
		return fmt.Errorf("ask the dataplane: %w", err)
	}
	for _, d := range s.Definitions {
		if d.ID == p.definition.ID && d.Corrections > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s has corrected nothing", p.definition.ID)
}
