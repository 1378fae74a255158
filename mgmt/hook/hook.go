// Package hook posts JSON to the receivers that an administrator has named: over
// HTTPS, to that address and nowhere else, signed where there is a secret. What is
// posted, and when again, is its callers' matter.
package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Bounds, bytes.
const (
	maxCA     = 64 << 10
	maxAnswer = 64 << 10 // of an answer's body, which nobody reads
)

// Receiver is where to post to.
type Receiver struct {
	URL    string
	Secret string // "": not signed
	CA     string // PEM; "": the usual ones

	client *http.Client
}

// Roots returns the authorities of a PEM text; nil, the usual ones, for "".
func Roots(ca string) (*x509.CertPool, error) {
	if ca == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if len(ca) > maxCA || !pool.AppendCertsFromPEM([]byte(ca)) {
		return nil, errors.New("ca: no certificate in PEM form")
	}
	return pool, nil
}

// Open makes r ready to Post.
func (r *Receiver) Open() error {
	pool, err := Roots(r.CA)
	if err != nil {
		return err
	}
	r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, DisableKeepAlives: true},
		// What is sent goes where the administrator said, nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

// Post sends body. With a secret, its HMAC-SHA256 goes along in the header
// X-Wirepatch-Signature, as "sha256=" and hexadecimal digits. An answer other
// than 2xx is an error.
func (r *Receiver) Post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if r.Secret != "" {
		mac := hmac.New(sha256.New, []byte(r.Secret))
		mac.Write(body)
		req.Header.Set("X-Wirepatch-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection ends well
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answers %s", resp.Status)
	}
	return nil
}

// Close gives back what Open took.
func (r *Receiver) Close() { r.client.CloseIdleConnections() }
