package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/netip"
	"os"
	"time"
)

// certificate is the management page's, which mgmt makes at first start.
const certificate = mgmtFolder + "/cert.pem"

// watch says on the console when the wire forwards and where the page is. Who
// sets up the box, and tests, wait for these two lines.
func (b *box) watch(ctx context.Context) {
	forwarding, page := false, ""
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if !forwarding {
			if s, err := wireStatus(ctx); err == nil && attached(s) {
				forwarding = true
				b.journal.Logf("forwarding, %.2f s after power-on", uptime().Seconds())
			}
		}
		if now := b.page(); now != "" && now != page {
			page = now
			b.journal.Logf("management %s", page)
		}
		if forwarding && page != "" {
			// From here on only the address or the certificate can change.
			t.Reset(5 * time.Second)
		}
	}
}

// page is the management page's address and its certificate's fingerprint, ""
// while one of them is missing.
func (b *box) page() string {
	b.published.mu.Lock()
	a, err := netip.ParsePrefix(b.published.management.Address)
	b.published.mu.Unlock()
	f := fingerprint()
	if err != nil || f == "" {
		return ""
	}
	host := a.Addr().String()
	if a.Addr().Is6() {
		host = "[" + host + "]"
	}
	return "https://" + host + "  certificate SHA-256 " + f
}

// fingerprint is the SHA-256 of the certificate, hexadecimal. The file is in a
// folder that mgmt writes, so it is read as a stranger's: no link followed, no
// more than it should be.
func fingerprint() string {
	f, err := os.OpenFile(certificate, os.O_RDONLY|openNoFollow, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return ""
	}
	p, _ := pem.Decode(text)
	if p == nil || p.Type != "CERTIFICATE" {
		return ""
	}
	h := sha256.Sum256(p.Bytes)
	return hex.EncodeToString(h[:])
}
