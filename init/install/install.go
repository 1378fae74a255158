// Package install is what the installer stick does in place of the appliance:
// on each console it lists the machine's disks, asks which one is to become the
// appliance's, writes the image that the stick's own program carries, reads it
// back, and has the machine restart. init starts it; it asks nobody but who sits
// at a console, and touches no disk that was not named.
package install

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Installer is the one of a machine; its consoles share it.
type Installer struct {
	About   string        // what would be installed, for people
	Image   string        // path of the packed image
	Disks   func() []Disk // which there are now
	Restart func()
	Logf    func(format string, a ...any)
	busy    sync.Mutex // one console installs
}

// patience is how often it is looked whether a disk came or went.
const patience = 500 * time.Millisecond

// Run talks on one console until something was installed or the console ends.
func (i *Installer) Run(ctx context.Context, rw io.ReadWriter) error {
	c := &conversation{Installer: i, w: rw, lines: make(chan string), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.read(ctx, rw)
	c.printf("\nThis stick installs %s.\n", i.About)
	for {
		name, err := c.choose(ctx)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := c.install(ctx, name); err != nil {
			i.Logf("install: %v", err)
			c.printf("%v.\n", err)
			continue
		}
		c.farewell(ctx)
		i.Restart()
		return nil
	}
}

// conversation is what goes on at one console.
type conversation struct {
	*Installer
	w     io.Writer
	lines chan string
	ended chan error
	stick bool // it was seen
}

func (c *conversation) printf(format string, a ...any) { fmt.Fprintf(c.w, format, a...) }

// read hands on what is typed. It stays in its read when the conversation is
// over; the console's end ends it.
func (c *conversation) read(ctx context.Context, r io.Reader) {
	s := bufio.NewScanner(io.Reader(r))
	for s.Scan() {
		select {
		case c.lines <- strings.TrimSpace(s.Text()):
		case <-ctx.Done():
			return
		}
	}
	c.ended <- io.EOF
}

// choose asks for a disk. The list is shown anew when it changes: the stick
// itself is found some seconds after the program began.
func (c *conversation) choose(ctx context.Context) (string, error) {
	for {
		shown := c.list()
		answer, err := c.ask(ctx, "Type the name of the disk to install to, or only Enter to look again: ", func() bool { return c.text() != shown })
		if !errors.Is(err, errChanged) {
			return answer, err
		}
		c.printf("\n")
	}
}

// errChanged says that what was asked about is not so any more.
var errChanged = errors.New("what was asked about has changed")

// ask asks a question; changed, if not nil, says when it is to be put anew.
func (c *conversation) ask(ctx context.Context, question string, changed func() bool) (string, error) {
	c.printf("%s", question)
	t := time.NewTicker(patience)
	defer t.Stop()
	for {
		select {
		case l := <-c.lines:
			return l, nil
		case err := <-c.ended:
			return "", err
		case <-ctx.Done():
			return "", ctx.Err()
		case <-t.C:
			if changed != nil && changed() {
				return "", errChanged
			}
		}
	}
}

// text is the list of disks.
func (c *conversation) text() string {
	var all []string
	for _, d := range c.Disks() {
		all = append(all, d.String()+"\n")
		c.stick = c.stick || d.Stick
	}
	if len(all) == 0 {
		return "  none; plug one in, or look into the machine's set-up whether it is on\n"
	}
	return strings.Join(all, "")
}

// list shows the disks.
func (c *conversation) list() string {
	text := c.text()
	c.printf("\nDisks of this machine:\n%s", text)
	return text
}

// String is the disk in a line, and in a further one what it holds.
func (d Disk) String() string {
	note := ""
	switch {
	case d.Stick:
		note = "  (this stick)"
	case d.ReadOnly:
		note = "  (read-only)"
	}
	line := fmt.Sprintf("  %-10s %9s  %.40s%s", d.Name, size(d.Bytes), plain(d.Model), note)
	if len(d.Partitions) > 0 {
		line += fmt.Sprintf("\n  %-10s %9s  holds %.55s", "", "", plain(strings.Join(d.Partitions, ", ")))
	}
	return line
}

// plain takes out what could steer a terminal: a disk says of itself what it likes.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

func (c *conversation) install(ctx context.Context, name string) error {
	var chosen *Disk
	for _, d := range c.Disks() {
		if d.Name == name {
			chosen = &d
		}
	}
	if chosen == nil {
		return fmt.Errorf("%.20q is none of the disks; type a name of the list, as it stands there", name)
	}
	img, err := open(c.Image)
	if err != nil {
		return err
	}
	if err := chosen.Fit(img.size); err != nil {
		return err
	}
	if !c.busy.TryLock() {
		return errors.New("another console is installing; wait for it")
	}
	defer c.busy.Unlock()
	answer, err := c.ask(ctx, fmt.Sprintf("All that is on %s is lost. Type yes to go on: ", name), nil)
	if err != nil {
		return err
	}
	if answer != "yes" {
		return errors.New("nothing done")
	}
	c.Logf("install: writing to %s", name)
	if err := Write(*chosen, c.Image, func(what string, percent int) { c.printf("%s %s: %d %%\n", what, name, percent) }); err != nil {
		return err
	}
	c.Logf("install: %s is written and was read back", name)
	return nil
}

// farewell waits until the stick is out, or until the user says that it need not.
func (c *conversation) farewell(ctx context.Context) {
	c.printf("\nInstalled. Take the stick out now: then the machine restarts into the appliance.\nEnter restarts it at once.\n")
	for {
		select {
		case <-c.lines:
			return
		case <-c.ended:
			c.ended = nil
		case <-ctx.Done():
			return
		case <-time.After(patience):
			if c.stick && !hasStick(c.Disks()) {
				c.printf("The stick is out.\n")
				return
			}
		}
	}
}

func hasStick(all []Disk) bool {
	return slices.ContainsFunc(all, func(d Disk) bool { return d.Stick })
}
