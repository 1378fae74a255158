package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"wirepatch/board/atomicfile"
)

// keyFile holds the host key, which is made when SSH is first served.
const keyFile = "ssh_host_ed25519_key"

// hostKey reads the key, or makes one. One that cannot be read is not replaced:
// clients would take the new one for an attack.
func hostKey(dir string) (ssh.Signer, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if err == nil {
		k, err := ssh.ParsePrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("host key: %w; remove %s to have a new one made", err, path)
		}
		return k, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("host key: %w", err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "wirepatch")
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	if err := atomicfile.Write(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, fmt.Errorf("keep host key: %w", err)
	}
	return ssh.NewSignerFromKey(private)
}

// HostKey is the fingerprint of the host key in dir; "" while there is none.
func HostKey(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return ""
	}
	k, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(k.PublicKey())
}
