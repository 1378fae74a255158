// Package sealed encrypts one file with a passphrase: the export of a box's
// settings, which holds its secrets and travels on sticks and in mails. The key
// comes from argon2id, the cipher is XChaCha20-Poly1305 over the whole. It does
// not know what is in the file. Its callers are short-lived programs: the
// derivation takes 64 MiB of memory.
//
//	magic     20 bytes, with the version of this form
//	salt      16
//	check     16, from the derivation: tells a wrong passphrase from a changed file
//	nonce     24
//	sealed    the rest
package sealed

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	magic     = "wirepatch settings 1"
	saltSize  = 16
	checkSize = 16
	nonceSize = chacha20poly1305.NonceSizeX
	headSize  = len(magic) + saltSize + checkSize + nonceSize
)

// MaxSize bounds what is sealed, in bytes.
const MaxSize = 32 << 20

// MinPassphrase is the shortest passphrase, in characters: whoever finds the file
// may try as many as he likes.
const MinPassphrase = 10

// What may be wrong. The texts are for users.
var (
	ErrShort      = fmt.Errorf("the passphrase is too short; take at least %d characters", MinPassphrase)
	ErrForm       = errors.New("this is no file of exported settings, or it is cut short")
	ErrVersion    = errors.New("the file was exported by later firmware; update this box first")
	ErrPassphrase = errors.New("the passphrase is wrong")
	ErrChanged    = errors.New("the file is damaged or was changed since it was exported; get it again")
	ErrLarge      = fmt.Errorf("more than %d bytes", MaxSize)
)

// The second of the sets that RFC 9106 recommends.
const (
	passes   = 3
	memory   = 64 << 10 // KiB
	parallel = 4
)

// derive returns the key and what the passphrase is checked by.
func derive(passphrase string, salt []byte) (key, check []byte) {
	all := argon2.IDKey([]byte(passphrase), salt, passes, memory, parallel, chacha20poly1305.KeySize+checkSize)
	return all[:chacha20poly1305.KeySize], all[chacha20poly1305.KeySize:]
}

// Seal encrypts.
func Seal(passphrase string, plain []byte) ([]byte, error) {
	if utf8.RuneCountInString(passphrase) < MinPassphrase {
		return nil, ErrShort
	}
	if len(plain) > MaxSize {
		return nil, ErrLarge
	}
	random := make([]byte, saltSize+nonceSize)
	rand.Read(random)
	salt, nonce := random[:saltSize], random[saltSize:]
	key, check := derive(passphrase, salt)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	head := bytes.Join([][]byte{[]byte(magic), salt, check, nonce}, nil)
	return aead.Seal(head, nonce, plain, head), nil
}

// Open decrypts. Nothing of a file that was changed anywhere comes out.
func Open(passphrase string, file []byte) ([]byte, error) {
	version := len(magic) - 1
	switch {
	case len(file) < headSize+chacha20poly1305.Overhead || string(file[:version]) != magic[:version]:
		return nil, ErrForm
	case file[version] != magic[version]:
		return nil, ErrVersion
	case len(file) > headSize+chacha20poly1305.Overhead+MaxSize:
		return nil, ErrLarge
	}
	head, rest := file[:headSize], file[headSize:]
	salt, check, nonce := head[len(magic):][:saltSize], head[len(magic)+saltSize:][:checkSize], head[headSize-nonceSize:]
	key, want := derive(passphrase, salt)
	if subtle.ConstantTimeCompare(check, want) != 1 {
		return nil, ErrPassphrase
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonce, rest, head)
	if err != nil {
		return nil, ErrChanged
	}
	return plain, nil
}
