// Package console is the menu of the serial and virtual consoles, and of SSH.
// It works line by line and never moves the cursor, so that it can be used at
// 9600 baud, through a terminal server and from a script. No line is longer than
// 79 columns. It asks init, the dataplane and the update program to do things,
// over their sockets, and holds no rights itself: on a console it runs as a
// process of its own, which works while the page's program does not.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
)

// Box is what the menu shows, and whom it asks to do things.
type Box struct {
	Place string // where the menu is: "console ttyS0", "192.0.2.7 by SSH"
	Local bool   // on a console: whoever uses it has a cable to the box
	Shell bool   // the image has one
	User  string // who has signed in already; "" asks
	// Approvals is how many others must approve a change of the settings. A console
	// asks nobody: it is the way back when nothing else works.
	Approvals func() (int, error)

	State    func() state.Box
	Wire     *control.Client
	Command  command.Client
	Keeper   keeper.Client
	Update   update.Program
	Users    *auth.Users
	Throttle *auth.Throttle
	Audit    func(audit.Entry)
	// HostKey is the fingerprint of SSH's host key; "" while there is none.
	HostKey func() string
	// Fingerprint is of the management page's certificate, hexadecimal; "" while there is none.
	Fingerprint func() string
	Now         func() time.Time
}

// Terminal is where the menu is shown and typed into, whole lines at a time.
type Terminal interface {
	io.ReadWriter
	// Echo says whether what is typed is shown.
	Echo(on bool)
}

// Errors with which Run ends.
var (
	ErrShell = errors.New("the shell is wanted")
	errOut   = errors.New("logged out")
)

// item is one line of the menu.
type item struct {
	number int
	text   string
	may    auth.Role
	do     func(context.Context) error
}

// Roles of items.
const (
	all       = auth.Everyone
	operators = auth.Administrator | auth.Operator
	admins    = auth.Administrator
)

// Menu is one console's, or one SSH client's.
type Menu struct {
	box   Box
	term  Terminal
	lines lines
	user  auth.User // zero: nobody has signed in
	items []item
}

// New returns the menu on a terminal.
func New(box Box, term Terminal) *Menu {
	m := &Menu{box: box, term: term}
	m.items = []item{
		{1, "status", all, m.status},
		{2, "ports", all, m.ports},
		{3, "last events", all, m.events},
		{4, "log", all, m.log},
		{5, "shell", all, m.shell},
		{6, "reboot", operators, m.reboot},
		{7, "power off", operators, m.powerOff},
		{8, "firmware", operators, m.firmware},
		{9, "blink a port", operators, m.blink},
		{10, "factory reset", admins, m.reset},
		{11, "set-up", admins, m.setUp},
		{12, "management port", admins, m.management},
		{13, "bypass", admins, m.bypass},
		{14, "rehearsal", operators, m.rehearsal},
		{15, "users", admins, m.people},
		{16, "SSH", admins, m.ssh},
		{17, "own password", all, m.ownPassword},
		{18, "recovery code", admins, m.recoveryCode},
		{19, "Secure Boot", admins, m.secureBoot},
		{0, "log out", all, func(context.Context) error { return errOut }},
	}
	return m
}

// Run shows the menu and does what is chosen, until the terminal ends, whoever
// uses it logs out or stays away, or the shell is wanted.
func (m *Menu) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.lines.start(ctx, m.term)
	if err := m.enter(ctx); err != nil {
		return err
	}
	for {
		m.show(ctx)
		line, err := m.read(ctx)
		if err == nil {
			err = m.choose(ctx, line)
		}
		if errors.Is(err, errOut) || errors.Is(err, errIdle) {
			m.leave(err)
			if m.box.Local {
				err = m.enter(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (m *Menu) show(ctx context.Context) {
	m.printf("\n")
	m.wrapped("%s", m.statusLine(ctx))
	if w := m.waits(ctx); w != "" {
		m.wrapped("%s", w)
	}
	row := ""
	for _, it := range m.items {
		if !m.offered(it) {
			continue
		}
		text := fmt.Sprintf("%d %s", it.number, it.text)
		if row != "" && len(row)+2+len(text) > columns {
			m.printf("%s\n", row)
			row = ""
		}
		row += strings.Repeat(" ", 2*min(1, len(row))) + text
	}
	m.printf("%s\n> ", row)
}

// offered says whether an item is for whoever uses the menu. Before the first
// user is made that is everybody at the console.
func (m *Menu) offered(it item) bool {
	switch it.number {
	case 5:
		return m.box.Shell
	case 0, 17:
		return m.user.Name != ""
	}
	return m.role().In(it.may)
}

func (m *Menu) role() auth.Role {
	if m.user.Name == "" {
		return auth.Administrator
	}
	return m.user.Role
}

func (m *Menu) choose(ctx context.Context, line string) error {
	if line == "" {
		return nil
	}
	if err := m.still(); err != nil {
		return err
	}
	for _, it := range m.items {
		if line != fmt.Sprint(it.number) {
			continue
		}
		if !m.offered(it) {
			break
		}
		err := it.do(ctx)
		switch {
		case ends(err):
			return err
		case errors.Is(err, errStop):
			m.printf("Nothing done.\n")
		case err != nil:
			m.wrapped("%v", err)
		}
		return nil
	}
	m.printf("%.20q is not in the menu; type a number and Enter\n", line)
	return nil
}

// ends says whether an error is the end of the menu, and not just of an item.
func ends(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errOut) || errors.Is(err, errIdle) || errors.Is(err, ErrShell) || errors.Is(err, context.Canceled)
}

// shell makes room for the shell, which init runs.
func (m *Menu) shell(context.Context) error {
	m.printf("A shell with all rights; exit leaves it.\n")
	return ErrShell
}

func (m *Menu) printf(format string, a ...any) { fmt.Fprintf(m.term, format, a...) }

// who is the user as others are told.
func (m *Menu) who() string {
	if m.user.Name == "" {
		return m.box.Place
	}
	return m.user.Name + " on " + m.box.Place
}

// audit keeps what was done, or not.
func (m *Menu) audit(action, object, detail string, err error) {
	e := audit.Entry{Time: m.box.Now().UTC(), Who: m.user.Name, From: m.box.Place, Action: action, Object: object, Detail: detail, Outcome: "done"}
	if e.Who == "" {
		e.Who = "console"
	}
	if m.user.Role != 0 {
		e.Role = m.user.Role.String()
	}
	if err != nil {
		e.Outcome, e.Detail = "failed", err.Error()
	}
	m.box.Audit(e)
}
