package web

import (
	"net"
	"strings"

	"wirepatch/mgmt/browser"
)

// serveTLS serves the lab's site on loopback and polls its dataplane.
func (l *lab) serveTLS() (url string) {
	l.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	srv := l.site.Server()
	go srv.ServeTLS(ln, "", "")
	l.Cleanup(func() { srv.Close() })
	return "https://" + ln.Addr().String()
}

// looker is a browser at a lab's page.
type looker struct {
	*lab
	*browser.Browser
}

// browser opens Chromium for the lab's page at base.
func (l *lab) browser(base string) looker {
	l.Helper()
	return looker{l, browser.Open(l, strings.TrimPrefix(base, "https://"), strings.ToLower(strings.ReplaceAll(l.cert.Fingerprint, ":", "")))}
}
