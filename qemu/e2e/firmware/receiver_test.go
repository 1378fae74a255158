package firmware

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/mgmt/audit"
)

// receiver is a webhook's other end: an HTTPS server on this computer, with a
// certificate of its own, that goes away and comes back.
type receiver struct {
	*testing.T
	ca      string // its certificate, PEM
	secret  string
	address string
	tls     *tls.Config
	server  *http.Server

	mu   sync.Mutex
	got  []audit.Entry
	news chan struct{} // closed when there is more
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// What QEMU's network calls this computer.
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{{10, 0, 2, 2}}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{T: t, ca: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), secret: rand.Text(), address: "127.0.0.1:0", news: make(chan struct{}),
		tls: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}}
	r.back()
	t.Cleanup(r.away)
	return r
}

// url is its address as a machine sees it.
func (r *receiver) url() string {
	_, port, _ := strings.Cut(r.address, ":")
	return "https://10.0.2.2:" + port + "/hook"
}

// back has it answer, at the address that it had before.
func (r *receiver) back() {
	r.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.Fatal(err)
	}
	r.address = l.Addr().String()
	r.server = &http.Server{Handler: r, TLSConfig: r.tls, ErrorLog: log.New(io.Discard, "", 0)}
	go r.server.ServeTLS(l, "", "")
}

func (r *receiver) away() { r.server.Close() }

// ServeHTTP takes a batch whose signature is right.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	mac := hmac.New(sha256.New, []byte(r.secret))
	mac.Write(body)
	if err != nil || req.Header.Get("X-Wirepatch-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		http.Error(w, "not signed", http.StatusForbidden)
		return
	}
	var batch struct{ Audit []audit.Record }
	if err := json.Unmarshal(body, &batch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range batch.Audit {
		if e, err := rec.Entry(); err == nil {
			r.got = append(r.got, e)
		}
	}
	close(r.news)
	r.news = make(chan struct{})
}

// wants waits until a record has come of that action and outcome, with a text in its
// object or detail.
func (r *receiver) wants(action, outcome, text string) {
	r.Helper()
	end := time.After(patience)
	for {
		r.mu.Lock()
		had, news := fmt.Sprintf("%+v", r.got), r.news
		for _, e := range r.got {
			if e.Action == action && e.Outcome == outcome && strings.Contains(e.Object+" "+e.Detail, text) {
				r.mu.Unlock()
				return
			}
		}
		r.mu.Unlock()
		select {
		case <-news:
		case <-end:
			r.Fatalf("the webhook was told %s; want %s, %s, with %q", had, action, outcome, text)
		}
	}
}
