package firmware

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var updates = flag.Int("updates", 3, "how many updates in a row TestUpdatesInARow does")

// TestUpdatesInARow updates one machine again and again, each time to the newest
// firmware: every one is put in, tried and confirmed, the one before stays to go
// back to, and neither partition fills up. make soak does 50.
func TestUpdatesInARow(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	over := a.trusting("repository = " + a.url + "\n")
	m := cold(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: over}.build(t)})
	m.on()
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.wait(`updated: ready`)
	began, used := time.Now(), 0
	for i := range *updates {
		to := fmt.Sprintf("0.%d.0", i+2)
		m.shell()
		used = m.used(used)
		a.offer(variant{version: to, over: over})
		m.typed("updated install")
		m.wait(`firmware %s is installed; restarting into it`, to)
		m.wait(`firmware: slot %s runs, on trial`, to)
		m.waitAll(`updated: ready`, `firmware: `+regexp.QuoteMeta(to)+` is confirmed`)
		a.forget()
		t.Logf("update %d: %s runs, %v since the first", i+1, to, time.Since(began).Round(time.Second))
	}
	m.wantSlots(fmt.Sprintf("wirepatch_0.%d.0.efi", *updates), fmt.Sprintf("wirepatch_0.%d.0.efi", *updates+1))
	figure(t, "%d updates in a row, each confirmed, in %v", *updates, time.Since(began).Round(time.Second))
}

// roomToGrow is what may be added to the data partition by one update, in KiB:
// logs and databases, but no firmware.
const roomToGrow = 8 << 10

// used wants the data partition to hold little more than it did before.
func (m *machine) used(before int) int {
	m.Helper()
	m.typed("du -s /data")
	now, err := strconv.Atoi(m.wait(`([0-9]+)\s+/data`)[1])
	if err != nil {
		m.Fatal(err)
	}
	if before > 0 && now > before+roomToGrow {
		m.Errorf("the data partition holds %d KiB after an update; %d before", now, before)
	}
	return now
}

// forget removes firmware that was offered from the repository's folder; the
// metadata still names it.
func (a *author) forget() {
	a.Helper()
	all, err := filepath.Glob(filepath.Join(a.Dir, "targets", "firmware", "*", "*"))
	a.must(err)
	for _, f := range all {
		a.must(os.Remove(f))
	}
}
