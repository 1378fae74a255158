// Package vault keeps the folder of the management page, with the TLS key and the
// password hashes in it, so that it can be read on its own machine only: the
// kernel encrypts the folder (fscrypt), and what the key is made from is sealed to
// the machine's TPM. Typed as a recovery code it opens the folder elsewhere, too.
// init opens the vault before it starts the page; the page knows nothing of it.
package vault

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
)

// Secret is what the folder's key is made from: 160 bits, which are 32 letters
// and digits.
type Secret [20]byte

// New makes a secret.
func New() (s Secret) {
	rand.Read(s[:])
	return s
}

// alphabet is Crockford's: no letter can be taken for a digit.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// slips are letters that the alphabet has not, as what they were meant.
var slips = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1")

const group = 4 // letters of a code that stand together

// checkBytes follow the secret in a code, so that a slip of the pen is found out.
const checkBytes = 5

func (s Secret) check() []byte {
	h := sha256.Sum256(append([]byte("wirepatch recovery code\x00"), s[:]...))
	return h[:checkBytes]
}

// Code is the secret as people write it down.
func (s Secret) Code() string {
	text := alphabet.EncodeToString(append(s[:], s.check()...))
	var groups []string
	for ; len(text) > group; text = text[group:] {
		groups = append(groups, text[:group])
	}
	return strings.Join(append(groups, text), "-")
}

// ErrCode says that a text is no recovery code.
var ErrCode = errors.New("that is no recovery code: 40 letters and digits in groups of four; look for a slip")

// Parse reads a code; it need not have its hyphens.
func Parse(code string) (s Secret, err error) {
	b, err := alphabet.DecodeString(slips.Replace(strings.ToLower(code)))
	if err != nil || len(b) != len(s)+checkBytes {
		return Secret{}, ErrCode
	}
	copy(s[:], b)
	if string(s.check()) != string(b[len(s):]) {
		return Secret{}, ErrCode
	}
	return s, nil
}

// key is the folder's.
func (s Secret) key() ([]byte, error) {
	return hkdf.Key(sha256.New, s[:], nil, "wirepatch folder key", 64)
}
