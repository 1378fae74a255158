package web

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestTLS(t *testing.T) {
	l := newLab(t)
	url := l.serveTLS()
	addr := strings.TrimPrefix(url, "https://")
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
		resp, err := (&http.Client{Transport: tr}).Get(url + "/setup")
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
