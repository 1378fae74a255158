package board

import (
	"os"
	"strings"
	"testing"
	"time"
)

// The example in docs/install.md is a board file, and shows each section.
func TestPageExample(t *testing.T) {
	page, err := os.ReadFile("../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "## Another board\n")
	if !found {
		t.Fatal("docs/install.md has no section Another board")
	}
	_, text, _ := strings.Cut(rest, "```ini\n")
	text, _, _ = strings.Cut(text, "```")
	_, relay, _ := strings.Cut(rest, "## Bypass relay and lights\n")
	_, relay, _ = strings.Cut(relay, "```ini\n")
	relay, _, _ = strings.Cut(relay, "```")
	b, err := Parse([]byte(text + relay))
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "rack-pc" || b.WireA.Path == "" || b.WireA.Driver != "igc" || b.WireB.MAC == nil || b.Management.Order != 3 || b.Attach != "auto" ||
		len(b.Modules) == 0 || len(b.Optional) != 1 || len(b.KernelOptions) != 1 || len(b.Consoles) != 1 || len(b.OffloadsOff) != 2 ||
		b.Watchdog != (Watchdog{"iTCO_wdt", "watchdog", time.Minute}) || b.Bypass.Offset != 5 || !b.Lights["forwarding"].High {
		t.Errorf("docs/install.md: the board is %+v", b)
	}
}
