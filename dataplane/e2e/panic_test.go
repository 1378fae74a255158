package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/internal/build"
)

const failingSettings = `
[service web]
address = 10.77.0.2
port = 80
[service resets]
address = 10.77.0.2
port = 81
protocol = failing
exceed = reset
[service passes]
address = 10.77.0.2
port = 8080
protocol = failing
exceed = pass
`

// keptOpen is a session that a test has several exchanges over.
type keptOpen struct {
	net.Conn
	r *bufio.Reader
}

// dialWeb opens one to the server.
func (b *box) dialWeb(t *testing.T, port string) *keptOpen {
	t.Helper()
	var c net.Conn
	b.Client.Must(t, func() (err error) {
		c, err = net.Dial("tcp4", "10.77.0.2:"+port)
		return err
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * patience))
	return &keptOpen{c, bufio.NewReader(c)}
}

// ask sends one request and returns the answer's body.
func (c *keptOpen) ask(fields string) (string, error) {
	if _, err := io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestDecoderPanics: a decoder with a fault costs the session that meets it, by
// the service's policy, and nothing else: not the program, not other sessions,
// not those of the same service.
func TestDecoderPanics(t *testing.T) {
	plain := program
	defer func() { program = plain }()
	var err error
	if program, err = build.Dataplane(t.Context(), t.TempDir(), "-tags", "failingdecoder"); err != nil {
		t.Fatal(err)
	}
	b := newBoxWith(t, "tcx", failingSettings, "testdata/definitions")
	startNginx(t, b.Server)
	web, beside := b.dialWeb(t, "80"), b.dialWeb(t, "81")
	well := func(c *keptOpen, what string) {
		t.Helper()
		if got, err := c.ask("X-Removed: gone\r\nX-Kept: here\r\n"); err != nil || got != "removed=[] kept=[here]\n" {
			t.Errorf("%s: %q, %v; want a corrected answer", what, got, err)
		}
	}
	well(web, "another service, before")
	well(beside, "another session, before")

	if got, err := b.dialWeb(t, "81").ask("X-Panic: yes\r\n"); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("policy reset: %q, %v; want a reset", got, err)
	}
	passed := b.dialWeb(t, "8080")
	well(passed, "policy pass, before")
	for range 2 { // what is passed is not inspected any more
		if got, err := passed.ask("X-Panic: yes\r\nX-Removed: stays\r\n"); err != nil || got != "removed=[stays] kept=[]\n" {
			t.Errorf("policy pass: %q, %v; want what the server says", got, err)
		}
	}
	b.event(t, "reset", "decoder failed")
	b.event(t, "passed", "decoder failed")

	well(web, "another service, behind")
	well(beside, "another session, behind")
	well(b.dialWeb(t, "81"), "a new session")
	if st := b.status(t).Sessions; st.Reset != 1 || st.Passed != 1 {
		t.Errorf("sessions = %+v; want one reset, one passed", st)
	}
}
