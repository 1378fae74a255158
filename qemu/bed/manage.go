package bed

import (
	"context"
	"crypto/tls"
	"regexp"
	"time"

	"wirepatch/mgmt/certs"
)

// manageTime bounds the wait for the management page's first words, and for
// the page.
const manageTime = 4 * time.Minute

// knockTime is how long one attempt to reach the page may take, and knockPause
// how long it rests before the next.
const (
	knockTime  = 20 * time.Second
	knockPause = 200 * time.Millisecond
)

var (
	setupCode   = regexp.MustCompile(`setup_code=(\S+)\s`)
	fingerprint = regexp.MustCompile(`certificate SHA-256 ([0-9a-f]{64})`)
)

// Manage is what a first visitor of the management page must know. The
// appliance says it on its serial console only.
type Manage struct {
	SetupCode   string
	Fingerprint string // SHA-256 of the certificate, hexadecimal
	Answers     bool   // with that certificate
}

// Manage waits until the console has told both and the page answers; what it
// does not tell in time stays "not told".
func (b *Bed) Manage(ctx context.Context) Manage {
	ctx, cancel := context.WithTimeout(ctx, manageTime)
	defer cancel()
	told := func(re *regexp.Regexp) string {
		if m, _, err := b.VM.Serial.WaitFrom(ctx, 0, re); err == nil {
			return m[1]
		}
		return "not told; see the serial console"
	}
	m := Manage{SetupCode: told(setupCode), Fingerprint: told(fingerprint)}
	for !m.Answers && ctx.Err() == nil {
		if m.Answers = knock(ctx, b.Management, m.Fingerprint) == nil; !m.Answers {
			pause(ctx, knockPause)
		}
	}
	return m
}

// knock is nil where a TLS server answers with the certificate of that
// fingerprint. QEMU accepts connections itself, long before the appliance does.
func knock(ctx context.Context, address, fingerprint string) error {
	ctx, cancel := context.WithTimeout(ctx, knockTime)
	defer cancel()
	d := tls.Dialer{Config: certs.Pinned(fingerprint)}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
