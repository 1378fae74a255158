// Package console is the menu on the appliance's serial and virtual consoles.
// It works line by line and never moves the cursor, so that it can be used at
// 9600 baud, through a terminal server and from a script. No line is longer than
// 79 columns. It shows and asks; what it offers is done by whoever runs it.
package console

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
)

// Box is what the menu shows and offers.
type Box struct {
	State       func() state.Box
	Wire        func(context.Context) (*control.Status, error)
	Events      func(ctx context.Context, n int) ([]control.Event, error)
	Log         func(n int) []string
	Fingerprint func() string                                 // of the management page's certificate, hexadecimal; "" while there is none
	Update      func(context.Context) (*update.Status, error) // nil: this image takes no updates
	Blink       func(ctx context.Context, port string) error  // has a port's light blink for a while
	Reset       func()                                        // back to the settings of the image, and restart
	Shell       func() error                                  // nil: not offered
	Reboot      func()
	PowerOff    func()
}

// item is one line of the menu.
type item struct {
	text string
	do   func(context.Context)
}

// Menu is one console's.
type Menu struct {
	box   Box
	in    *bufio.Reader
	out   io.Writer
	items []item
}

// longestLine is how much of a line is read, in bytes; more is thrown away.
const longestLine = 80

// New returns the menu on a console.
func New(box Box, rw io.ReadWriter) *Menu {
	m := &Menu{box: box, in: bufio.NewReaderSize(rw, longestLine), out: rw}
	m.items = []item{
		{"status", m.status},
		{"ports", m.ports},
		{"last events", m.events},
		{"log", m.log},
		{"shell", m.shell},
		{"reboot", func(context.Context) { m.confirm("reboot", box.Reboot) }},
		{"power off", func(context.Context) { m.confirm("power off", box.PowerOff) }},
		{"firmware", m.firmware},
		{"blink a port", m.blink},
		{"factory reset", func(context.Context) {
			m.confirm("factory reset: settings, password and history are erased", box.Reset)
		}},
	}
	return m
}

// Run shows the menu and does what is chosen, until the console ends.
func (m *Menu) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		m.show(ctx)
		line, err := m.read()
		if err != nil {
			return err
		}
		m.choose(ctx, line)
	}
	return nil
}

func (m *Menu) show(ctx context.Context) {
	m.printf("\n")
	m.wrapped("%s", m.statusLine(ctx))
	row := ""
	for i, it := range m.items {
		if !m.offered(i) {
			continue
		}
		text := fmt.Sprintf("%d %s", i+1, it.text)
		if row != "" && len(row)+2+len(text) > columns {
			m.printf("%s\n", row)
			row = ""
		}
		row += strings.Repeat(" ", 2*min(1, len(row))) + text
	}
	m.printf("%s\n> ", row)
}

// offered says whether item i is: the shell is not always.
func (m *Menu) offered(i int) bool { return m.items[i].text != "shell" || m.box.Shell != nil }

func (m *Menu) choose(ctx context.Context, line string) {
	if line == "" {
		return
	}
	for i, it := range m.items {
		if m.offered(i) && line == fmt.Sprint(i+1) {
			it.do(ctx)
			return
		}
	}
	m.printf("%.20q is not in the menu; type a number and Enter\n", line)
}

// read reads a line; of a long one the beginning.
func (m *Menu) read() (string, error) {
	text, more, err := m.in.ReadLine()
	line := strings.TrimSpace(string(text))
	for more && err == nil {
		_, more, err = m.in.ReadLine()
	}
	return line, err
}

func (m *Menu) confirm(what string, do func()) {
	m.printf("%s: the wire is down meanwhile, unless it has a bypass.\nType yes to go on: ", what)
	if line, err := m.read(); err != nil || line != "yes" {
		m.printf("Nothing done.\n")
		return
	}
	do()
}

func (m *Menu) shell(context.Context) {
	m.printf("A shell with all rights; exit leaves it.\n")
	if err := m.box.Shell(); err != nil {
		m.printf("%s\n", fit(err.Error()))
	}
}

func (m *Menu) printf(format string, a ...any) { fmt.Fprintf(m.out, format, a...) }
