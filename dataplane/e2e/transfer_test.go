package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// content is n bytes that no compression or coincidence can stand in for.
func content(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{7}), n) }

func sum(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestLargeFileIsTheSame(t *testing.T) { eachWay(t, testLargeFileIsTheSame) }

func testLargeFileIsTheSame(t *testing.T, attach string) {
	const size = 100 << 20
	b := newBoxBy(t, attach)
	dir := startNginx(t, b.Server)
	writeFile(t, filepath.Join(dir, "big"), content(size), size)
	want := sum(t, content(size))
	download := func(name, url string) {
		if got := sha256of(curl(t, b.Client, url)); got != want {
			t.Errorf("%s: SHA-256 = %s; want %s", name, got, want)
		}
	}
	download("IPv4", "http://10.77.0.2/big")
	download("IPv6", "http://[fd77::2]/big")
	download("unprotected", "http://10.77.0.2:8080/big")
	curl(t, b.Client, "-f", "-H", "X-Removed: so that the upload's numbers are shifted", "-T", filepath.Join(dir, "big"), "http://10.77.0.2/put/up")
	if got := sumFile(t, filepath.Join(dir, "put", "up")); got != want {
		t.Errorf("upload: SHA-256 = %s; want %s", got, want)
	}
	b.Tag(t, 42)
	download("VLAN", "http://10.77.0.2/big")
	b.AsOnWire(t)
	download("VLAN, every checksum verified", "http://10.77.0.2/big")
	s := b.status(t)
	if s.Sessions.Passed != 0 || s.Sessions.Reset != 0 || s.Sessions.Total != 5 {
		t.Errorf("sessions = %+v; want 5, none passed or reset", s.Sessions)
	}
	// The body of four downloads comes in at port b, of one upload at port a.
	for i, p := range s.Ports {
		if p.HandedUp > p.Carried/4 {
			t.Errorf("port %d: %d packets of bodies carried in the kernel, %d handed up; want most carried", i, p.Carried, p.HandedUp)
		}
	}
}

func sumFile(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return sum(t, f)
}

func sha256of(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// fetch is a download that is under way.
type fetch struct {
	cmd  *exec.Cmd
	body io.Reader
	head []byte
}

// startFetch starts a slow download and returns once its first bytes are here.
func startFetch(t *testing.T, n *netns.NS, url string) *fetch {
	t.Helper()
	c := exec.Command("curl", "-sS", "--noproxy", "*", "--max-time", "120", "--limit-rate", "20M", url)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := n.Start(c); err != nil {
		t.Fatal(err)
	}
	f := &fetch{cmd: c, body: out, head: make([]byte, 1<<16)}
	if _, err := io.ReadFull(out, f.head); err != nil {
		t.Fatalf("download %s: %v", url, err)
	}
	return f
}

// finish reads the rest and compares.
func (f *fetch) finish(t *testing.T, what, want string) {
	t.Helper()
	got := sum(t, io.MultiReader(strings.NewReader(string(f.head)), f.body))
	if err := f.cmd.Wait(); err != nil {
		t.Errorf("%s: curl: %v", what, err)
	}
	if got != want {
		t.Errorf("%s: SHA-256 = %s; want %s", what, got, want)
	}
}

// TestKilledInMidFlow kills the process while downloads run: one that it never
// sees, one of a fail-open service. Both go on, and go on when it is back.
func TestKilledInMidFlow(t *testing.T) { eachWay(t, testKilledInMidFlow) }

func testKilledInMidFlow(t *testing.T, attach string) {
	const size = 40 << 20
	b := newBoxBy(t, attach)
	dir := startNginx(t, b.Server)
	writeFile(t, filepath.Join(dir, "big"), content(size), size)
	want := sum(t, content(size))
	unprotected := startFetch(t, b.Client, "http://10.77.0.2:8080/big")
	open := startFetch(t, b.Client, "http://10.77.0.2/big")
	before := b.status(t)
	b.process.end(t, syscall.SIGKILL)
	if got := curl(t, b.Client, "http://10.77.0.2:8080/plain"); got != "plain\n" {
		t.Errorf("unprotected request without the process = %q; want %q", got, "plain\n")
	}
	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "the server has seen it\n" {
		t.Errorf("fail-open request without the process = %q; want it to reach the server", got)
	}
	refused(t, b, "http://10.77.0.2:81/plain")
	b.start(t)
	after := b.status(t)
	if after.Instance == before.Instance || after.Ports[0].RxPackets < before.Ports[0].RxPackets || after.Ports[0].Dropped == 0 {
		t.Errorf("after the restart: instance %s, port %+v; before: %s, %+v; want another instance, counters that go on", after.Instance, after.Ports[0], before.Instance, before.Ports[0])
	}
	if got := curl(t, b.Client, "http://10.77.0.2/refused", "http://10.77.0.2:81/refused"); got != strings.Repeat("refused by the patch\n", 2) {
		t.Errorf("protected requests after the restart = %q; want them refused", got)
	}
	unprotected.finish(t, "unprotected download", want)
	open.finish(t, "download of a fail-open service", want)
}

// refused checks that a fail-closed service is out of reach once the ports have
// noticed that the process is gone.
func refused(t *testing.T, b *box, url string) {
	t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < patience; {
		c := exec.Command("curl", "-sS", "--noproxy", "*", "--connect-timeout", "2", "--max-time", "4", url)
		if err := b.Client.Start(c); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err = c.Wait(); errors.As(err, &exit) && exit.ExitCode() == 28 {
			return
		}
	}
	t.Errorf("fail-closed request without the process = %v; want curl to time out (28)", err)
}
