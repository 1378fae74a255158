package exchange

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
)

// Staged is the file of an import that is taken at the next start, in the data
// folder. The page's part of it, with keys and password hashes, is encrypted.
const Staged = "import.tar"

// keyFile has the key for it, among the page's secrets: so an import that waits is
// as closed as what becomes of it. Nothing of it can be read from a disk whose
// secrets are sealed to a TPM.
const keyFile = "import.key"

const keySize = 32

func (b *Box) keyPath() string { return filepath.Join(b.Secret, keyFile) }

// lay lays an import down for the next start.
func (b *Box) lay(e *export) error {
	key := make([]byte, keySize)
	rand.Read(key)
	aead, err := pageCipher(key)
	if err != nil {
		return err
	}
	closed := *e
	closed.page = aead.Seal(nil, nil, e.page, nil)
	plain, err := closed.pack()
	if err != nil {
		return err
	}
	// The key first: an import that waits has one.
	if err := atomicfile.Write(b.keyPath(), key, 0o600); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(b.Data, Staged), plain, 0o600)
}

func pageCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// openPage decrypts the page's part of an import that waits.
func (b *Box) openPage(e *export) error {
	key, err := readKey(b.keyPath())
	if err != nil {
		return fmt.Errorf("key of the import: %w", err)
	}
	aead, err := pageCipher(key)
	if err != nil {
		return fmt.Errorf("key of the import: %w", err)
	}
	if e.page, err = aead.Open(nil, nil, e.page, nil); err != nil {
		return errors.New("the import is damaged; import the file once more")
	}
	return nil
}

// readKey reads no more than a key, and no link or pipe: the folder is the page's,
// whose word does not count for more than that.
func readKey(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() != keySize {
		return nil, errors.New("it is none")
	}
	key := make([]byte, keySize)
	_, err = io.ReadFull(f, key)
	return key, err
}

// clear forgets the import; the key last, so that one that waits has one.
func (b *Box) clear() error {
	return errors.Join(atomicfile.Remove(filepath.Join(b.Data, Staged)), atomicfile.Remove(b.keyPath()))
}

// Waiting says whether an import waits to be taken.
func Waiting(data string) bool {
	_, err := os.Stat(filepath.Join(data, Staged))
	return err == nil
}

// staged returns the import that waits, nil if none does.
func (b *Box) staged() (*export, error) {
	plain, err := os.ReadFile(filepath.Join(b.Data, Staged))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return unpack(plain)
}
