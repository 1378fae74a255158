package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"wirepatch/dataplane/control"
)

// certificate is the management page's, which mgmt makes at first start.
const certificate = mgmtFolder + "/cert.pem"

// watch says on the console when the wire forwards and where the page is. Who
// sets up the box, and tests, wait for these two lines.
func (b *box) watch(ctx context.Context) {
	forwarding, inspecting, page := b.hasForwarded(), b.hasInspected(), ""
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		b.pulse.beat()
		alive, s := b.lookAtWire(ctx)
		if !forwarding && (alive.Attached || s != nil && attached(s)) {
			forwarding = true
			close(b.forwarding)
			b.journal.Logf("forwarding, %.2f s after power-on", uptime().Seconds())
		}
		if !inspecting && s != nil && attached(s) {
			inspecting = true
			close(b.inspecting)
			b.journal.Logf("inspecting, %.2f s after power-on", uptime().Seconds())
		}
		if now := b.page(); now != "" && now != page {
			page = now
			b.journal.Logf("management %s", page)
		}
		if inspecting && page != "" {
			// From here on only the address or the certificate can change.
			t.Reset(5 * time.Second)
		}
	}
}

// beat shows signs of life where there is no wire to watch.
func (b *box) beat(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		b.pulse.beat()
	}
}

// testingMost is how long the definitions' tests count as a sign of life: far
// longer than thousands of them take on a slow processor.
const testingMost = 30 * time.Minute

// lookAtWire asks the dataplane how it is; s is nil while it does not answer, or
// tests its definitions.
func (b *box) lookAtWire(ctx context.Context) (alive control.Alive, s *control.Status) {
	alive, err := wireAlive(ctx)
	if err == nil && alive.Testing {
		if time.Since(b.started) < testingMost {
			b.pulse.wireBeat()
		}
		return alive, nil
	}
	s, err = wireStatus(ctx)
	if err != nil {
		return alive, nil
	}
	b.pulse.wireBeat()
	return alive, s
}

func (b *box) hasForwarded() bool { return closedAlready(b.forwarding) }

func (b *box) hasInspected() bool { return closedAlready(b.inspecting) }

func closedAlready(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// page is the management page's address and its certificate's fingerprint, ""
// while it is not served or has no address.
func (b *box) page() string {
	b.published.mu.Lock()
	a, err := netip.ParsePrefix(b.published.management.Address)
	b.published.mu.Unlock()
	if err != nil || !serving() {
		return ""
	}
	f := fingerprint()
	if f == "" {
		return ""
	}
	host := a.Addr().String()
	if a.Addr().Is6() {
		host = "[" + host + "]"
	}
	return "https://" + host + "  certificate SHA-256 " + f
}

// serving says whether something listens on the page's port. Asking the kernel
// rather than connecting keeps half-open connections out of mgmt's log.
func serving() bool {
	for _, table := range []string{"/proc/net/tcp6", "/proc/net/tcp"} {
		text, err := os.ReadFile(table)
		if err == nil && listens(string(text), pagePort) {
			return true
		}
	}
	return false
}

// listens looks for a listening socket in the kernel's table of TCP sockets:
// Documentation/networking/proc_net_tcp.rst.
func listens(table string, port int) bool {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			return true
		}
	}
	return false
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
