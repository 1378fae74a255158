package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Second factor by RFC 6238: six digits that change every 30 seconds, as all
// authenticator programs know them (which is why it is SHA-1).
const (
	totpStep   = 30
	totpDigits = 1_000_000
	totpSecret = 20 // bytes
	totpSlack  = 1  // steps that the clocks may be apart
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewFactor returns a new secret, as text to be typed or read.
func NewFactor() string {
	b := make([]byte, totpSecret)
	rand.Read(b)
	return base32Text.EncodeToString(b)
}

// FactorURI is the secret in the form that authenticator programs take.
func FactorURI(secret, user, host string) string {
	q := url.Values{"secret": {secret}, "issuer": {"Wirepatch"}}
	return "otpauth://totp/" + url.PathEscape("Wirepatch "+host+":"+user) + "?" + q.Encode()
}

// totp is the code of one step.
func totp(secret []byte, step int64) string {
	m := hmac.New(sha1.New, secret)
	binary.Write(m, binary.BigEndian, step)
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%totpDigits)
}

// matchCode returns the step that the code belongs to. A step at or before last
// has been used.
func matchCode(secret, code string, now time.Time, last int64) (step int64, ok bool) {
	key, err := base32Text.DecodeString(secret)
	if err != nil || len(key) < totpSecret {
		return 0, false
	}
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	current := now.Unix() / totpStep
	for s := current - totpSlack; s <= current+totpSlack; s++ {
		if subtle.ConstantTimeCompare([]byte(totp(key, s)), []byte(code)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// CodeAt is the code that an authenticator shows at now, for tests and for the
// author of a script.
func CodeAt(secret string, now time.Time) (string, error) {
	key, err := base32Text.DecodeString(secret)
	if err != nil {
		return "", fmt.Errorf("secret of the second factor: %w", err)
	}
	return totp(key, now.Unix()/totpStep), nil
}

// recoveryCodes is how many there are, to be used once each.
const recoveryCodes = 10

// newRecovery returns codes of 120 bits.
func newRecovery() []string {
	var all []string
	for range recoveryCodes {
		b := make([]byte, 15)
		rand.Read(b)
		s := base32Text.EncodeToString(b)
		all = append(all, s[:8]+"-"+s[8:16]+"-"+s[16:])
	}
	return all
}

func normalRecovery(code string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
}
