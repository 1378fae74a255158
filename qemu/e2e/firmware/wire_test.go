package firmware

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"time"

	"wirepatch/qemu/lab"
)

// cable plugs a client and a server into the machine's wire ports, each time
// that it is switched on. The server says what it was asked.
func (m *machine) cable() *lab.Lab {
	m.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "asked for "+r.URL.Path) }))
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

// busy asks the server behind the box again and again in one session while do runs,
// and wants each answer. Nothing is corrected in it: a box that is emulated on a busy
// computer may be without its engine for moments, and then the wire is open. That
// corrections go on, too, dataplane/e2e tests.
func (m *machine) busy(l *lab.Lab, do func()) {
	m.Helper()
	c, err := l.Client.Dial(m.Context(), lab.Service4)
	if err != nil {
		m.Fatal(err)
	}
	defer c.Close()
	stop, ended := make(chan struct{}), make(chan error, 1)
	n := 0
	go func() {
		for r := bufio.NewReader(c); ; n++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := exchange(c, r, n); err != nil {
				ended <- fmt.Errorf("request %d of a busy session: %w", n, err)
				return
			}
		}
	}()
	do()
	close(stop)
	if err := <-ended; err != nil {
		m.Error(err)
	}
	m.Logf("%d requests of one session meanwhile", n)
}

// exchange is one request and its answer.
func exchange(c net.Conn, r *bufio.Reader, n int) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n); err != nil {
		return err
	}
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	if want := fmt.Sprintf("asked for /%d", n); err == nil && string(got) != want {
		err = fmt.Errorf("the answer is %q; want %q", got, want)
	}
	return err
}

// wantThrough wants a request to come through the box, tried until the machine
// has had its time: one may fail at once, while a port has no link.
func (m *machine) wantThrough(l *lab.Lab) {
	m.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Client.Dial(ctx, lab.Service4) }}}
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		r, err := client.Get("http://" + lab.Service4.String() + "/")
		if err == nil {
			r.Body.Close()
			return
		}
		last = err
	}
	m.Fatalf("nothing comes through the box: %v", last)
}
