// Package check asks a server which product and version it is: one connection
// from the management port, nothing sent but, where the server does not speak
// first, a request for the head of its front page. It tries out no vulnerability.
// What may be asked, and by whose leave, is the caller's matter.
package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"wirepatch/dataplane/banner"
)

// Bounds of one check.
const (
	dialTime  = 5 * time.Second
	firstTime = 2 * time.Second // for the server to speak first
	wholeTime = 15 * time.Second
)

// Ask asks the server at an address. Over TLS its certificate is not verified:
// who answers is told by the address alone, as on the wire.
func Ask(ctx context.Context, at netip.AddrPort) (banner.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	f, err := ask(ctx, at, false)
	if f.Protocol == "" || f.Protocol == "http" && len(f.Software) == 0 { // which a server of HTTPS says, too
		if over, tlsErr := ask(ctx, at, true); tlsErr == nil && over.Protocol != "" {
			return over, nil
		}
	}
	if err == nil && f.Protocol == "" {
		err = fmt.Errorf("%s said nothing that is known here", at)
	}
	return f, err
}

func ask(ctx context.Context, at netip.AddrPort, secure bool) (f banner.Finding, err error) {
	d := net.Dialer{Timeout: dialTime}
	c, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return f, err
	}
	defer c.Close()
	end, _ := ctx.Deadline()
	if secure {
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		if err := t.HandshakeContext(ctx); err != nil {
			return f, err
		}
		c = t
	} else if f = listen(c, at.Port(), time.Now().Add(firstTime), nil); f.Protocol != "" {
		return f, nil
	}
	if _, err := fmt.Fprintf(c, "HEAD / HTTP/1.1\r\nHost: %s\r\nUser-Agent: wirepatch-check\r\nConnection: close\r\n\r\n", at); err != nil {
		return f, err
	}
	return listen(c, at.Port(), end, &err), err
}

// listen reads until what was said tells all, or nothing more comes.
func listen(c net.Conn, port uint16, until time.Time, failed *error) (f banner.Finding) {
	_ = c.SetReadDeadline(until) // where it cannot be set the context ends the connection
	said := make([]byte, 0, banner.MaxSaid)
	for len(said) < cap(said) {
		n, err := c.Read(said[len(said):cap(said)])
		said = said[:len(said)+n]
		more := len(said) == 0
		if len(said) > 0 {
			f, more = banner.Identify(port, said)
		}
		if err != nil && failed != nil && f.Protocol == "" && !errors.Is(err, io.EOF) {
			*failed = err
		}
		if err != nil || !more {
			return f
		}
	}
	return f
}
