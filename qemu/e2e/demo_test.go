package e2e

import (
	"bytes"
	"net/netip"
	"testing"

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
