package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"wirepatch/firmware/slot"
	"wirepatch/firmware/uki"
)

// registers is where the kernel shows the TPM's.
const registers = "/sys/class/tpm/tpm0/pcr-sha256/"

// compareMeasured says whether what was measured into the TPM at this start is
// the firmware in the running slot. It judges nothing by it: who relies on the
// measurement asks the TPM.
func (b *box) compareMeasured(ctx context.Context) {
	text, err := os.ReadFile(registers + fmt.Sprint(uki.MeasuredIn))
	if err != nil {
		return // no TPM
	}
	// The wire first: it takes a while to read the whole slot.
	b.awaitWire(ctx)
	got := strings.ToLower(strings.TrimSpace(string(text)))
	b.step("measurement", func() error {
		return slot.With(b.running.boot.Partition, func(d slot.Dir) error {
			s, err := d.Find(b.running.boot.Entry)
			if err != nil {
				return err
			}
			f, err := d.Open(s)
			if err != nil {
				return err
			}
			defer f.Close()
			want, err := uki.Measure(f)
			if err != nil {
				return err
			}
			if wanted := fmt.Sprintf("%x", want); got != wanted {
				return fmt.Errorf("the TPM's PCR %d is %s; firmware %s makes it %s: something else was started, or measured beside it", uki.MeasuredIn, got, b.release.Version, wanted)
			}
			b.journal.Logf("measurement: the TPM's PCR %d is that of firmware %s: %s", uki.MeasuredIn, b.release.Version, got)
			return nil
		})
	})
}
