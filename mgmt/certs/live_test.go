package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs what it is asked to.
type authority struct {
	*testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{T: t}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.pem = a.sign(tmpl, tmpl, &a.key.PublicKey)
	return a
}

func (a *authority) sign(t, by *x509.Certificate, public any) (*x509.Certificate, string) {
	a.Helper()
	der, err := x509.CreateCertificate(rand.Reader, t, by, public, a.key)
	if err != nil {
		a.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return c, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// answer signs a request.
func (a *authority) answer(request string, until time.Time) string {
	a.Helper()
	p, _ := pem.Decode([]byte(request))
	r, err := x509.ParseCertificateRequest(p.Bytes)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		a.Fatal(err)
	}
	_, text := a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: r.Subject, NotBefore: time.Unix(0, 0), NotAfter: until, DNSNames: r.DNSNames, IPAddresses: r.IPAddresses,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, a.cert, r.PublicKey)
	return text
}

func newLive(t *testing.T) *Live {
	dir := t.TempDir()
	return NewLive(dir, load(t, dir), names, time.Now)
}

// An authority signs the box's request; from then on that is served, after a
// restart, too; and the box can go back to one of its own.
func TestInstall(t *testing.T) {
	l, a := newLive(t), newAuthority(t)
	own := l.Current().Fingerprint
	if l.Installed() {
		t.Error("the box's own certificate counts as an authority's")
	}
	request, err := l.Request(names())
	if err != nil {
		t.Fatal(err)
	}
	signed := a.answer(request, time.Now().AddDate(1, 0, 0))
	if err := l.Install(signed+a.pem, ""); err != nil {
		t.Fatal(err)
	}
	c, _ := l.Get(nil)
	if l.Current().Fingerprint == own || !l.Installed() || len(c.Certificate) != 2 {
		t.Errorf("served is %v with %d certificates; want the authority's, with its own", l.Current().Fingerprint, len(c.Certificate))
	}
	if again := load(t, l.Dir); again.Fingerprint != l.Current().Fingerprint {
		t.Error("after a restart another certificate is served")
	}
	if _, err := os.Stat(filepath.Join(l.Dir, requestKey)); err == nil {
		t.Error("the request's key is left")
	}
	// The same key, signed anew.
	if err := l.Install(signed, ""); err != nil {
		t.Errorf("Install for the key in use = %v", err)
	}
	before := l.Current().Fingerprint
	if err := l.Renew(); err != nil || l.Installed() || l.Current().Fingerprint == before {
		t.Errorf("Renew = %v; want a new one of the box's own", err)
	}
}

func TestInstallRefuses(t *testing.T) {
	l, a := newLive(t), newAuthority(t)
	own := l.Current().Fingerprint
	request, err := l.Request(names())
	if err != nil {
		t.Fatal(err)
	}
	good := a.answer(request, time.Now().AddDate(1, 0, 0))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, weak := a.sign(&x509.Certificate{SerialNumber: big.NewInt(3), NotAfter: time.Now().AddDate(1, 0, 0), DNSNames: []string{"x"}}, a.cert, &small.PublicKey)
	other := newAuthority(t)
	foreign, err := newLive(t).Request(names())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ chain, key, want string }{
		"nothing":        {"", "", "no certificate in it"},
		"nonsense":       {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "cannot be used"},
		"a key in it":    {good + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "in its own field"},
		"another's":      {a.answer(foreign, time.Now().AddDate(1, 0, 0)), "", "none of the keys in the box"},
		"another key":    {good, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "does not belong"},
		"expired":        {a.answer(request, time.Now().Add(-time.Hour)), "", "expired"},
		"order":          {a.pem + good, "", "not signed by"},
		"another's root": {good + other.pem, "", "not signed by"},
		"weak key":       {weak, "", "1024 bits"},
		"too many":       {strings.Repeat(a.pem, maxChain+1), "", "at most"},
	} {
		if err := l.Install(tt.chain, tt.key); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
	if l.Current().Fingerprint != own {
		t.Error("a refused certificate is served")
	}
	if _, err := l.Request(Names{}); !errors.Is(err, ErrInput) {
		t.Errorf("Request for no name = %v; want %v", err, ErrInput)
	}
}

// A power cut at each step of writing leaves one pair or the other, whole.
func TestPowerCutWhileSaving(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	old, next := load(t, from), load(t, to)
	read := func(dir, name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	both := append(read(to, certName), read(to, keyName)...)
	for name, tt := range map[string]struct {
		written map[string][]byte
		want    string
	}{
		"before":       {nil, old.Fingerprint},
		"next is torn": {map[string][]byte{nextName: both[:len(both)/2]}, old.Fingerprint},
		"next":         {map[string][]byte{nextName: both}, next.Fingerprint},
		"next and key": {map[string][]byte{nextName: both, keyName: read(to, keyName)}, next.Fingerprint},
		"both":         {map[string][]byte{nextName: both, keyName: read(to, keyName), certName: read(to, certName)}, next.Fingerprint},
	} {
		dir := t.TempDir()
		for _, n := range []string{certName, keyName} {
			if err := os.WriteFile(filepath.Join(dir, n), read(from, n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for n, b := range tt.written {
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := load(t, dir); got.Fingerprint != tt.want {
			t.Errorf("%s: made %v; want the old or the new pair", name, got.Made)
		}
		if _, err := os.Stat(filepath.Join(dir, nextName)); err == nil {
			t.Errorf("%s: %s is left", name, nextName)
		}
	}
}

func FuzzInstall(f *testing.F) {
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "")
	f.Add("x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	dir := f.TempDir()
	c, err := Load(dir, names)
	if err != nil {
		f.Fatal(err)
	}
	l := NewLive(dir, c, names, time.Now)
	f.Fuzz(func(t *testing.T, chain, key string) {
		if l.Install(chain, key) == nil && l.Current().TLS.Leaf == nil {
			t.Errorf("%q is served without a leaf", chain)
		}
	})
}
