package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

const tftpSettings = `
[service four]
address = 10.77.0.2
port = 69
protocol = tftp
[service six]
address = fd77::2
port = 69
protocol = tftp
[service instances]
address = 10.77.0.2
port = 1434
protocol = mssql-resolution
`

// listensUDP waits until something listens on a UDP port of a namespace.
func listensUDP(t *testing.T, n *netns.NS, port int) {
	t.Helper()
	want := fmt.Sprintf(":%04X ", port)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		found := false
		n.Must(t, func() error {
			for _, name := range []string{"udp", "udp6"} {
				text, err := os.ReadFile("/proc/thread-self/net/" + name)
				if err != nil {
					return err
				}
				found = found || strings.Contains(string(text), want)
			}
			return nil
		})
		if found {
			return
		}
	}
	t.Fatalf("nothing listens on UDP port %d", port)
}

// TestTFTP has real clients fetch files from a real server, with requests that a
// definition corrects and others.
func TestTFTP(t *testing.T) {
	for _, host := range []string{"10.77.0.2", "fd77::2"} {
		t.Run(host, func(t *testing.T) {
			b := newBoxWith(t, "tcx", tftpSettings, "testdata/datagrams")
			dir, out := t.TempDir(), t.TempDir()
			for name, size := range map[string]int64{"plain.bin": 70001, "new.bin": 512, "secret.bin": 100} {
				writeFile(t, filepath.Join(dir, name), content(size), size)
			}
			os.Chmod(dir, 0o755)
			at := host
			if strings.Contains(host, ":") {
				at = "[" + host + "]"
			}
			server := exec.Command("in.tftpd", "--listen", "--foreground", "--user", "root", "--address", at+":69", "--secure", dir)
			if err := b.Server.Start(server); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Process.Kill(); server.Wait() })
			listensUDP(t, b.Server, 69)
			fetch := func(name, like string, fails string) {
				t.Helper()
				local := filepath.Join(out, name)
				os.Remove(local)
				c := exec.Command("atftp", "--get", "--remote-file", name, "--local-file", local, host, "69")
				var says bytes.Buffer
				c.Stdout, c.Stderr = &says, &says
				err := b.Client.Start(c)
				if err == nil {
					err = c.Wait()
				}
				if fails != "" {
					if !strings.Contains(says.String(), fails) {
						t.Errorf("%s: %v, %q; want %q", name, err, says.String(), fails)
					}
					return
				}
				got, _ := os.ReadFile(local)
				want, _ := os.ReadFile(filepath.Join(dir, like))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %v, %d bytes (%s); want the %d of %s", name, err, len(got), says.String(), len(want), like)
				}
			}
			fetch("plain.bin", "plain.bin", "")
			fetch("old.bin", "new.bin", "")
			fetch("secret.bin", "", "Access violation")
			if got := curl(t, b.Client, "tftp://"+at+"/plain.bin"); len(got) != 70001 {
				t.Errorf("curl got %d bytes; want 70001", len(got))
			}
			if s := b.status(t).Sessions; s.Edited != 1 || s.Replied != 1 || s.Flows < 4 {
				t.Errorf("sessions = %+v; want one flow edited, one answered by us, at least 4 in all", s)
			}
		})
	}
}

// TestSlammer: what the worm sends does not arrive, what a client sends does.
func TestSlammer(t *testing.T) {
	b := newBoxWith(t, "tcx", tftpSettings, only(t, "WP-2002-0649"))
	got := listenUDP(t, b.Server, "10.77.0.2:1434")
	c := dialUDP(t, b.Client, "10.77.0.2:1434")
	for _, text := range []string{"\x04" + strings.Repeat("\x01", 375), "\x04MSSQLSERVER\x00", "\x04" + strings.Repeat("x", 40000), "\x03"} {
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"\x04MSSQLSERVER\x00", "\x03"} {
		select {
		case p := <-got:
			if string(p) != want {
				t.Errorf("the server got %.40q; want %q", p, want)
			}
		case <-time.After(patience):
			t.Fatalf("%q did not arrive", want)
		}
	}
	if e := b.event(t, "correction", "WP-2002-0649: drop request"); !strings.HasSuffix(e.Server, ":1434") {
		t.Errorf("event = %+v; want the server's port", e)
	}
	if s := b.status(t).Sessions; s.Dropped != 2 {
		t.Errorf("%d dropped; want 2, one of them of fragments", s.Dropped)
	}
}
