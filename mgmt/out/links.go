package out

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/wire"
)

// sendTime is how long a receiver may take.
const sendTime = 15 * time.Second

// maxDatagram is what a receiver of syslog over UDP should take.
const maxDatagram = 2048

// roots are the authorities that may have signed a receiver's certificate.
func roots(ca string) (*x509.CertPool, error) {
	if ca == "" {
		return nil, nil // the system's
	}
	pool := x509.NewCertPool()
	if len(ca) > 64<<10 || !pool.AppendCertsFromPEM([]byte(ca)) {
		return nil, fmt.Errorf("%w: ca: no certificate in PEM", ErrInput)
	}
	return pool, nil
}

func (o Output) dial(ctx context.Context, host func() string) (link, error) {
	pool, err := roots(o.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	if o.Kind == "webhook" {
		return &webhook{o, host, &http.Client{Timeout: sendTime, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
			// What is sent goes where the administrator said, nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	var c net.Conn
	if o.Kind == "tls" {
		c, err = (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", o.Target)
	} else {
		c, err = (&net.Dialer{}).DialContext(ctx, o.Kind, o.Target)
	}
	if err != nil {
		return nil, err
	}
	return &syslog{o, host, c}, nil
}

// syslog is a connection to a syslog receiver.
type syslog struct {
	Output
	host func() string
	conn net.Conn
}

func (s *syslog) send(_ context.Context, all []message) error {
	host := s.host()
	s.conn.SetDeadline(time.Now().Add(sendTime))
	var stream bytes.Buffer
	for _, m := range all {
		if s.Format == EVE && (m.record == nil || m.record.Evidence == nil) {
			continue
		}
		text := m.syslogLine(host, s.Format)
		if s.Kind == "udp" {
			if _, err := s.conn.Write(text[:min(len(text), maxDatagram)]); err != nil {
				return err
			}
			continue
		}
		// Octet counting (RFC 5425, RFC 6587).
		stream.WriteString(strconv.Itoa(len(text)) + " ")
		stream.Write(text)
	}
	if stream.Len() == 0 {
		return nil
	}
	if err := s.alive(); err != nil {
		return err
	}
	_, err := s.conn.Write(stream.Bytes())
	return err
}

// alive finds out whether a stream's receiver has hung up: syslog itself has no
// answer, and the first write after that would seem to succeed.
func (s *syslog) alive() error {
	if s.Kind == "udp" {
		return nil
	}
	s.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	defer s.conn.SetReadDeadline(time.Time{})
	_, err := s.conn.Read(make([]byte, 256))
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the receiver has hung up")
	}
	return err
}

func (s *syslog) close() { s.conn.Close() }

// webhook posts batches; the receiver answers 2xx when it has them.
type webhook struct {
	Output
	host   func() string
	client *http.Client
}

// Batch is the body of a webhook.
type Batch struct {
	Host   string         `json:"host"`
	Events []wire.Record  `json:"events"`
	Audit  []audit.Record `json:"audit"`
	Lost   uint64         `json:"lost"` // records given up before
}

func (w *webhook) send(ctx context.Context, all []message) error {
	b := Batch{Host: w.host(), Events: []wire.Record{}, Audit: []audit.Record{}}
	for _, m := range all {
		switch {
		case m.record != nil:
			b.Events = append(b.Events, *m.record)
		case m.audit != nil:
			b.Audit = append(b.Audit, *m.audit)
		default:
			n, _ := strconv.ParseUint(m.fields[0][1], 10, 64)
			b.Lost += n
		}
	}
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if w.Secret != "" {
		mac := hmac.New(sha256.New, []byte(w.Secret))
		mac.Write(body)
		req.Header.Set("X-Wirepatch-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answers %s", resp.Status)
	}
	return nil
}

func (w *webhook) close() { w.client.CloseIdleConnections() }
