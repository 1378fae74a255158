package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirepatch/board/settings"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
)

// Every item of the menu, on a terminal, by an administrator.
func TestItems(t *testing.T) {
	b := newBench(t)
	b.user("admin", auth.Administrator)
	b.open()
	b.signIn("admin")
	tried := map[int]bool{}
	item := func(n int, pairs ...string) {
		t.Helper()
		tried[n] = true
		_, err := fmt.Fprintf(b.master, "%d\n", n)
		b.must(err)
		b.talk(pairs...)
		b.wait(`> $`)
	}
	item(1, `host name rack7\n(?s:.*)dataplane running, restarts 2, last at 00:00:00: signal: killed\n(?s:.*)wire-a: link up, 1000 Mbit/s, attached: tcx`)
	item(2, `management: mgmt, 10.0.2.15/24`)
	item(3, `correction header cut \?\[2Jlong`)
	item(4, `dataplane: long(?s:.*)end`)
	item(6, `Type yes`, "no", `Nothing done`)
	item(7, `Type yes`, "", `Nothing done`)
	item(10, `Type rack7`, "yes", `Nothing done`)
	b.wantDone()
	item(9, `Which port`, "wire-x", `there is no port wire-x`)
	item(9, `Which port`, "wire-a", `blinks`)
	b.wantDone("blink wire-a")
	item(8, `slot         0.2.0: confirmed, runs\nslot         0.1.0: confirmed\nupdates      none: updated does not answer`, "", `number`, "1")
	item(12, `by DHCP  2 by hand`, "2", `Address with`, "192.0.2.300/24", `got "192.0.2.300/24", want an address with prefix\n`, "192.0.2.10/24", `Gateway`, "192.0.2.1", `Name servers`, "", `in force`)
	b.wantDone("apply fresh")
	item(13, `Type yes`, "yes", `waits to be confirmed`)
	item(12, `keep it`, "1", `It stays`)
	item(13, `Type yes`, "yes", `in force`)
	b.wantDone("apply fresh")
	if s := b.settings(); !s.Wire.Bypass || s.Management.Address.String() != "192.0.2.10/24" {
		t.Errorf("settings = %+v; want the address and the bypass", s)
	}
	item(13, `Inspect again(?s:.*)Type yes`, "yes", `in force`)
	item(14, `Type yes`, "yes", `stopped      1003 ms, noticed after 420 ms\n(?s:.*)portal: fail open, 7 passed`)
	item(15, `admin .*administrator(?s:.*)number`, "6", `Name`, "opal", `Role`, "2", `Password`, password, `again`, password, `Done`)
	item(15, `number`, "7", `Name`, "opal", `one line`, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMqqn4ei3lDcUNYpzUAIZ7dpY2dG9hyWPOlXSxDXhzA4 opal@desk", `SHA256:`, "", `Done`)
	item(15, `number`, "7", `Name`, "opal", `one line`, "ssh-dss nonsense", `no public key that can be used`)
	item(15, `opal .*operator, 1 SSH keys(?s:.*)number`, "8", `Name`, "opal", `Done`)
	item(16, `SSH is off(?s:.*)number`, "2", `in force`)
	item(16, `SSH is on(?s:.*)SHA256:x(?s:.*)number`, "1")
	item(17, `present`, password, `Password`, "one other long phrase", `again`, "one other long phrase", `in force`)
	item(18, `Type yes`, "no", `Nothing done`)
	item(19, `Secure Boot  setup mode\n(?s:.*)Type yes`, "no", `Nothing done`)
	item(11, `Host name \[fresh\]`, ".", `Nothing done`)
	item(99, `"99" is not in the menu`)
	item(5, `"5" is not in the menu`)
	_, err := fmt.Fprintf(b.master, "0\n")
	b.must(err)
	b.talk(`Signed out`, "", `Name .*: $`)
	tried[0] = true
	for _, it := range New(b.Box, nil).items {
		if !tried[it.number] {
			t.Errorf("item %d %s is not tried here", it.number, it.text)
		}
	}
	b.checkLines()
	for _, a := range [][2]string{{"sign-in", ""}, {"settings.change", "bypass on"}, {"user.add", "opal"}, {"user.key.add", "opal"}, {"sign-out", ""}, {"wire.rehearse", ""}} {
		b.wantAudited(a[0], a[1], "done")
	}
}

func (b *bench) settings() *settings.Settings {
	b.Helper()
	now, err := b.keeper.Current()
	b.must(err)
	s, err := settings.Parse([]byte(now.Text))
	b.must(err)
	return s
}

// checkLines fails when a line is too long or steers the terminal.
func (b *bench) checkLines() {
	b.Helper()
	for l := range strings.SplitSeq(b.all(), "\n") {
		if len([]rune(l)) > columns && !strings.Contains(l, "]: ") && !strings.Contains(l, "ssh-") && !strings.HasPrefix(l, "Name (") {
			b.Errorf("a line of %d columns; want at most %d: %s", len([]rune(l)), columns, l)
		}
		if strings.ContainsAny(l, "\x1b\x07") {
			b.Errorf("control characters are shown: %q", l)
		}
	}
}

// TestGoingDown: reboot, power off and factory reset, each once.
func TestGoingDown(t *testing.T) {
	for n, want := range map[string]string{"6": "restart by console test", "7": "power off by console test"} {
		b := newBench(t)
		b.open()
		b.talk(`> $`, n, `Type yes`, "yes", `goes down`)
		b.wantDone(want)
	}
	b := newBench(t)
	b.user("admin", auth.Administrator)
	b.open()
	b.signIn("admin")
	b.master.WriteString("10\n")
	b.talk(`Type rack7`, "rack7", `goes down`)
	b.wantDone("reset by admin on console test")
	b.wantAudited("box.factory-reset", "", "done")
	b = newBench(t)
	b.open()
	b.talk(`> $`, "8", `number`, "4", `Version \[0.1.0\]`, "", `Type yes`, "yes", `goes down`)
	b.wantDone("slot 0.1.0")
}

// firstSetUp is what is typed at a new box. The dash stands for Enter.
var firstSetUp = []string{`No password is set(?s:.*)> $`, "11", `Host name \[fresh\]: `, "rack 9", `letters, digits and dashes(?s:.*): `, "rack9", `by DHCP  2 by hand`, "2", `192.0.2.10/24: `, "192.0.2.10", `want an address`, "192.0.2.10/24",
	`Gateway .*: `, "192.0.2.1", `Name servers.*: `, "192.0.2.53", `The clock says(?s:.*): `, "2026-13-01 10:00:00", `want the time`, "2026-12-01 10:00:00", `NTP.*: `, "ntp.example", `Update repository.*: `, "ftp://x", `begins with\n    https(?s:.*): `,
	"https://updates.example/wirepatch", `pass uninspected  2 stop`, "2", `first administrator \[admin\]: `, "anna", `if it dies   services stop(?s:.*)Type yes`, "yes", `Password.*: `, "short", `too short(?s:.*)Password.*: `, password, `again: `, "another", `differ(?s:.*)Password`, password, `again: `, password,
	`in force(?s:.*)The page is at https://10.0.2.15(?s:.*)> $`}

// TestFirstSetUp: from nothing to a box that is set up, with a mistake in every
// answer, in far less than the five minutes that a line of 9600 baud gives.
func TestFirstSetUp(t *testing.T) {
	b := newBench(t)
	b.open()
	b.talk(firstSetUp...)
	s := b.settings()
	if s.Hostname != "rack9" || s.Management.Address.String() != "192.0.2.10/24" || len(s.Time.Servers) != 1 || s.Firmware.Repository != "https://updates.example/wirepatch" ||
		s.Wire.Fail != "closed" || s.Services[0].Fail != "closed" {
		t.Errorf("settings = %+v; want what was typed", s)
	}
	if now, _ := b.keeper.Current(); !now.Confirm.IsZero() || !strings.HasPrefix(now.Text, "; by hand\n") {
		t.Errorf("in force is %+v; want it confirmed and the owner's words kept", now)
	}
	b.wantDone("clock 2026-12-01 10:00:00", "apply rack9")
	if u, ok := b.Users.Get("anna"); !ok || u.Role != auth.Administrator || b.Users.SetupCode() != "" {
		t.Errorf("user = %+v, %v; want the administrator, and the set-up code used up", u, ok)
	}
	b.wantAudited("set-up", "anna", "done")
	b.checkLines()
	typed := 0
	for i := 1; i < len(firstSetUp); i += 2 {
		typed += len(firstSetUp[i])
	}
	// 960 characters a second from the box; two a second by a slow typist.
	if seconds := len(b.all())/960 + typed/2; seconds > 240 {
		t.Errorf("the set-up takes %d s at 9600 baud; want less than 240", seconds)
	}
	if strings.Contains(b.all(), password) {
		t.Error("the password was shown")
	}
}

// TestSignIn: refusals, the throttle, a role's items, and whoever is put out.
func TestSignIn(t *testing.T) {
	b := newBench(t)
	b.user("admin", auth.Administrator)
	b.user("audrey", auth.Auditor)
	b.open()
	b.talk(`Name .*: `, "", `host name rack7(?s:.*)Name .*: `, "1", `Password`, "x", `wrong name or password(?s:.*)Name .*: `, "admin", `Password`, "wrong", `wrong name`)
	b.wantAudited("sign-in", "unknown user", "failed")
	b.wantAudited("sign-in", "admin", "failed")
	b.signIn("audrey")
	if menu := b.all()[strings.LastIndex(b.all(), "1 status"):]; strings.Contains(menu, "reboot") || strings.Contains(menu, "set-up") || !strings.Contains(menu, "last events") {
		t.Errorf("an auditor is offered %q", menu)
	}
	b.must(b.Users.Disable("audrey", true))
	b.talk(``, "1", `Signed out`)
	for range 8 { // more than are free
		b.talk(`Name .*: `, "admin", `Password`, "wrong", `\n`)
	}
	b.wait(`too many attempts; wait`)
}

// Every item by every role: who may not is offered nothing and gets nothing.
func TestRoles(t *testing.T) {
	allowed := map[string][]int{
		"administrator": {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 0},
		"operator":      {1, 2, 3, 4, 6, 7, 8, 9, 14, 17, 0},
		"approver":      {1, 2, 3, 4, 17, 0},
		"auditor":       {1, 2, 3, 4, 17, 0},
	}
	b := newBench(t)
	b.user("admin", auth.Administrator)
	for _, name := range auth.RoleNames() {
		var r auth.Role
		b.must(r.UnmarshalText([]byte(name)))
		b.user("the-"+name, r)
		u, _ := b.Users.Get("the-" + name)
		out := new(typed)
		m := New(b.Box, out)
		m.user = u
		for _, it := range m.items {
			want := slices.Contains(allowed[name], it.number)
			if m.offered(it) != want {
				t.Errorf("item %d %s is offered to an %s: %v; want %v", it.number, it.text, name, !want, want)
			}
			if !want {
				m.choose(t.Context(), fmt.Sprint(it.number))
			}
		}
		if n := strings.Count(out.String(), "is not in the menu"); n != len(m.items)-len(allowed[name]) {
			t.Errorf("of %d items that are not an %s's %d were refused", len(m.items)-len(allowed[name]), name, n)
		}
	}
	b.wantDone()
}

// TestSetMeanwhile: a user made on the page closes the console that was open.
func TestSetMeanwhile(t *testing.T) {
	b := newBench(t)
	b.open()
	b.wait(`> $`)
	other, err := auth.Open(b.usersDir(), time.Now)
	b.must(err)
	b.must(other.SetUp(t.Context(), other.SetupCode(), "anna", password))
	b.talk(``, "6", `sign in`, "", `Name .*: $`)
	b.wantDone()
}

func (b *bench) usersDir() string { return strings.TrimSuffix(b.keeper.Owner, "/appliance.ini") }

// TestRecover: a lost password, with a hand at the box and without.
func TestRecover(t *testing.T) {
	b := newBench(t)
	b.user("anna", auth.Administrator)
	b.open()
	b.pressed <- struct{}{}
	b.talk(`Name .*: `, "reset", `power button(?s:.*)Administrator \[anna\]: `, "", `Password`, "another long phrase", `again`, "another long phrase", `Sign in`, "anna", `Password`, "another long phrase", `> $`)
	b.wantAudited("password.recover", "anna", "done")
	b.SSH(t)
}

// SSH offers no way back.
func (b *bench) SSH(t *testing.T) {
	b.Local, b.User = false, ""
	b.open()
	b.at = len(b.shown)
	b.talk(`Name .*: `, "reset", `Password`, "x", `wrong name or password`)
}

func TestShellOnlyWhenOffered(t *testing.T) {
	b := newBench(t)
	b.Box.Shell = true
	b.open()
	b.talk(`5 shell(?s:.*)> $`, "5", `exit leaves it`)
	if err := <-b.ended; !errors.Is(err, ErrShell) {
		t.Errorf("Run = %v; want %v", err, ErrShell)
	}
}

func TestWithoutNeighbours(t *testing.T) {
	b := newBench(t)
	none := b.usersDir() + "/none"
	b.Box.Keeper.Path, b.Box.Command.Path = none, none
	b.open()
	b.talk(`> $`, "4", `ask the box's first process`, "12", `ask for the settings`, "6", `Type yes`, "yes", `ask the box's first process`, "1", `host name`)
}

// silent is a terminal at which nobody types.
type silent struct {
	bytes.Buffer
	ended chan struct{}
}

func (s *silent) Read([]byte) (int, error) { <-s.ended; return 0, io.EOF }
func (s *silent) Echo(bool)                {}

// TestIdle: whoever stays away is signed out.
func TestIdle(t *testing.T) {
	dir := t.TempDir()
	users, err := auth.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := users.SetUp(t.Context(), users.SetupCode(), "anna", password); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, state: testState()}
		none := dir + "/none"
		b.Box = Box{User: "anna", Place: "192.0.2.7 by SSH", Users: users, Throttle: auth.NewThrottle(time.Now), Now: time.Now, State: b.stateOf, Wire: nobody(none), Fingerprint: b.none, HostKey: b.none, Audit: b.ignore}
		b.Box.Keeper.Path = none
		term := &silent{ended: make(chan struct{})}
		begun := time.Now()
		err := New(b.Box, term).Run(t.Context())
		if took := time.Since(begun); !errors.Is(err, errIdle) || took != idleTime || !strings.Contains(term.String(), "Signed out") {
			t.Errorf("Run = %v after %v; want the user signed out after %v", err, took, idleTime)
		}
		close(term.ended)
	})
}

func TestWrap(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", 300), strings.Repeat("word ", 60), strings.Repeat("ü", 200)} {
		got := wrap(text)
		var all strings.Builder
		for i, l := range got {
			if len([]rune(l)) > columns {
				t.Errorf("wrap(%.10q…) has a line of %d columns", text, len([]rune(l)))
			}
			if i > 0 {
				l = strings.TrimPrefix(l, "    ")
			}
			all.WriteString(l)
		}
		if want := strings.ReplaceAll(text, " ", ""); strings.ReplaceAll(all.String(), " ", "") != want {
			t.Errorf("wrap(%.10q…) lost text", text)
		}
	}
}

// typed is a terminal that is typed into beforehand.
type typed struct {
	in io.Reader
	bytes.Buffer
}

func (t *typed) Read(b []byte) (int, error) { return t.in.Read(b) }
func (t *typed) Echo(bool)                  {}

func FuzzMenu(f *testing.F) {
	f.Add("1\n6\nyes\n")
	f.Add("11\n\n\n\n\n\n1\nadmin\nyes\n")
	f.Add("12\n2\n192.0.2.10/24\n-\n.\n15\n7\nx\n")
	f.Add(strings.Repeat("x", 5000) + "\n7\n")
	f.Fuzz(func(t *testing.T, text string) {
		users, err := auth.Open(t.TempDir(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{T: t, state: testState()}
		none := t.TempDir() + "/none"
		b.Box = Box{Local: true, Users: users, Throttle: auth.NewThrottle(time.Now), Now: time.Now, State: b.stateOf, Wire: nobody(none), Fingerprint: b.none, HostKey: b.none, Audit: b.ignore}
		b.Box.Keeper.Path, b.Box.Command.Path, b.Box.Update.Socket = none, none, none
		term := &typed{in: strings.NewReader(text)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		New(b.Box, term).Run(ctx)
		if strings.ContainsAny(term.String(), "\x1b\x07") {
			t.Errorf("the menu shows control characters after %q", text)
		}
	})
}

func (b *bench) stateOf() state.Box      { return b.state }
func (b *bench) none() string            { return "" }
func (b *bench) ignore(audit.Entry)      {}
func nobody(path string) *control.Client { return control.Dial(path) }

// TestTrust: the recovery code is shown after yes, and a key is enrolled where the
// machine waits for one.
func TestTrust(t *testing.T) {
	b := newBench(t)
	b.user("admin", auth.Administrator)
	b.open()
	b.signIn("admin")
	b.master.WriteString("18\n")
	b.talk(`Type yes`, "no", `Nothing done(?s:.*)> $`, "18", `Type yes`, "yes", `abcd-efgh(?s:.*)> $`, "19", `setup mode(?s:.*)Example Ltd(?s:.*)0a0b(?s:.*)Type yes`, "yes", `goes down`)
	b.wantDone("recovery code for admin on console test", "enrol by admin on console test")
	b.wantAudited("box.recovery-code", "", "done")
	b.wantAudited("box.secure-boot.enrol", "0a0b", "done")
}
