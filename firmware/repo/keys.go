package repo

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Keys is a folder of private keys, ROLE-N.key each: PEM, PKCS 8, Ed25519. Who
// signs for a role needs only the keys of that role in it.
type Keys string

var keyFile = regexp.MustCompile(`^([a-z]+)-([a-z0-9]+)\.key$`)

// signer is one private key.
type signer struct {
	file string
	key  *metadata.Key
	sign signature.Signer
}

// Make makes the key ROLE-NAME, unless it is there.
func (k Keys) Make(role, name string) (string, error) {
	if !slices.Contains(roles, role) {
		return "", fmt.Errorf("make key: role %q is not known; known are %s", role, strings.Join(roles, ", "))
	}
	path := filepath.Join(string(k), role+"-"+name+".key")
	if !keyFile.MatchString(filepath.Base(path)) {
		return "", fmt.Errorf("make key: got name %q, want small letters and digits", name)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(string(k), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	return path, errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
}

// of returns the keys of a role, in the order of their names.
func (k Keys) of(role string) ([]signer, error) {
	all, err := os.ReadDir(string(k))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var out []signer
	for _, e := range all {
		m := keyFile.FindStringSubmatch(e.Name())
		if m == nil || m[1] != role {
			continue
		}
		s, err := readKey(filepath.Join(string(k), e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no key %s-NAME.key in %q; make one with: repo keys %s NAME, or bring the folder that has it", role, string(k), role)
	}
	return out, nil
}

func readKey(path string) (signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return signer{}, fmt.Errorf("read key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return signer{}, fmt.Errorf("read key %s: no PEM in it", path)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signer{}, fmt.Errorf("read key %s: %w", path, err)
	}
	private, ok := any.(ed25519.PrivateKey)
	if !ok {
		return signer{}, fmt.Errorf("read key %s: it is no Ed25519 key", path)
	}
	public, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return signer{}, fmt.Errorf("read key %s: %w", path, err)
	}
	s, err := signature.LoadSigner(private, crypto.Hash(0))
	if err != nil {
		return signer{}, fmt.Errorf("read key %s: %w", path, err)
	}
	return signer{filepath.Base(path), public, s}, nil
}
