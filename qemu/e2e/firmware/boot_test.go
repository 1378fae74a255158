package firmware

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirepatch/firmware/release"
)

// TestBoot: from power-on through UEFI, boot loader and kernel to a wire that
// forwards, and again after the power button. It tells how long that takes, and how
// long the definitions' tests take after it: at the first start of a firmware all
// are tested, later none. Of each figure the second does not depend on what else
// this computer does.
func TestBoot(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	var told []string
	for _, start := range []string{"first start", "second start"} {
		began := time.Now()
		m.on()
		passed := func() string {
			return fmt.Sprintf("%.1f s, of which the emulator had a processor for %.1f s", time.Since(began).Seconds(), m.worked().Seconds())
		}
		m.wait(`firmware %s, kernel`, release.Version)
		m.wait(`forwarding, [0-9.]+ s after power-on`)
		told = append(told, fmt.Sprintf("%s: from power-on in OVMF to forwarding %s", start, passed()))
		n := m.wait(`definitions loaded.* tested=([0-9]+) `)[1]
		told = append(told, fmt.Sprintf("with the tests of %s definitions %s", n, passed()))
		m.powerOff()
	}
	figure(t, "%s", strings.Join(told, "; "))
}

// worked is how much processor time the machine's emulator has taken: proc(5), the
// 14th and 15th field of stat.
func (m *machine) worked() time.Duration {
	m.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.vm.PID()))
	if err != nil {
		m.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the second is the program's name
	f := strings.Fields(rest)
	if len(f) < 13 {
		m.Fatalf("stat of the emulator: %s", text)
	}
	ticks := 0
	for _, n := range f[11:13] {
		t, err := strconv.Atoi(n)
		if err != nil {
			m.Fatal(err)
		}
		ticks += t
	}
	return time.Duration(ticks) * time.Second / 100
}
