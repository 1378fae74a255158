package board

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBoards(t *testing.T) {
	if len(Names()) == 0 {
		t.Fatal("Names() is empty; want the boards of the source")
	}
	for _, n := range Names() {
		text, err := Text(n)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse(text)
		if err != nil {
			t.Errorf("board %s: %v", n, err)
		} else if b.Name != n {
			t.Errorf("%s.ini has name %q; want the file's", n, b.Name)
		}
	}
	if _, err := Text("../board/qemu"); err == nil {
		t.Error(`Text("../board/qemu") = nil; want an error`)
	}
}

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`
[board]
name = a1
title = A box
[wire]
attach = xdp
[wire a]
pci = 0000:01:00.0
[wire b]
driver = igb
order = 2
[management]
mac = 02:00:00:00:00:01
[modules]
load = igb, ext4
[console ttyS1]
speed = 9600
[console tty1]
[offloads]
off = rx-lro
[watchdog]
driver = iTCO_wdt
device = watchdog0
[bypass]
chip = gpio-f7188x-2
line = 5
joins = low
[light fault]
chip = gpio-f7188x-3
line = 0
shines = high
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Board{
		Name: "a1", Title: "A box",
		WireA:       Port{Role: "wire a", Path: "0000:01:00.0"},
		WireB:       Port{Role: "wire b", Driver: "igb", Order: 2},
		Attach:      "xdp",
		Management:  Port{Role: "management", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}},
		Modules:     []string{"igb", "ext4"},
		Optional:    []string{},
		Consoles:    []Console{{"ttyS1", 9600}, {"tty1", 0}},
		OffloadsOff: []string{"rx-lro"},
		Watchdog:    Watchdog{"iTCO_wdt", "watchdog0", time.Minute},
		Bypass:      Line{Chip: "gpio-f7188x-2", Offset: 5},
		Lights:      map[string]Line{"fault": {Chip: "gpio-f7188x-3", High: true}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Parse (-want +got):\n%s", d)
	}
}

func TestParseFaults(t *testing.T) {
	_, err := Parse([]byte(`
stray = 1
[board]
name = ../x
[wire]
attach = af_xdp
[wire a]
pci = 4.0
[wire b]
[managment]
[modules]
load = ext4, ../../evil
[console ../sda]
[console ttyS0]
speed = 12
order = 1
[console ttyS0]
[bypass]
line = -1
joins = maybe
[light disco]
`))
	if err == nil {
		t.Fatal("Parse of a faulty file = nil; want an error")
	}
	for _, want := range []string{"stray: unknown key", `name: got "../x"`, `pci: got "4.0"`, `[wire] attach: got "af_xdp"`, "nothing says which port", "[managment]: unknown section",
		`load: got "../../evil"`, "[console ../sda]: unknown section", `speed: got "12"`, "order: unknown key", "[management]: section is missing", "[bypass] chip: is missing", `[bypass] line: got "-1"`, `[bypass] joins: got "maybe"`, "[light disco]: unknown section"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, n := range Names() {
		text, _ := Text(n)
		f.Add(text)
	}
	f.Add([]byte("[console x\ny]\n[wire a]\norder=99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse(text)
		if err != nil {
			return
		}
		for _, c := range b.Consoles {
			if strings.ContainsAny(c.Device, "/\x00\n") {
				t.Errorf("Parse took the console device %q", c.Device)
			}
		}
		for _, m := range b.Modules {
			if strings.ContainsAny(m, "/\x00\n") {
				t.Errorf("Parse took the module %q", m)
			}
		}
	})
}
