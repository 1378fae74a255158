package keeper

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	old := "a\nb\nc\nd\ne\nf\ng\nh\n"
	for _, tt := range []struct {
		new  string
		want []Line
	}{
		{old, nil},
		{"a\nb\nc\nd\ne\nf\ng\n", []Line{{" ", "f"}, {" ", "g"}, {"-", "h"}}},
		{"a\nb\nc\nX\ne\nf\ng\nh\n", []Line{{" ", "b"}, {" ", "c"}, {"-", "d"}, {"+", "X"}, {" ", "e"}, {" ", "f"}}},
		{"", []Line{{"-", "a"}, {"-", "b"}, {"-", "c"}, {"-", "d"}, {"-", "e"}, {"-", "f"}, {"-", "g"}, {"-", "h"}}},
	} {
		if d := cmp.Diff(tt.want, Diff(old, tt.new)); d != "" {
			t.Errorf("Diff to %q (-want +got):\n%s", tt.new, d)
		}
	}
}

func TestDiffering(t *testing.T) {
	old := "# first\n[service a]\nport = 80\n[wire]\nmtu = 1500\n"
	for _, tt := range []struct {
		new  string
		want []string
	}{
		{old, nil},
		{"# other\n[service a]\nport = 80\n[wire]\nmtu = 1500\n", []string{"[]"}},
		{"# first\n[service a]\nport = 81\n[wire]\nmtu = 1500\n[patch X]\nmode = off\n", []string{"[service a]", "[patch X]"}},
		{"# first\n[wire]\nmtu = 1500\n", []string{"[service a] (removed)"}},
		{"", []string{"[] (removed)", "[service a] (removed)", "[wire] (removed)"}},
	} {
		if d := cmp.Diff(tt.want, Differing(old, tt.new)); d != "" {
			t.Errorf("Differing from %q (-want +got):\n%s", tt.new, d)
		}
	}
}

// FuzzDiff: what is not added is the old text, what is not taken out the new one.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nb\n")
	f.Add("", "\n\n")
	f.Fuzz(func(t *testing.T, old, new string) {
		a, b := split(old), split(new)
		if len(a)*len(b) > 10_000 {
			return
		}
		var x, y []string
		for _, l := range compare(a, b) {
			if l.Sign != "+" {
				x = append(x, l.Text)
			}
			if l.Sign != "-" {
				y = append(y, l.Text)
			}
		}
		if !slices.Equal(a, x) || !slices.Equal(b, y) {
			t.Errorf("compare(%q, %q) loses lines", old, new)
		}
	})
}
