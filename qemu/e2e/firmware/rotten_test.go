package firmware

import (
	"bytes"
	"testing"

	"wirepatch/firmware/slot"
)

// TestRotten: the file of a firmware that is confirmed, whose starts nobody counts,
// goes bad on the disk. The machine finds to the other one without a hand. When it
// was only the power that went, the newer one is back as soon as it starts.
func TestRotten(t *testing.T) {
	t.Parallel()
	m := cold(t)
	whole := variant{version: "0.2.0"}.build(t)
	rotten := bytes.Clone(whole)
	clear(rotten[len(rotten)/4 : len(rotten)/4+4096])
	disk := func(newer []byte) map[string][]byte {
		return map[string][]byte{"wirepatch_0.1.0.efi": good(), "wirepatch_0.2.0.efi": newer}
	}
	m.fill(disk(whole))
	m.on()
	m.wait(`slot 0\.2\.0 runs, confirmed`)
	m.wait(`forwarding, `)
	m.powerOff()

	t.Log("the power goes before the firmware is up")
	m.refill(m.files(disk(rotten)))
	m.on()
	m.wait(`Kernel panic`)
	m.off()
	m.refill(m.files(disk(whole)))
	m.on()
	m.wait(`slot 0\.1\.0 runs, confirmed`)
	m.wait(`firmware 0\.2\.0 was confirmed and did not come up; it is tried again`)
	m.wait(`slot 0\.2\.0 runs, on trial`)
	m.wait(`firmware: 0\.2\.0 is confirmed`)
	m.wantSlots("wirepatch_0.1.0.efi", "wirepatch_0.2.0.efi")

	t.Log("its file is damaged")
	m.refill(m.files(disk(rotten)))
	m.on()
	m.wait(`Kernel panic`)
	m.wait(`firmware 0\.2\.0 was confirmed and did not come up; it is tried again`)
	for range slot.Tries {
		m.wait(`Kernel panic`)
	}
	m.waitAll(`slot 0\.1\.0 runs, confirmed`, `0\.2\.0 did not hold and was given up`, `forwarding, `)
	m.wantSlots("wirepatch_0.1.0.efi", "wirepatch_0.2.0+0-3.efi")

	t.Log("no name says any more which one held, and the newer one would not start")
	m.giveUp("0.1.0")
	m.on()
	m.wait(`slot 0\.1\.0 runs, given up`)
	m.wait(`firmware: 0\.1\.0 is confirmed`)
	m.wantSlots("wirepatch_0.1.0.efi", "wirepatch_0.2.0+0-3.efi")
}
