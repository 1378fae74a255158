package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/board/state"
)

func names() Names {
	return Names{Host: []string{"box1", "localhost"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")}}
}

func load(t *testing.T, dir string) *Certificate {
	t.Helper()
	c, err := Load(dir, names)
	if err != nil {
		t.Fatalf("Load = %v", err)
	}
	return c
}

func TestMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	first := load(t, dir)
	if !first.Made || len(first.Fingerprint) != 32*3-1 {
		t.Errorf("first Load: made %v, fingerprint %q; want true, 32 bytes in hex", first.Made, first.Fingerprint)
	}
	for name, want := range map[string]os.FileMode{"key.pem": 0o600, "cert.pem": 0o644} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %v", name, st, err, want)
		}
	}
	second, err := Load(dir, func() Names { t.Error("names asked for again"); return Names{} })
	if err != nil || second.Made || second.Fingerprint != first.Fingerprint {
		t.Errorf("second Load = %+v, %v; want the same certificate", second, err)
	}
}

func TestContent(t *testing.T) {
	c := load(t, t.TempDir()).TLS.Leaf
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		t.Errorf("key is %T; want ECDSA P-256", c.PublicKey)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	for _, name := range []string{"box1", "localhost", "192.0.2.9", "[2001:db8::9]"} {
		// Valid on a clock that was set right, also long after.
		for _, at := range []time.Time{time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)} {
			if _, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: at}); err != nil {
				t.Errorf("for %s in %d: %v", name, at.Year(), err)
			}
		}
	}
	if now := time.Now(); c.NotBefore.After(now) {
		t.Errorf("not before %v; want a time before this build", c.NotBefore)
	}
	if c.IsCA {
		t.Error("the certificate may sign others")
	}
}

// What a power cut or a bad disk leaves must not keep the page from starting.
func TestMadeAnew(t *testing.T) {
	damage := map[string]func(dir string) error{
		"no key":  func(dir string) error { return os.Remove(filepath.Join(dir, "key.pem")) },
		"no cert": func(dir string) error { return os.Remove(filepath.Join(dir, "cert.pem")) },
		"torn cert": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("-----BEGIN"), 0o644)
		},
		"other's cert": func(dir string) error { return copyCert(t.TempDir(), dir) },
	}
	for name, do := range damage {
		dir := t.TempDir()
		first := load(t, dir)
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		again := load(t, dir)
		if !again.Made || again.Fingerprint == first.Fingerprint {
			t.Errorf("%s: made %v, fingerprint the same: %v; want a new certificate", name, again.Made, again.Fingerprint == first.Fingerprint)
		}
		if load(t, dir).Fingerprint != again.Fingerprint {
			t.Errorf("%s: the new certificate is not kept", name)
		}
	}
}

func copyCert(from, to string) error {
	if _, err := Load(from, names); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(from, "cert.pem"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "cert.pem"), b, 0o644)
}

func TestOwn(t *testing.T) {
	n := Own(&state.Box{Hostname: "rack7", Management: state.Management{Address: "192.0.2.77/24"}})
	if n.Host[0] != "rack7" || n.Addresses[0].String() != "192.0.2.77" {
		t.Errorf("Own = %+v; want rack7 and 192.0.2.77 in front", n)
	}
	for _, bad := range []string{"", "(none)", "a b", "-x", "x-", "ä", strings.Repeat("x", 300), "a\x00"} {
		if n := Own(&state.Box{Hostname: bad}); n.Host[0] == bad {
			t.Errorf("Own takes the host name %q", bad)
		}
		if _, err := Load(t.TempDir(), func() Names { return Own(&state.Box{Hostname: bad}) }); err != nil {
			t.Errorf("host name %q: %v", bad, err)
		}
	}
}
