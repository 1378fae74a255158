package bed

import (
	"context"
	"regexp"
	"time"
)

// manageTime bounds the wait for the management page's first words.
const manageTime = time.Minute

var (
	setupCode   = regexp.MustCompile(`setup_code=(\S+)\s`)
	fingerprint = regexp.MustCompile(`certificate SHA-256 ([0-9a-f]{64})`)
)

// Manage is what a first visitor of the management page must know. The
// appliance says it on its serial console only.
type Manage struct {
	SetupCode   string
	Fingerprint string // SHA-256 of the certificate, hexadecimal
}

// Manage waits until the console has told both; what it does not tell in time
// stays "not told".
func (b *Bed) Manage(ctx context.Context) Manage {
	ctx, cancel := context.WithTimeout(ctx, manageTime)
	defer cancel()
	told := func(re *regexp.Regexp) string {
		if m, _, err := b.VM.Serial.WaitFrom(ctx, 0, re); err == nil {
			return m[1]
		}
		return "not told; see the serial console"
	}
	return Manage{SetupCode: told(setupCode), Fingerprint: told(fingerprint)}
}
