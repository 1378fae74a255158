package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"html"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestTLS(t *testing.T) {
	l := newLab(t)
	base := l.serveTLS()
	addr := strings.TrimPrefix(base, "https://")
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		if c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v}); err == nil {
			c.Close()
			t.Errorf("%s is accepted", tls.VersionName(v))
		}
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
		tr.Protocols.SetHTTP2(proto == "HTTP/2.0")
		resp, err := (&http.Client{Transport: tr}).Get(base + "/setup")
		l.must(err)
		resp.Body.Close()
		if resp.Proto != proto || resp.StatusCode != 200 || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s: %s %d by %s; want 200 by TLS 1.3", proto, resp.Proto, resp.StatusCode, tls.VersionName(resp.TLS.Version))
		}
		tr.CloseIdleConnections()
	}
	c, err := net.Dial("tcp", addr)
	l.must(err)
	defer c.Close()
	c.Write([]byte("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
	b := make([]byte, 1000)
	n, _ := c.Read(b)
	if got := string(b[:n]); strings.Contains(got, "200 OK") || strings.Contains(got, "Set-Cookie") {
		t.Errorf("plain HTTP is answered: %q", got)
	}
}

// TestCertificate: an authority's certificate is served from the next connection
// on, with the rule that browsers stay with HTTPS; the box's own without it.
func TestCertificate(t *testing.T) {
	l := newLab(t)
	base := l.serveTLS()
	l.setPassword()
	served := func() (sum string, strict string) {
		t.Helper()
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(base + "/login")
		l.must(err)
		resp.Body.Close()
		return fmt.Sprintf("%X", sha256.Sum256(resp.TLS.PeerCertificates[0].Raw)), resp.Header.Get("Strict-Transport-Security")
	}
	first, strict := served()
	if strict != "" {
		t.Errorf("with the box's own certificate Strict-Transport-Security is %q; want none", strict)
	}
	c, s := l.session()
	send := func(path string, kv ...string) *httptest.ResponseRecorder {
		v := url.Values{"token": {s.Token}}
		for i := 0; i < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return l.do("POST", path, v.Encode(), with(c))
	}
	w := send("/settings/certificate/request", "names", "wirepatch.example, 192.0.2.10")
	request, _ := pem.Decode([]byte(html.UnescapeString(w.Body.String()[strings.Index(w.Body.String(), "-----BEGIN"):])))
	if w.Code != 200 || request == nil || request.Type != "CERTIFICATE REQUEST" {
		t.Fatalf("request: %d\n%s", w.Code, w.Body)
	}
	if w := send("/settings/certificate/request", "names", "a b"); w.Code != 422 {
		t.Errorf("request for no name: %d; want 422", w.Code)
	}
	signed := signedBy(l, request.Bytes)
	// As browsers send it.
	if w := send("/settings/certificate/install", "chain", strings.ReplaceAll(signed, "\n", "\r\n")); w.Code != 303 {
		t.Fatalf("install: %d\n%s", w.Code, w.Body)
	}
	second, strict := served()
	if second == first || strict == "" {
		t.Errorf("served is %s with %q; want the new one, and to stay with HTTPS", second, strict)
	}
	if text := l.do("GET", "/settings", "", with(c)).Body.String(); !strings.Contains(text, "CN=Example CA") || !strings.Contains(text, "wirepatch.example") {
		t.Error("the settings do not tell the certificate")
	}
	if w := send("/settings/certificate/renew", "sure", "yes"); w.Code != 303 {
		t.Errorf("renew: %d", w.Code)
	}
	if third, strict := served(); third == second || strict != "" {
		t.Errorf("renewed, served is %s with %q", third, strict)
	}
	l.advance(29 * 365 * 24 * time.Hour)
	l.advance(330 * 24 * time.Hour)
	if a := l.site.certificateAlerts(); len(a) != 1 {
		t.Errorf("shortly before its end: %v; want an alert", a)
	}
}

// signedBy has an authority answer a request.
func signedBy(l *lab, request []byte) string {
	l.Helper()
	r, err := x509.ParseCertificateRequest(request)
	l.must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	l.must(err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, IsCA: true, BasicConstraintsValid: true, NotAfter: l.now().AddDate(10, 0, 0)}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: r.Subject, DNSNames: r.DNSNames, IPAddresses: r.IPAddresses, NotAfter: l.now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, r.PublicKey, key)
	l.must(err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
