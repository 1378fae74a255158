package secureboot

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// The files of a key in its folder. The last is what machines are given.
const (
	privateFile     = "secureboot.key"
	certificateFile = "secureboot.crt"
	EnrolFile       = "secureboot.cer"
)

// Folder is where a signed image carries its certificate and, for machines in
// setup mode, what is to be written into each of Variables, NAME.auth.
const Folder = "/etc/wirepatch/secureboot"

// validity is how long the certificate says that it is good; firmware ignores it.
const validity = 20 * 365 * 24 * time.Hour

// Make makes a key in the folder.
func Make(dir, name string, now time.Time) error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.UTC(), NotAfter: now.UTC().Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{
		{privateFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600},
		{certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644},
		{EnrolFile, der, 0o644},
	} {
		w, err := os.OpenFile(filepath.Join(dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
		if err != nil {
			return fmt.Errorf("make Secure Boot key: %w", err)
		}
		_, err = w.Write(f.text)
		if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Read reads the key in the folder.
func Read(dir string) (*Key, error) {
	block := func(name string) ([]byte, error) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read Secure Boot key: %w; make one with: go run ./firmware secureboot keys %s", err, dir)
		}
		b, _ := pem.Decode(text)
		if b == nil {
			return nil, fmt.Errorf("read Secure Boot key: no PEM in %s", name)
		}
		return b.Bytes, nil
	}
	private, err := block(privateFile)
	if err != nil {
		return nil, err
	}
	certificate, err := block(certificateFile)
	if err != nil {
		return nil, err
	}
	any, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("read Secure Boot key: %w", err)
	}
	rsaKey, ok := any.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("read Secure Boot key: it is no RSA key, and firmware knows no other")
	}
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("read Secure Boot key: %w", err)
	}
	if !rsaKey.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("read Secure Boot key: the certificate is for another key")
	}
	return &Key{rsaKey, cert}, nil
}
