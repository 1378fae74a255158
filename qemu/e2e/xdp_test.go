package e2e

import (
	"context"
	"net/netip"
	"regexp"
	"testing"

	"wirepatch/qemu/bed"
	"wirepatch/qemu/demo"
	"wirepatch/qemu/lab"
)

// TestXDP boots the appliance with the program attached by XDP to virtio ports:
// corrections, a large file, harmless requests bit for bit, and the way past a
// dead engine are as with tcx, and the console says what is in force.
func TestXDP(t *testing.T) { throughXDP(t, bed.Config{}, "xdp, copy", nil) }

// throughXDP does what TestXDP says with an appliance of which want is what the
// console is to say, and then more, if that is not nil.
func throughXDP(t *testing.T, c bed.Config, want string, more func(b *bed.Bed)) {
	c.Settings = bed.Settings + "\n[wire]\nattach = xdp\n"
	b, err := startAs(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Logf("the serial console's last lines:\n%s", b.VM.Serial.Tail(60))
		}
		if err := b.PowerOff(); err != nil {
			t.Errorf("PowerOff() = %v; want nil", err)
		}
	}()
	attached(t, b, want)
	corrects := func(when string) {
		t.Helper()
		for _, to := range []netip.AddrPort{lab.Service4, lab.Service6} {
			w := demo.Ways{Straight: b.Vulnerable.Address, Patched: b.Patched.Address, Lab: b.Lab, Service: to}
			if err := demo.Run(t.Context(), w, nil); err != nil {
				t.Errorf("%s: the demonstration at %s: %v", when, to, err)
			}
		}
	}
	corrects("at first")
	const size = 20_000_000
	if straight, through := curlSum(t, b.Vulnerable.Address, size), curlSum(t, b.Through, size); straight != through {
		t.Errorf("SHA-256 through the appliance is %s; straight it is %s", through, straight)
	}
	keepAlive(t, b, 500)

	asking := session(t, b)
	onConsole(t, b, "kill -9 `pidof dataplane`")
	// A session that was there, and new ones, pass without the engine or with the next.
	for range 20 {
		if _, err := asking.ask([][]byte{[]byte(tinyRequest)}); err != nil {
			t.Fatalf("a session from before the kill: %v", err)
		}
		if _, err := session(t, b).ask([][]byte{[]byte(tinyRequest)}); err != nil {
			t.Fatalf("a new session after the kill: %v", err)
		}
	}
	attached(t, b, want)
	corrects("after the restart")
	if more != nil {
		more(b)
	}
}

// session opens one to the protected service.
func session(t *testing.T, b *bed.Bed) *reader {
	t.Helper()
	c, err := b.Lab.Client.Dial(t.Context(), lab.Service4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return newReader(c)
}

// attached asks the console's menu until the dataplane answers and says of both
// ports how they are attached.
func attached(t *testing.T, b *bed.Bed, want string) {
	t.Helper()
	serial := b.VM.Serial
	ctx, cancel := context.WithTimeout(t.Context(), terminalTime)
	defer cancel()
	line := regexp.MustCompile(`dataplane does not answer|wire-a: link .*attached: ([^\r\n]*)\r?\n(?:.*\n)*?.*wire-b: link .*attached: ([^\r\n]*)\r?\n`)
	for {
		at := serial.Position()
		if err := serial.Type("1\n"); err != nil {
			t.Fatal(err)
		}
		m, _, err := serial.WaitFrom(ctx, at, line)
		if err != nil {
			t.Fatalf("%v\n%s", err, serial.Tail(30))
		}
		if m[1] == "" {
			continue
		}
		if m[1] != want || m[2] != want {
			t.Errorf("the console says that the ports are attached by %q and %q; want %q\n%s", m[1], m[2], want, serial.Tail(30))
		}
		return
	}
}
