package check

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// TestAsk asks real servers: one that speaks first, HTTP, HTTPS, and ones that
// say nothing of use.
func TestAsk(t *testing.T) {
	var asked []string
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		w.Header().Set("Server", "nginx/1.22.1")
	})
	plain, secure := httptest.NewServer(front), httptest.NewTLSServer(front)
	defer plain.Close()
	defer secure.Close()
	for _, v := range []struct{ at, protocol, software string }{
		{plain.Listener.Addr().String(), "http", "nginx 1.22.1"},
		{secure.Listener.Addr().String(), "http", "nginx 1.22.1"},
		{speak(t, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"), "ssh", "OpenSSH 9.2p1 Debian-2+deb12u3"},
		{speak(t, "\x00\xff nothing that anybody knows \x00\x01"), "", ""},
		{speak(t, ""), "", ""},
		{speak(t, strings.Repeat("HTTP/1.1 200 OK\r\nX: y\r\n", 5000)), "http", ""},
	} {
		f, err := Ask(t.Context(), netip.MustParseAddrPort(v.at))
		got := ""
		for _, s := range f.Software {
			got = strings.TrimSpace(got + " " + s.Name + " " + s.Version)
		}
		if f.Protocol != v.protocol || got != v.software || (err != nil) != (v.protocol == "") {
			t.Errorf("%s: %q, %q, %v; want %q, %q", v.at, f.Protocol, got, err, v.protocol, v.software)
		}
	}
	for _, a := range asked {
		if a != "HEAD /" {
			t.Errorf("the server was asked %q", a)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Ask(t.Context(), netip.MustParseAddrPort(l.Addr().String())); err == nil {
		t.Error("nobody listens, and there is an answer")
	}
}

func speak(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, text)
			c.Close()
		}
	}()
	return l.Addr().String()
}
