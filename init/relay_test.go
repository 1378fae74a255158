package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/board"
)

// lines makes a tree as the kernel shows a chip with eight lines, of which the
// fourth and the sixth were exported.
func lines(t *testing.T) (root string, level func(line string) string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"export":            "",
		"gpiochip0/label":   "other\n",
		"gpiochip0/base":    "0\n",
		"gpiochip0/ngpio":   "8\n",
		"gpiochip96/label":  "gpio-f7188x-2\n",
		"gpiochip96/base":   "96\n",
		"gpiochip96/ngpio":  "8\n",
		"gpio100/direction": "in\n", "gpio100/value": "0\n",
		"gpio102/direction": "in\n", "gpio102/value": "0\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, func(line string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(root, line))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
}

// awaitLevel waits until a line is so.
func awaitLevel(t *testing.T, level func(string) string, line, want string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); level(line) != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is %q; want %q", line, level(line), want)
		}
	}
}

// TestRelay: the relay joins the ports from the beginning, parts them once the
// wire forwards, and joins them again, for good, when the box goes down.
func TestRelay(t *testing.T) {
	root, level := lines(t)
	b := newBox()
	b.board = &board.Board{Bypass: board.Line{Chip: "gpio-f7188x-2", Offset: 4},
		Lights: map[string]board.Line{lightForwarding: {Chip: "gpio-f7188x-2", Offset: 6, High: true}}}
	b.openRelay(root)
	if got := level("export"); got != "100" && got != "102" {
		t.Errorf("line %s was exported; want 100 and 102", got)
	}
	if got := level("gpio100/direction"); got != "low" {
		t.Errorf("the relay's line begins as %q; want low, at which it joins", got)
	}
	if got := level("gpio102/direction"); got != "low" {
		t.Errorf("the light's line begins as %q; want low: it does not shine", got)
	}
	go b.followWire(t.Context())
	close(b.forwarding)
	awaitLevel(t, level, "gpio100/value", "1")
	awaitLevel(t, level, "gpio102/value", "1")
	b.joinForGood()
	awaitLevel(t, level, "gpio100/value", "0")
	awaitLevel(t, level, "gpio102/value", "0")
	b.join(false)
	if got := level("gpio100/value"); got != "0" {
		t.Errorf("the relay is parted (%s) while the box goes down", got)
	}
}

// TestRelayAfterPanic: what boot cannot go on from joins the ports before
// anything else.
func TestRelayAfterPanic(t *testing.T) {
	root, level := lines(t)
	b := newBox()
	b.board = &board.Board{Bypass: board.Line{Chip: "gpio-f7188x-2", Offset: 4, High: true}}
	b.openRelay(root)
	b.join(false)
	awaitLevel(t, level, "gpio100/value", "0")
	b.panicking("for the test")
	awaitLevel(t, level, "gpio100/value", "1")
}

// TestRelayFaults: a line that is not there is said with what is, and the box
// goes on without.
func TestRelayFaults(t *testing.T) {
	root, _ := lines(t)
	for _, tt := range []struct {
		line board.Line
		want string
	}{
		{board.Line{Chip: "gpio_it87", Offset: 1}, `no such chip; it has ["other" "gpio-f7188x-2"]`},
		{board.Line{Chip: "gpio-f7188x-2", Offset: 8}, "the chip has 8 lines"},
		{board.Line{Chip: "gpio-f7188x-2", Offset: 1}, "is it an output?"},
	} {
		b := newBox()
		b.board = &board.Board{Bypass: tt.line}
		b.openRelay(root)
		b.join(true)
		all := strings.Join(b.journal.Lines(10), "\n")
		if !strings.Contains(all, tt.want) {
			t.Errorf("the log for line %s is %q; want %q in it", tt.line, all, tt.want)
		}
	}
}
