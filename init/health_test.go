package main

import (
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/firmware/slot"
)

func TestFaults(t *testing.T) {
	wire := func(upA, upB bool) *control.Status {
		return &control.Status{Ports: []control.Port{{Name: wireA, Attach: "tcx", Up: upA}, {Name: wireB, Attach: "tcx", Up: upB}}}
	}
	well := func(change func(*vitals)) vitals {
		v := vitals{ports: ports{true, true, true}, wire: wire(true, true), page: true}
		change(&v)
		return v
	}
	before := map[string]bool{wireA: true, wireB: false}
	for _, tt := range []struct {
		v    vitals
		want string // "" for health
	}{
		{well(func(*vitals) {}), ""},
		{well(func(v *vitals) { v.wire = wire(false, false) }), ""},
		{well(func(v *vitals) { v.before = before; v.wire = wire(true, false) }), ""},
		{well(func(v *vitals) { v.before = before; v.wire = wire(false, true) }), "wire-a has no link and had one"},
		{well(func(v *vitals) { v.modules = []string{"igb"} }), "module igb does not load"},
		{well(func(v *vitals) { v.faulty = true }), "the settings of this box cannot be used"},
		{well(func(v *vitals) { v.ports.management = false }), "a port is missing"},
		{well(func(v *vitals) { v.wire = nil }), "the dataplane does not answer"},
		{well(func(v *vitals) { v.wire.Ports[1].Attach = "" }), "the wire does not forward"},
		{well(func(v *vitals) { v.page = false }), "the management page is not served"},
	} {
		got := faultsText(tt.v.faults())
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("faults of %+v = %q; want %q", tt.v, got, tt.want)
		}
	}
}

func TestSilent(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		p    *pulse
		want string
	}{
		{&pulse{init: now}, ""},
		{&pulse{init: now.Add(-initPatience - time.Second)}, "init"},
		{&pulse{init: now, expectWire: true, wire: now.Add(-wirePatience + time.Second)}, ""},
		{&pulse{init: now, expectWire: true, wire: now.Add(-wirePatience - time.Second)}, "dataplane"},
	} {
		if got := tt.p.silent(now); got != tt.want {
			t.Errorf("silent() = %q; want %q", got, tt.want)
		}
	}
}

func TestDataBeside(t *testing.T) {
	all := []slot.Partition{
		{Device: "/dev/sda1", Disk: "/dev/sda", GUID: "a", Name: "wirepatch-esp"}, {Device: "/dev/sda2", Disk: "/dev/sda", GUID: "b", Name: dataLabel},
		{Device: "/dev/nvme0n1p1", Disk: "/dev/nvme0n1", GUID: "c", Name: "wirepatch-esp"}, {Device: "/dev/nvme0n1p2", Disk: "/dev/nvme0n1", GUID: "d", Name: dataLabel},
	}
	for guid, want := range map[string]string{"a": "/dev/sda2", "c": "/dev/nvme0n1p2", "x": "", "": ""} {
		if got := dataBeside(all, guid); got != want {
			t.Errorf("dataBeside(%q) = %q; want %q", guid, got, want)
		}
	}
}
