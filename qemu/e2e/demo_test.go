package e2e

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirepatch/qemu/demo"
	"wirepatch/qemu/lab"
)

// TestDemonstration: what comes through is what the patched server answers.
func TestDemonstration(t *testing.T) {
	for _, service := range []netip.AddrPort{lab.Service4, lab.Service6} {
		t.Run(service.String(), func(t *testing.T) {
			var out bytes.Buffer
			first := 0
			w := demo.Ways{
				Straight: appliance.Vulnerable.Address, Patched: appliance.Patched.Address,
				Lab: appliance.Lab, Service: service, First: func() { first++ },
			}
			if err := demo.Run(t.Context(), w, &demo.Printer{W: &out}); err != nil {
				t.Errorf("Run() = %v; want nil\n%s", err, out.String())
			}
			if first != 1 {
				t.Errorf("First was called %d times; want once", first)
			}
		})
	}
}

// TestEvidence: management tells of each correction with the bytes before and
// after.
func TestEvidence(t *testing.T) {
	m := manage(t)
	since := m.last()
	w := demo.Ways{Straight: appliance.Vulnerable.Address, Patched: appliance.Patched.Address, Lab: appliance.Lab, Service: lab.Service4}
	if err := demo.Run(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
	type evidence struct{ Definition, Before, After string }
	want := []evidence{
		{"WP-2023-26125", "X-Forwarded-Prefix: https://evil.example\r\n", "X-Forwarded-Prefix: https/evilexample\r\n"},
		{"WP-2023-29401", `Content-Disposition: attachment; filename="setup.bat";dummy=".txt"` + "\r\n", `Content-Disposition: attachment; filename="setup.bat\";dummy=\".txt"` + "\r\n"},
		{"WP-2025-24358", "Origin: http://evil.example\r\n", "HTTP/1.1 403 Forbidden\r\n"},
	}
	deadline := time.Now().Add(terminalTime) // management asks the dataplane every now and then
	var got []evidence
	// What other demonstrations did just before may arrive only now: it is the same.
	for len(got) < len(want) && time.Now().Before(deadline) {
		for _, r := range m.events(since) {
			since = r.Seq
			if r.Evidence == nil {
				continue
			}
			e := evidence{r.Evidence.Definition, string(r.Evidence.Before), string(r.Evidence.After)}
			if e.Definition == "WP-2025-24358" { // the whole reply: its first line tells enough
				e.After, _, _ = strings.Cut(e.After, "Content")
			}
			if !slices.Contains(got, e) {
				got = append(got, e)
			}
		}
	}
	slices.SortFunc(got, func(a, b evidence) int { return strings.Compare(a.Definition, b.Definition) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

// TestUnprotected: the same requests to a port that no service names reach the
// server as they are.
func TestUnprotected(t *testing.T) {
	w := demo.Ways{
		Straight: appliance.Vulnerable.Address, Patched: appliance.Vulnerable.Address,
		Lab: appliance.Lab, Service: lab.Free4,
	}
	// Taking the vulnerable server for the patched one, the demonstration
	// compares it with itself and complains of nothing but that.
	err := demo.Run(t.Context(), w, nil)
	want := `step 1: the vulnerable server answers like the patched one: it shows no flaw
step 2: the vulnerable server answers like the patched one: it shows no flaw
step 3: the vulnerable server answers like the patched one: it shows no flaw`
	if err == nil || err.Error() != want {
		t.Errorf("Run() = %v; want %s", err, want)
	}
}
