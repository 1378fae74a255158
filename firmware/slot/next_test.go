package slot

import (
	"path"
	"testing"
)

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name  string
		slots []string // newest first
		want  Next
	}{
		{name: "the only one, on trial", slots: []string{"wirepatch_0.1.0+3.efi"}},
		{name: "the only one, confirmed", slots: []string{"wirepatch_0.1.0.efi"}},
		{name: "a new one", slots: []string{"wirepatch_0.2.0+3.efi", "wirepatch_0.1.0.efi"}},
		{name: "on trial", slots: []string{"wirepatch_0.2.0+2-1.efi", "wirepatch_0.1.0.efi"}},
		{name: "both confirmed", slots: []string{"wirepatch_0.2.0.efi", "wirepatch_0.1.0.efi"}, want: Next{"wirepatch_0.2.0.efi", "wirepatch_0.1.0.efi"}},
		{name: "the newer given up", slots: []string{"wirepatch_0.2.0+0-3.efi", "wirepatch_0.1.0.efi"}, want: Next{"", "wirepatch_0.1.0[+.]*"}},
		{name: "the newer set aside", slots: []string{"wirepatch_0.1.1+0.efi", "wirepatch_0.1.0.efi"}, want: Next{"", "wirepatch_0.1.0[+.]*"}},
		{name: "a longer version of the same beginning", slots: []string{"wirepatch_0.1.0.1+0-3.efi", "wirepatch_0.1.0.efi"}, want: Next{"", "wirepatch_0.1.0.efi"}},
		{name: "both given up", slots: []string{"wirepatch_0.2.0+0-3.efi", "wirepatch_0.1.0+0-3.efi"}},
	} {
		var all []Slot
		for _, f := range tt.slots {
			s, ok := Parse(f)
			if !ok {
				t.Fatalf("%s is no slot", f)
			}
			all = append(all, s)
		}
		got := Plan(all)
		if got != tt.want {
			t.Errorf("%s: Plan = %+v; want %+v", tt.name, got, tt.want)
		}
		for _, s := range all {
			for _, file := range []string{s.File(), s.GivenUp().File(), s.Confirmed().File()} {
				matches, err := path.Match(got.Else, file)
				if err != nil || matches && s.Counting {
					t.Errorf("%s: pattern %s for %s = %v, %v; want only the confirmed slot's names", tt.name, got.Else, file, matches, err)
				}
			}
		}
	}
}

func TestLeave(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []Next{{}, {"wirepatch_0.2.0.efi", "wirepatch_0.1.0.efi"}, {"", "wirepatch_0.1.0[+.]*"}, {"wirepatch_0.3.0.efi", "wirepatch_0.1.0.efi"}, {}} {
		if err := want.Leave(dir); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadNext(dir); got != want || err != nil {
			t.Errorf("ReadNext = %+v, %v; want %+v", got, err, want)
		}
	}
}
