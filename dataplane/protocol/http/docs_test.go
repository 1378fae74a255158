package http

import (
	"os"
	"strings"
	"testing"
)

// The page for authors names every code that request.fault can have on a box.
func TestPageNamesFaults(t *testing.T) {
	page, err := os.ReadFile("../../../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	for f, code := range faultCodes {
		// A box is never told to refuse what RFC 9112 gives one reading.
		if fault(f) == faultNone || fault(f) == faultLenient {
			continue
		}
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("docs/definitions.md does not name the fault %s (%s)", code, fault(f))
		}
	}
}
