package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wirepatch/board/atomicfile"
)

// ErrInput marks what is wrong with a certificate that was handed in.
var ErrInput = errors.New("this certificate cannot be used")

func faulty(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInput}, a...)...)
}

// requestKey holds the key of a request that was not answered yet.
const requestKey = "request-key.pem"

// Live is the certificate that is served, and may be exchanged while it is.
type Live struct {
	Dir   string
	Names func() Names
	Now   func() time.Time

	mu  sync.RWMutex
	now *Certificate
}

// NewLive serves c.
func NewLive(dir string, c *Certificate, names func() Names, now func() time.Time) *Live {
	return &Live{Dir: dir, Names: names, Now: now, now: c}
}

// Get implements tls.Config's GetCertificate.
func (l *Live) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &l.Current().TLS, nil }

// Current is the certificate that is served.
func (l *Live) Current() *Certificate {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.now
}

// Installed says whether an authority has signed it, and not the box itself.
func (l *Live) Installed() bool {
	leaf := l.Current().TLS.Leaf
	return !bytes.Equal(leaf.RawIssuer, leaf.RawSubject)
}

// Renew makes a new key and a new certificate, signed by the box itself.
func (l *Live) Renew() error {
	certPEM, keyPEM, err := generate(l.Names())
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	return l.use(certPEM, keyPEM)
}

// Request makes a new key, which stays in the box, and a request for a
// certificate of these names, for an authority to sign.
func (l *Live) Request(n Names) (string, error) {
	if len(n.Host)+len(n.Addresses) == 0 {
		return "", faulty("name what browsers will call the box")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	t := &x509.CertificateRequest{DNSNames: n.Host}
	if len(n.Host) > 0 {
		t.Subject = pkix.Name{CommonName: n.Host[0]}
	}
	for _, a := range n.Addresses {
		t.IPAddresses = append(t.IPAddresses, net.IP(a.Unmap().AsSlice()))
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, t, key)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	if err := atomicfile.Write(filepath.Join(l.Dir, requestKey), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return "", fmt.Errorf("keep key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// Install serves a certificate that an authority has signed: the leaf first, then
// what it was signed by. Without a key it must be for the last request, or for
// the key in use.
func (l *Live) Install(chain, key string) error {
	keys := []string{key}
	if strings.TrimSpace(key) == "" {
		keys = nil
		for _, name := range []string{requestKey, keyName} {
			if text, err := os.ReadFile(filepath.Join(l.Dir, name)); err == nil {
				keys = append(keys, string(text))
			}
		}
	}
	if err := l.checkChain(chain); err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := tls.X509KeyPair([]byte(chain), []byte(k)); err == nil {
			if err := l.use([]byte(chain), []byte(k)); err != nil {
				return err
			}
			return atomicfile.Remove(filepath.Join(l.Dir, requestKey))
		}
	}
	if key != "" {
		return faulty("the key does not belong to it, or cannot be read: give it as PEM, without a passphrase")
	}
	return faulty("it is for none of the keys in the box: have the box's request signed, or give its key, too")
}

// maxChain is how many certificates a chain may have.
const maxChain = 8

// checkChain says what is wrong with a chain.
func (l *Live) checkChain(text string) error {
	var all []*x509.Certificate
	rest := []byte(text)
	for {
		var p *pem.Block
		if p, rest = pem.Decode(rest); p == nil {
			break
		}
		if p.Type != "CERTIFICATE" {
			return faulty("it has a part of the kind %.40q; give certificates as PEM, and the key in its own field", p.Type)
		}
		c, err := x509.ParseCertificate(p.Bytes)
		if err != nil {
			return faulty("%v", err)
		}
		all = append(all, c)
	}
	switch {
	case len(all) == 0:
		return faulty("there is no certificate in it; give it as PEM, which begins with -----BEGIN CERTIFICATE-----")
	case len(all) > maxChain:
		return faulty("it has %d certificates; at most %d are served", len(all), maxChain)
	}
	for i := range len(all) - 1 {
		if err := all[i].CheckSignatureFrom(all[i+1]); err != nil {
			return faulty("certificate %d is not signed by certificate %d: give the box's own first, then each authority after what it has signed", i+1, i+2)
		}
	}
	return l.checkLeaf(all[0])
}

func (l *Live) checkLeaf(leaf *x509.Certificate) error {
	switch k := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return faulty("its RSA key has %d bits; browsers ask for 2048", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
	default:
		return faulty("keys of the kind %T are not known to browsers", k)
	}
	now := l.Now()
	switch {
	case !now.Before(leaf.NotAfter):
		return faulty("it has expired on %s, by the box's clock", leaf.NotAfter.UTC().Format(time.DateOnly))
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return faulty("it names neither a host nor an address (subject alternative name)")
	}
	return nil
}

// use serves a certificate from now on, and after a restart.
func (l *Live) use(certPEM, keyPEM []byte) error {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := save(l.Dir, certPEM, keyPEM); err != nil {
		return fmt.Errorf("keep certificate: %w", err)
	}
	l.now = &Certificate{TLS: pair, Fingerprint: fingerprint(pair.Certificate[0]), Made: true}
	return nil
}
