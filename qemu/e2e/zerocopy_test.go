package e2e

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirepatch/images/later"
	"wirepatch/qemu/bed"
)

var zeroCopy = flag.Bool("zero-copy", false, "run TestZeroCopy, which fetches a kernel from trixie-backports and a QEMU from bookworm-backports")

// TestZeroCopy does what TestXDP does with the image of another board, a PC, whose
// cards share the sockets' memory: igb, of which QEMU emulates one, with a later
// kernel than the image's. The cards have two queues.
func TestZeroCopy(t *testing.T) {
	if !*zeroCopy {
		t.Skip("igb has no zero copy before Linux 6.14; with -zero-copy a later kernel is fetched and started")
	}
	image := laterImage(t)
	program, err := later.QEMU(t.Context(), filepath.Join(image, "cache"), os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	// The appliance's clocks get no memory from a later kernel on a processor without
	// CMPXCHG16B, which QEMU's own has; that of bookworm is taken without (vm.Config).
	options := []string{"-cpu", "max", "-smp", "2", "-m", "1024"}
	throughXDP(t, bed.Config{Image: image, QEMU: program, Card: "igb", More: options}, "xdp, zero copy", func(b *bed.Bed) {
		if log := b.VM.Serial.Tail(1000); strings.Contains(log, "dead engine") {
			t.Errorf("a fault that the console names:\n%s", log)
		}
		severalQueues(t, b)
	})
}

// severalQueues wants corrections in new sessions to arrive on both queues of
// both ports. Whatever comes, the driver has each queue interrupt every two seconds.
func severalQueues(t *testing.T, b *bed.Bed) {
	t.Helper()
	const sessions, want = 200, 50
	before, began := interrupts(t, b), time.Now()
	for range sessions {
		if _, err := session(t, b).ask([][]byte{[]byte(tinyRequest)}); err != nil {
			t.Fatal(err)
		}
	}
	after, idle := interrupts(t, b), int(time.Since(began)/(2*time.Second))+1
	for queue, n := range after {
		if n -= before[queue] + idle; n < want {
			t.Errorf("%d interrupts of %s in %d sessions; want %d or more", n, queue, sessions, want)
		}
	}
	t.Logf("interrupts before %v, after %d sessions %v", before, sessions, after)
}

// interrupts says how often each receive queue has interrupted.
func interrupts(t *testing.T, b *bed.Bed) map[string]int {
	t.Helper()
	at := b.VM.Serial.Position()
	onConsole(t, b, "cat /proc/interrupts")
	all := map[string]int{}
	for _, queue := range []string{"wire-a-rx-0", "wire-a-rx-1", "wire-b-rx-0", "wire-b-rx-1"} {
		m, _, err := b.VM.Serial.WaitFrom(t.Context(), at, regexp.MustCompile(`\n *\d+: +(\d+) +(\d+) +PCI\S+ +\S+ +`+queue))
		if err != nil {
			t.Fatal(err)
		}
		for _, processor := range m[1:] {
			n, _ := strconv.Atoi(processor)
			all[queue] += n
		}
	}
	return all
}

// laterImage builds the image of the board generic-x86_64 with a later kernel and
// returns its folder.
func laterImage(t *testing.T) string {
	t.Helper()
	root := filepath.Join("..", "..")
	out, err := filepath.Abs(filepath.Join(root, "out", "later"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "cache"), filepath.Join(out, "cache")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	build := exec.Command("go", "run", "./images/build", "-board", "generic-x86_64", "-kernel-suite", "trixie-backports", "-out", out, "-debug-shell")
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		t.Fatalf("build the image: %v", err)
	}
	return out
}
