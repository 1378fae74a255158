package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Limits of a password: characters at least, bytes at most.
const (
	MinLength = 12
	MaxLength = 1024
)

// Parameters of argon2id: OWASP's second choice, which fits a small box (two
// computations at once take 38 MiB).
const (
	argonTime   = 2
	argonMemory = 19 * 1024 // KiB
	saltLength  = 16
	keyLength   = 32
)

// Ceilings for what a stored hash may ask for: a damaged file must not take
// the box's memory.
const (
	maxTime   = 16
	maxMemory = 256 * 1024 // KiB
)

// CheckPassword says what is wrong with a new password, in words for who types it.
func CheckPassword(pw string) error {
	seen := map[rune]bool{}
	for _, r := range pw {
		seen[r] = true
	}
	switch {
	case utf8.RuneCountInString(pw) < MinLength:
		return fmt.Errorf("%w: it is too short; take at least %d characters, several words are fine", ErrPassword, MinLength)
	case len(pw) > MaxLength:
		return fmt.Errorf("%w: it is too long; take at most %d characters", ErrPassword, MaxLength)
	case len(seen) < 5:
		return fmt.Errorf("%w: it repeats too few different characters; take at least five different ones", ErrPassword)
	}
	return nil
}

// hash returns the PHC string of pw under a new salt.
func hash(pw string) string {
	salt := make([]byte, saltLength)
	rand.Read(salt) // never fails (crypto/rand, since Go 1.24)
	p := params{argonTime, argonMemory, 1, salt, nil}
	p.key = p.derive(pw, keyLength)
	return p.String()
}

// params is what a PHC string holds.
type params struct {
	time, memory uint32
	threads      uint8
	salt, key    []byte
}

func (p params) derive(pw string, n uint32) []byte {
	return argon2.IDKey([]byte(pw), p.salt, p.time, p.memory, p.threads, n)
}

func (p params) matches(pw string) bool {
	return subtle.ConstantTimeCompare(p.derive(pw, uint32(len(p.key))), p.key) == 1
}

func (p params) String() string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b.EncodeToString(p.salt), b.EncodeToString(p.key))
}

var errHash = errors.New("not an argon2id hash")

// parseHash reads a PHC string and refuses parameters that are out of reason.
func parseHash(s string) (params, error) {
	var p params
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errHash
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, fmt.Errorf("%w: %w", errHash, err)
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(part[4])
	p.key, err2 = base64.RawStdEncoding.Strict().DecodeString(part[5])
	if err := errors.Join(err1, err2); err != nil {
		return p, fmt.Errorf("%w: %w", errHash, err)
	}
	bad := p.time < 1 || p.time > maxTime || p.memory < 8 || p.memory > maxMemory || p.threads != 1 ||
		len(p.salt) < 8 || len(p.salt) > 64 || len(p.key) < 16 || len(p.key) > 64
	if bad {
		return p, fmt.Errorf("%w: parameters out of range", errHash)
	}
	return p, nil
}
