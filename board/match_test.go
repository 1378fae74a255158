package board

import (
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var found = []Interface{
	{Name: "eth2", Driver: "igb", Path: "0000:03:00.0", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 3}},
	{Name: "eth0", Driver: "igb", Path: "0000:01:00.0", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}},
	{Name: "eth1", Driver: "igc", Path: "0000:02:00.0", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}},
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name                string
		a, b, m             Port
		wantA, wantB, wantM string
		faults              []string
	}{
		{
			name: "by address", a: Port{Path: "0000:03:00.0"}, b: Port{Path: "0000:02:00.0"}, m: Port{Path: "0000:01:00.0"},
			wantA: "eth2", wantB: "eth1", wantM: "eth0",
		},
		{
			name: "by order of a driver", a: Port{Driver: "igb", Order: 1}, b: Port{Driver: "igb", Order: 2}, m: Port{Driver: "igc", Order: 1},
			wantA: "eth0", wantB: "eth2", wantM: "eth1",
		},
		{
			name: "by MAC, and both must hold", a: Port{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}},
			b: Port{Role: "wire b", Driver: "igb", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}}, m: Port{Order: 1},
			wantA: "eth1", wantM: "eth0", faults: []string{"wire b: no port is igb with MAC 02:00:00:00:00:02"},
		},
		{
			name: "one port is not two", a: Port{Role: "wire a", Order: 1}, b: Port{Role: "wire b", Path: "0000:01:00.0"}, m: Port{Order: 3},
			wantA: "eth0", wantM: "eth2", faults: []string{"wire b: eth0 is already wire a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := Board{WireA: tt.a, WireB: tt.b, Management: tt.m}
			got, err := b.Match(found)
			names := []string{}
			for _, i := range []*Interface{got.WireA, got.WireB, got.Management} {
				if i == nil {
					names = append(names, "")
				} else {
					names = append(names, i.Name)
				}
			}
			if d := cmp.Diff([]string{tt.wantA, tt.wantB, tt.wantM}, names); d != "" {
				t.Errorf("Match (-want +got):\n%s", d)
			}
			if (err != nil) != (len(tt.faults) > 0) {
				t.Errorf("Match error = %v; want %q", err, tt.faults)
			}
			for _, f := range tt.faults {
				if err != nil && !strings.Contains(err.Error(), f) {
					t.Errorf("Match error = %v; want %q", err, f)
				}
			}
		})
	}
}
