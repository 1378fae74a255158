package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/visible"
)

// soon is how long before its end a certificate needs attention.
const soon = 30 * 24 * time.Hour

// certificateView is the page's certificate.
type certificateView struct {
	Issuer, Fingerprint string
	Names               []string
	Until               moment
	Soon                bool
}

func (s *Site) certificateView() certificateView {
	c := s.Certs.Current()
	leaf := c.TLS.Leaf
	v := certificateView{Issuer: "the box itself", Fingerprint: c.Fingerprint, Until: at(leaf.NotAfter), Soon: s.Now().Add(soon).After(leaf.NotAfter)}
	if s.Certs.Installed() {
		v.Issuer = visible.Line(leaf.Issuer.String())
	}
	for _, n := range leaf.DNSNames {
		v.Names = append(v.Names, visible.Line(n))
	}
	for _, a := range leaf.IPAddresses {
		v.Names = append(v.Names, a.String())
	}
	return v
}

// certificateAlerts says when it is about to end.
func (s *Site) certificateAlerts() []alert {
	v := s.certificateView()
	if !v.Soon {
		return nil
	}
	return []alert{{true, "The page's certificate ends on " + v.Until.Text + ".", "On the page Settings, have a new one signed, or made by the box itself."}}
}

// CertificateInfo is the answer to what changes the certificate.
type CertificateInfo struct {
	SHA256  string    `json:"sha256"`
	Expires time.Time `json:"expires"`
	Issuer  string    `json:"issuer"`
}

func (s *Site) certificateInfo() CertificateInfo {
	c := s.Certs.Current()
	return CertificateInfo{c.Fingerprint, c.TLS.Leaf.NotAfter.UTC(), c.TLS.Leaf.Issuer.String()}
}

func (s *Site) renewCertificate(_ *http.Request, _ visit, in url.Values) (done, error) {
	if in.Get("sure") != "yes" {
		return done{}, faulty("say that you are sure: browsers will warn again")
	}
	if err := s.Certs.Renew(); err != nil {
		return done{}, err
	}
	i := s.certificateInfo()
	return done{Object: i.SHA256, Result: i}, nil
}

// CertificateRequest is a request for an authority.
type CertificateRequest struct {
	Request string `json:"request"` // PEM
}

func (s *Site) requestCertificate(_ *http.Request, _ visit, in url.Values) (done, error) {
	var n certs.Names
	for name := range strings.SplitSeq(in.Get("names"), ",") {
		name = strings.TrimSpace(name)
		if a, err := netip.ParseAddr(name); err == nil {
			n.Addresses = append(n.Addresses, a)
		} else if certs.IsHost(name) {
			n.Host = append(n.Host, name)
		} else if name != "" {
			return done{}, faulty("%.80q is neither a host name nor an address", name)
		}
	}
	text, err := s.Certs.Request(n)
	if err != nil {
		return done{}, err
	}
	return done{Object: visible.Line(in.Get("names")), Result: CertificateRequest{text},
		Shown: &shown{Title: "Request for a certificate", Text: "Have it signed by your authority, and give the box what it answers. The key stays in the box.", Lines: []string{text}}}, nil
}

func (s *Site) installCertificate(_ *http.Request, _ visit, in url.Values) (done, error) {
	if err := s.Certs.Install(normalLines(in.Get("chain")), normalLines(in.Get("key"))); err != nil {
		return done{}, err
	}
	i := s.certificateInfo()
	return done{Object: i.SHA256, Detail: "signed by " + visible.Line(i.Issuer), Result: i}, nil
}
