package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
)

// terminal is what is typed and what was shown.
type terminal struct {
	io.Reader
	bytes.Buffer
}

func (t *terminal) Read(b []byte) (int, error) { return t.Reader.Read(b) }

func box() Box {
	long := strings.Repeat("long ", 40)
	return Box{
		State: func() state.Box {
			return state.Box{Slots: []state.Slot{{Version: "0.1.0", State: "confirmed", Running: true}}, Version: "0.1.0", Board: "qemu", Hostname: "rack7", Booted: time.Now().Add(-time.Hour), Data: "ext4 /dev/vda",
				Management: state.Management{Interface: "mgmt", MAC: "02:00:00:00:00:01", Up: true, Mode: "dhcp", Address: "10.0.2.15/24"},
				Processes:  []state.Process{{Name: "dataplane", State: "running", Restarts: 2, LastExit: "signal: killed"}}}
		},
		Wire: func(context.Context) (*control.Status, error) {
			return &control.Status{Ports: []control.Port{{Name: "wire-a", Up: true, Attach: "tcx", SpeedMbit: 1000}, {Name: "wire-b"}},
				Sessions: control.Sessions{Open: 3}, Corrections: 12, Definitions: []control.Definition{{ID: "a"}, {ID: "b", Error: "bad"}}}, nil
		},
		Events: func(context.Context, int) ([]control.Event, error) {
			return []control.Event{{Kind: "correction", Text: "header cut \x1b[2J" + long}}, nil
		},
		Log:         func(int) []string { return []string{"dataplane: " + long + "end"} },
		Fingerprint: func() string { return strings.Repeat("0a", 32) },
		Update: func(context.Context) (*update.Status, error) {
			return &update.Status{State: "idle", Revision: 7, LastError: &update.Refusal{Code: "expired", Text: "what vouches for it has expired"}}, nil
		},
		Blink:    func(_ context.Context, port string) error { return errors.New("there is no port " + port) },
		Reset:    func() {},
		Reboot:   func() {},
		PowerOff: func() {},
	}
}

// use types lines into the menu and returns what it shows.
func use(t *testing.T, b Box, typed ...string) string {
	t.Helper()
	term := &terminal{Reader: strings.NewReader(strings.Join(typed, "\n") + "\n")}
	if err := New(b, term).Run(t.Context()); err != io.EOF {
		t.Errorf("Run = %v; want the console's end", err)
	}
	return term.String()
}

func TestViews(t *testing.T) {
	for _, tt := range []struct {
		choice string
		want   []string
	}{
		{"", []string{"wirepatch 0.1.0 | wire up/down | 3 sessions | 12 corrections |\n    https://10.0.2.15\n", "1 status  2 ports  3 last events  4 log  6 reboot  7 power off  8 firmware\n9 blink a port  10 factory reset\n"}},
		{"8", []string{"slot         0.1.0: confirmed, runs", "definitions  revision 7", "refused      expired: what vouches"}},
		{"9\nwire-x", []string{"there is no port wire-x"}},
		{"1", []string{"host name rack7", "ext4 /dev/vda", "dataplane running, restarts 2, last at 00:00:00: signal: killed",
			"wire-a: link up, 1000 Mbit/s, attached: tcx", "wire-b: link down, speed unknown, attached: no", "1 loaded, 1 set aside",
			"https://10.0.2.15", "SHA-256  0A:0A:"}},
		{"2", []string{"wire-a: link up", "management: mgmt, 02:00:00:00:00:01, link up, 10.0.2.15/24"}},
		{"3", []string{"correction header cut ?[2Jlong"}},
		{"4", []string{"dataplane: long", "long end"}},
		{"5", []string{`"5" is not in the menu`}},
		{"\x1b[A nonsense", []string{`is not in the menu`}},
	} {
		got := use(t, box(), tt.choice)
		for _, w := range tt.want {
			if !strings.Contains(got, w) {
				t.Errorf("choice %q lacks %q:\n%s", tt.choice, w, got)
			}
		}
		for l := range strings.SplitSeq(got, "\n") {
			if len([]rune(l)) > columns {
				t.Errorf("choice %q shows a line of %d columns; want at most %d: %s", tt.choice, len([]rune(l)), columns, l)
			}
			if strings.ContainsAny(l, "\x1b\x07") {
				t.Errorf("choice %q shows control characters: %q", tt.choice, l)
			}
		}
	}
}

func TestViewsWithoutDataplane(t *testing.T) {
	b := box()
	b.Wire = func(context.Context) (*control.Status, error) { return nil, errors.New("connection refused") }
	b.Events = func(context.Context, int) ([]control.Event, error) { return nil, errors.New("connection refused") }
	b.Fingerprint = func() string { return "" }
	b.State = func() state.Box { return state.Box{Version: "0.1.0"} }
	got := use(t, b, "1", "2", "3", "4")
	for _, w := range []string{"dataplane does not answer: connection refused", "no port found"} {
		if !strings.Contains(got, w) {
			t.Errorf("menu lacks %q:\n%s", w, got)
		}
	}
}

func TestPowerNeedsYes(t *testing.T) {
	var did []string
	b := box()
	b.Reboot, b.PowerOff = func() { did = append(did, "reboot") }, func() { did = append(did, "power off") }
	b.Reset = func() { did = append(did, "reset") }
	use(t, b, "6", "no", "7", "", "6", "y", "10", "no")
	if len(did) > 0 {
		t.Errorf("without yes it did %q; want nothing", did)
	}
	use(t, b, "7", "yes", "6", "yes")
	if len(did) != 2 || did[0] != "power off" || did[1] != "reboot" {
		t.Errorf("with yes it did %q; want power off, reboot", did)
	}
}

func TestShellOnlyWhenOffered(t *testing.T) {
	b := box()
	ran := 0
	b.Shell = func() error { ran++; return errors.New("no shell here") }
	got := use(t, b, "5")
	if ran != 1 || !strings.Contains(got, "5 shell") || !strings.Contains(got, "no shell here") {
		t.Errorf("offered, it ran %d times and showed:\n%s", ran, got)
	}
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

func FuzzMenu(f *testing.F) {
	f.Add("1\n6\nyes\n")
	f.Add(strings.Repeat("x", 500) + "\n7\n")
	f.Fuzz(func(t *testing.T, typed string) {
		term := &terminal{Reader: strings.NewReader(typed)}
		New(box(), term).Run(t.Context())
		if strings.ContainsAny(term.String(), "\x1b\x07") {
			t.Errorf("the menu shows control characters after %q", typed)
		}
	})
}
