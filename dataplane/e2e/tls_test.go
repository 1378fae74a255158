package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

const tlsSettings = `
[service four]
address = 10.77.0.2
port = 443
protocol = tls
[service six]
address = fd77::2
port = 443
protocol = tls
[service datagrams]
address = 10.77.0.2
port = 4433
protocol = dtls
[service datagrams six]
address = fd77::2
port = 4433
protocol = dtls
`

// startTLS starts a server of OpenSSL in the server's namespace.
func startTLS(t *testing.T, n *netns.NS, accept string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	run(t, exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a.test", "-keyout", key, "-out", cert))
	all := append([]string{"s_server", "-accept", accept, "-cert", cert, "-key", key}, args...)
	// What it says of being ready goes to its standard output; what it reads goes to
	// a client of DTLS.
	c := exec.Command("sh", append([]string{"-c", `exec openssl "$@" >&2`, "openssl"}, all...)...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "an answer\n"); err != nil {
		t.Fatal(err)
	}
	return startProcess(t, n, c, "ACCEPT")
}

func run(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
	return string(out)
}

// client runs a client of OpenSSL, which says something and waits for the answer.
func opensslClient(t *testing.T, n *netns.NS, say, until string, args ...string) string {
	t.Helper()
	c := exec.Command("openssl", append([]string{"s_client", "-servername", "a.test"}, args...)...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	if err := n.Start(c); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { c.Process.Kill() })
	defer kill.Stop()
	done := make(chan error, 1)
	go func() { done <- c.Wait(); w.Close() }()
	if _, err := io.WriteString(in, say); err != nil {
		t.Error(err)
	}
	var all strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := out.Read(buf)
		all.Write(buf[:n])
		if strings.Contains(all.String(), until) {
			in.Close()
		}
		if err != nil {
			break
		}
	}
	<-done
	if !strings.Contains(all.String(), until) {
		t.Errorf("openssl s_client %s lacks %q:\n%s", strings.Join(args, " "), until, all.String())
	}
	return all.String()
}

// TestTLSIsIdentical: sessions of a real client with a real server cross bit for bit.
func TestTLSIsIdentical(t *testing.T) {
	b := newBoxWith(t, "tcx", tlsSettings, only(t, "WP-2014-0160", "WP-2014-0160-dtls", "WP-2022-29190"))
	off := func(name string) error { return netns.Features(name, false, netns.Offloads...) }
	b.Ends(t, off)
	b.Ports(t, off)
	for _, host := range []string{"10.77.0.2", "[fd77::2]"} {
		startTLS(t, b.Server, host+":443", "-www")
		startTLS(t, b.Server, host+":4433", "-dtls")
	}
	client, server := netns.NewCapture(t, b.Client, "c0"), netns.NewCapture(t, b.Server, "s0")
	for _, host := range []string{"10.77.0.2", "[fd77::2]"} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			opensslClient(t, b.Client, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 ok", "-connect", host+":443", version)
		}
		opensslClient(t, b.Client, "a question\n", "an answer", "-connect", host+":4433", "-dtls1_2")
	}
	identical(t, client, server, hostFrames)
	if st := b.status(t).Sessions; st.Edited != 0 || st.Dropped != 0 || st.Reset != 0 || st.Passed != 0 || st.Total != 6 || st.Flows != 2 {
		t.Errorf("sessions = %+v; want 6, two of them of datagrams, none edited", st)
	}
}

// TestHeartbleed: a server that would end the session at a heartbeat never gets
// the one that does not fit, and the handshake behind it succeeds.
func TestHeartbleed(t *testing.T) {
	b := newBoxWith(t, "tcx", tlsSettings, only(t, "WP-2014-0160"))
	for _, host := range []string{"10.77.0.2", "[fd77::2]"} {
		startTLS(t, b.Server, host+":443", "-www")
		for name, beat := range map[string]string{"bad": "\x18\x03\x02\x00\x03\x01\x40\x00", "good": "\x18\x03\x02\x00\x13\x01\x00\x00pppppppppppppppp"} {
			var c net.Conn
			b.Client.Must(t, func() (err error) {
				c, err = net.DialTimeout("tcp", host+":443", patience)
				return err
			})
			c.SetDeadline(time.Now().Add(patience))
			for _, x := range []byte(beat) { // in as many segments as the kernel likes
				if _, err := c.Write([]byte{x}); err != nil {
					t.Fatal(err)
				}
			}
			err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake()
			c.Close() // the server has one client at a time
			if ok := err == nil; ok != (name == "bad") || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, a %s heartbeat: handshake %v; want it to succeed only where the heartbeat was taken out", host, name, err)
			}
		}
	}
	e := b.event(t, "correction", "WP-2014-0160: remove client.heartbeat")
	if e.Evidence == nil || string(e.Evidence.Before) != "\x18\x03\x02\x00\x03\x01\x40\x00" || len(e.Evidence.After) != 0 {
		t.Errorf("event = %+v, evidence %+v; want the heartbeat that was taken out", e, e.Evidence)
	}
}
