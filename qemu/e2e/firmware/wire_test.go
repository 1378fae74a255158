package firmware

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"time"

	"wirepatch/qemu/lab"
)

// cable plugs a client and a server into the machine's wire ports, each time
// that it is switched on.
func (m *machine) cable() *lab.Lab {
	m.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("from behind the box")) }))
	m.Cleanup(s.Close)
	l, err := lab.New(s.Listener.Addr().String())
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(l.Close)
	for name, side := range map[*string]*lab.Host{&m.config.WireA: l.Client, &m.config.WireB: l.Server} {
		*name = filepath.Join(m.config.Dir, "wire-a")
		if side == l.Server {
			*name = filepath.Join(m.config.Dir, "wire-b")
		}
		ln, err := net.Listen("unix", *name)
		if err != nil {
			m.Fatal(err)
		}
		m.Cleanup(func() { ln.Close() })
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				side.Plug(m.Context(), c, nil)
			}
		}()
	}
	return l
}

// wantThrough wants a request to come through the box, tried until the machine
// has had its time.
func (m *machine) wantThrough(l *lab.Lab) {
	m.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Client.Dial(ctx, lab.Service4) }}}
	var errs error
	for range 10 {
		r, err := client.Get("http://" + lab.Service4.String() + "/")
		if err == nil {
			r.Body.Close()
			return
		}
		errs = errors.Join(errs, err)
	}
	m.Fatalf("nothing comes through the box: %v", errs)
}
