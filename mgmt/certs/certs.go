// Package certs makes and keeps the certificate of the management page. It is
// self-signed; whoever meets it the first time compares its fingerprint with
// the one on the serial console.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wirepatch/board/atomicfile"
)

// Validity does not depend on the box's clock, which may be dead: it begins
// before any build of this program and outlasts the box.
var (
	notBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2056, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Names is what the box is called and can be reached by.
type Names struct {
	Host      []string
	Addresses []netip.Addr
}

// Certificate is the certificate in use.
type Certificate struct {
	TLS         tls.Certificate
	Fingerprint string // SHA-256 of the certificate, as browsers show it: "AB:CD:…"
	Made        bool   // in this call, rather than read
}

// Load reads cert.pem and key.pem in dir. When they are missing, or do not
// belong together (a power cut between the two writes), it makes new ones for
// what names returns.
func Load(dir string, names func() Names) (*Certificate, error) {
	if pair, err := finish(dir); err != nil {
		return nil, err
	} else if pair != nil {
		return &Certificate{TLS: *pair, Fingerprint: fingerprint(pair.Certificate[0])}, nil
	}
	certPEM, err1 := os.ReadFile(filepath.Join(dir, certName))
	keyPEM, err2 := os.ReadFile(filepath.Join(dir, keyName))
	for _, err := range []error{err1, err2} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if pair, err := tls.X509KeyPair(certPEM, keyPEM); err == nil {
		return &Certificate{TLS: pair, Fingerprint: fingerprint(pair.Certificate[0])}, nil
	}
	certPEM, keyPEM, err := generate(names())
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	if err := save(dir, certPEM, keyPEM); err != nil {
		return nil, fmt.Errorf("keep certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	return &Certificate{TLS: pair, Fingerprint: fingerprint(pair.Certificate[0]), Made: true}, nil
}

// Names of the files. The third holds both while the two are being written.
const (
	certName = "cert.pem"
	keyName  = "key.pem"
	nextName = "next.pem"
)

// save writes two files so that a power cut leaves either pair: what stands in
// the third is finished at the next start. Where the disk has no room, the pair
// before stays.
func save(dir string, certPEM, keyPEM []byte) error {
	next := append(append([]byte{}, certPEM...), keyPEM...)
	if err := atomicfile.Write(filepath.Join(dir, nextName), next, 0o600); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, keyName), keyPEM, 0o600); err != nil {
		return errors.Join(err, atomicfile.Remove(filepath.Join(dir, nextName)))
	}
	return saveCert(dir, certPEM)
}

// saveCert writes the second file, which ends what save has begun.
func saveCert(dir string, certPEM []byte) error {
	if err := atomicfile.Write(filepath.Join(dir, certName), certPEM, 0o644); err != nil {
		return err
	}
	return atomicfile.Remove(filepath.Join(dir, nextName))
}

// finish does what a power cut has interrupted, and returns the pair that it was
// about. A disk without room keeps that for the next start, not the page from
// starting.
func finish(dir string) (*tls.Certificate, error) {
	next, err := os.ReadFile(filepath.Join(dir, nextName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var certPEM, keyPEM []byte
	for p, rest := pem.Decode(next); p != nil; p, rest = pem.Decode(rest) {
		if p.Type == "CERTIFICATE" {
			certPEM = append(certPEM, pem.EncodeToMemory(p)...)
		} else {
			keyPEM = append(keyPEM, pem.EncodeToMemory(p)...)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, atomicfile.Remove(filepath.Join(dir, nextName))
	}
	if err = atomicfile.Write(filepath.Join(dir, keyName), keyPEM, 0o600); err == nil {
		err = saveCert(dir, certPEM)
	}
	if err != nil {
		log.Printf("the certificate is put in place at the next start: %v", err)
	}
	return &pair, nil
}

func generate(n Names) (certPEM, keyPEM []byte, _ error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	tmpl := template(n, serial)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func template(n Names, serial *big.Int) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Wirepatch"}},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              n.Host,
	}
	if len(n.Host) > 0 {
		t.Subject.CommonName = n.Host[0]
	}
	for _, a := range n.Addresses {
		t.IPAddresses = append(t.IPAddresses, net.IP(a.Unmap().AsSlice()))
	}
	return t
}

// Sum is the SHA-256 of the certificate that is kept in dir, hexadecimal; "" while
// there is none.
func Sum(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, certName))
	if err != nil {
		return ""
	}
	p, _ := pem.Decode(text)
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(p.Bytes))
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	part := make([]string, len(sum))
	for i, b := range sum {
		part[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(part, ":")
}
