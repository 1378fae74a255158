package lab

import (
	"bytes"
	"net/netip"
	"sync"
)

const (
	recordBytes    = 64 << 10 // of one direction
	recordSessions = 32
)

// records keeps the beginnings of the latest sessions as the server host saw
// them.
type records struct {
	mu     sync.Mutex
	latest []*record // oldest first
}

type record struct {
	client         netip.AddrPort
	received, sent []byte
}

// tap returns s, noting what is written to it (received by the server) and
// read from it.
func (r *records) tap(s stream, client netip.AddrPort) stream {
	rec := &record{client: client}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = append(r.latest, rec)
	if len(r.latest) > recordSessions {
		r.latest = r.latest[1:]
	}
	return tapped{s, r, rec}
}

func (r *records) find(client netip.AddrPort) (received, sent []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.latest) - 1; i >= 0; i-- {
		if rec := r.latest[i]; rec.client == client {
			return bytes.Clone(rec.received), bytes.Clone(rec.sent)
		}
	}
	return nil, nil
}

func (r *records) note(to *[]byte, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*to = append(*to, b[:min(len(b), recordBytes-len(*to))]...)
}

type tapped struct {
	stream
	all *records
	rec *record
}

func (t tapped) Write(b []byte) (int, error) {
	t.all.note(&t.rec.received, b)
	return t.stream.Write(b)
}

func (t tapped) Read(b []byte) (int, error) {
	n, err := t.stream.Read(b)
	t.all.note(&t.rec.sent, b[:n])
	return n, err
}
