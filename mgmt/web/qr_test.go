package web

import (
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"

	"wirepatch/mgmt/auth"
)

// What is drawn are the code's dark modules, all of them and no others, with an
// empty margin around.
func TestSquare(t *testing.T) {
	uri := auth.FactorURI(auth.NewFactor(), "anna", "rack7.example.net")
	c, err := qr.Encode(uri, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	s := squareOf(uri)
	if s.Side != c.Size+2*margin {
		t.Errorf("side %d; want %d", s.Side, c.Size+2*margin)
	}
	dark := map[[2]int]bool{}
	for _, part := range strings.Split(strings.TrimPrefix(s.Path, "M"), "M") {
		var x, y, n, back int
		if _, err := fmt.Sscanf(part, "%d %dh%dv1h-%dz", &x, &y, &n, &back); err != nil || n != back {
			t.Fatalf("part %q of the path: %v", part, err)
		}
		for i := range n {
			dark[[2]int{x + i - margin, y - margin}] = true
		}
	}
	for y := -margin; y < c.Size+margin; y++ {
		for x := -margin; x < c.Size+margin; x++ {
			if got, want := dark[[2]int{x, y}], c.Black(x, y); got != want { // outside, nothing is black
				t.Fatalf("module %d, %d: dark %v; want %v", x, y, got, want)
			}
		}
	}
	if squareOf(strings.Repeat("x", 4000)) != nil {
		t.Error("a text that no code holds is drawn")
	}
}
