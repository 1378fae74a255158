package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/board/socket"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
)

const (
	inForce  = "; by hand\n[appliance]\nhostname = fresh\n[service portal]\naddress = 10.77.0.2\nport = 80\nfail = open\n"
	password = "four plain words here"
	patient  = 2 * time.Minute
)

// bench is a menu on a pseudo terminal, with real servers of the sockets that it
// asks, and what they were asked for.
type bench struct {
	*testing.T
	Box
	master *os.File
	keeper *keeper.Keeper

	mu      sync.Mutex
	shown   []byte
	more    chan struct{}
	at      int
	did     []string
	audited []audit.Entry
	status  control.Status
	state   state.Box
	pressed chan struct{}
	ended   chan error
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{T: t, more: make(chan struct{}, 1), pressed: make(chan struct{}, 1), ended: make(chan error, 1), status: testStatus(), state: testState()}
	users, err := auth.Open(dir, time.Now)
	b.must(err)
	b.must(os.WriteFile(filepath.Join(dir, "appliance.ini"), []byte(inForce), 0o644))
	b.keeper = &keeper.Keeper{Owner: filepath.Join(dir, "appliance.ini"), Default: "/nothing", Folder: filepath.Join(dir, "settings"), Now: time.Now, Logf: t.Logf,
		Apply: func(_ context.Context, _, s *settings.Settings) error { b.note("apply %s", s.Hostname); return nil }}
	b.Box = Box{Place: "console test", Local: true, Users: users, Throttle: auth.NewThrottle(time.Now), Now: time.Now,
		State:   func() state.Box { b.mu.Lock(); defer b.mu.Unlock(); return b.state },
		Wire:    control.Dial(filepath.Join(dir, "dataplane")),
		Command: command.Client{Path: filepath.Join(dir, "command")}, Keeper: keeper.Client{Path: filepath.Join(dir, "keeper")}, Update: update.Program{Socket: filepath.Join(dir, "update")},
		Audit:       func(e audit.Entry) { b.mu.Lock(); b.audited = append(b.audited, e); b.mu.Unlock() },
		Fingerprint: func() string { return strings.Repeat("0a", 32) }, HostKey: func() string { return "SHA256:x" }}
	kl, err := socket.Listen(b.Keeper.Path, -1)
	b.must(err)
	go b.keeper.Serve(context.Background(), kl)
	cl, err := socket.Listen(b.Command.Path, -1)
	b.must(err)
	go command.Serve(context.Background(), cl, asked{b})
	wl, err := control.Listen(filepath.Join(dir, "dataplane"), -1)
	b.must(err)
	log := control.NewLog()
	log.Add(control.Event{Kind: "correction", Text: "header cut \x1b[2J" + strings.Repeat("long ", 40)})
	srv := control.NewServer(asked{b}, log)
	go srv.Serve(wl)
	t.Cleanup(func() { kl.Close(); cl.Close(); srv.Close() })
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) note(format string, a ...any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, fmt.Sprintf(format, a...))
	return nil
}

// asked is what the sockets' servers ask.
type asked struct{ *bench }

func (a asked) Restart(who string) error             { return a.note("restart by %s", who) }
func (a asked) PowerOff(who string) error            { return a.note("power off by %s", who) }
func (a asked) FactoryReset(who string) error        { return a.note("reset by %s", who) }
func (a asked) ChooseSlot(version, who string) error { return a.note("slot %s", version) }
func (a asked) SetClock(t time.Time, who string) error {
	return a.note("clock %s", t.Format(time.DateTime))
}
func (a asked) Log(n int) []string {
	return []string{"dataplane: " + strings.Repeat("long ", 40) + "end"}
}
func (a asked) Blink(_ context.Context, port string) error {
	if port != "wire-a" {
		return fmt.Errorf("there is no port %s", port)
	}
	return a.note("blink %s", port)
}
func (a asked) RecoveryCode(who string) (string, error) {
	return "abcd-efgh", a.note("recovery code for %s", who)
}
func (a asked) SecureBoot() command.SecureBoot {
	return command.SecureBoot{State: command.SetupMode, Key: "Example Ltd", SHA256: "0a0b"}
}
func (a asked) Enrol(who string) error { return a.note("enrol by %s", who) }
func (a asked) Presence(ctx context.Context, _ string) error {
	select {
	case <-a.pressed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (a asked) Status(context.Context) (control.Status, error) { return a.status, nil }
func (a asked) Reload(context.Context) error                   { return nil }
func (a asked) Rehearse(context.Context, time.Duration) (control.Rehearsal, error) {
	return control.Rehearsal{StoppedMS: 1003, NoticedMS: 420, Bypassed: 7, Services: []control.RehearsedService{{Name: "portal", Fail: "open", Passed: 7}}}, nil
}

// open puts the menu on a pseudo terminal, which is set up as init does.
func (b *bench) open() {
	b.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	b.must(err)
	b.must(unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	b.must(err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	b.must(err)
	b.master = m
	b.Cleanup(func() { m.Close(); slave.Close() })
	go b.listen()
	go func() { b.ended <- New(b.Box, TTY{slave}).Run(b.Context()) }()
}

func (b *bench) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := b.master.Read(buf)
		b.mu.Lock()
		b.shown = append(b.shown, buf[:n]...)
		b.mu.Unlock()
		select {
		case b.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// wait waits until the menu has shown what the pattern matches, from where the
// last wait ended.
func (b *bench) wait(pattern string) {
	b.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(patient)
	for {
		b.mu.Lock()
		text := strings.ReplaceAll(string(b.shown[b.at:]), "\r", "")
		m := re.FindStringIndex(text)
		if m != nil {
			// The carriage returns count, too.
			for n := m[1]; n > 0; b.at++ {
				if b.shown[b.at] != '\r' {
					n--
				}
			}
		}
		b.mu.Unlock()
		if m != nil {
			return
		}
		select {
		case <-b.more:
		case <-late:
			b.Fatalf("waited for %q; shown since: %q", pattern, text)
		}
	}
}

func (b *bench) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.ReplaceAll(string(b.shown), "\r", "")
}

// talk waits for the first and types the second, and so on.
func (b *bench) talk(pairs ...string) {
	b.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		b.wait(pairs[i])
		_, err := b.master.WriteString(pairs[i+1] + "\n")
		b.must(err)
	}
	if len(pairs)%2 == 1 {
		b.wait(pairs[len(pairs)-1])
	}
}

// wantDone fails unless the servers were asked for just that.
func (b *bench) wantDone(want ...string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.Join(b.did, "; ") != strings.Join(want, "; ") {
		b.Errorf("it had done %q; want %q; shown: %q", b.did, want, b.shown[max(0, len(b.shown)-700):])
	}
	b.did = nil
}

// wantAudited fails unless an entry says it.
func (b *bench) wantAudited(action, object, outcome string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.audited {
		if e.Action == action && e.Object == object && e.Outcome == outcome {
			return
		}
	}
	b.Errorf("no entry %s %q %s in the audit log: %+v", action, object, outcome, b.audited)
}

// user makes a user with the password of all tests.
func (b *bench) user(name string, role auth.Role) {
	b.Helper()
	if !b.Users.IsSet() {
		b.must(b.Users.SetUp(b.Context(), b.Users.SetupCode(), name, password))
		return
	}
	b.must(b.Users.Add(b.Context(), name, role, password))
	b.must(b.Users.ChangePassword(b.Context(), name, password))
}

func (b *bench) signIn(name string) {
	b.Helper()
	b.talk(`Name .*: `, name, `Password.*: `, password, `> $`)
}

func testState() state.Box {
	return state.Box{Slots: []state.Slot{{Version: "0.2.0", State: "confirmed", Running: true}, {Version: "0.1.0", State: "confirmed"}}, Version: "0.2.0", Board: "qemu", Hostname: "rack7",
		Booted: time.Now().Add(-time.Hour), Data: "ext4 /dev/vda",
		Management: state.Management{Interface: "mgmt", MAC: "02:00:00:00:00:01", Up: true, Mode: "dhcp", Address: "10.0.2.15/24"},
		Processes:  []state.Process{{Name: "dataplane", State: "running", Restarts: 2, LastExit: "signal: killed"}}}
}

func testStatus() control.Status {
	return control.Status{Ports: []control.Port{{Name: "wire-a", Up: true, Attach: "tcx", SpeedMbit: 1000}, {Name: "wire-b"}},
		Sessions: control.Sessions{Open: 3}, Corrections: 12, Definitions: []control.Definition{{ID: "a"}, {ID: "b", Error: "bad"}}}
}
