package out

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/hook"
	"wirepatch/mgmt/wire"
)

// sendTime is how long a receiver may take.
const sendTime = 15 * time.Second

// maxDatagram is what a receiver of syslog over UDP should take.
const maxDatagram = 2048

func (o Output) dial(ctx context.Context, host func() string) (link, error) {
	if o.Kind == "webhook" {
		w := &webhook{host, hook.Receiver{URL: o.Target, Secret: o.Secret, CA: o.CA}}
		return w, w.to.Open()
	}
	pool, err := hook.Roots(o.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
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
	host func() string
	to   hook.Receiver
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
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return w.to.Post(ctx, body)
}

func (w *webhook) close() { w.to.Close() }
