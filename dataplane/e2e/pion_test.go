package e2e

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// buildPion builds the test's server with one version of pion/dtls.
func buildPion(t *testing.T, modfile string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "pion")
	c := exec.Command("go", "build", "-modfile="+modfile, "-o", out, ".")
	c.Dir = "../../definitions/WP-2022-29190/proof"
	run(t, c)
	return out
}

func startPion(t *testing.T, n *netns.NS, program, host, port string) *process {
	t.Helper()
	c := exec.Command(program)
	c.Env = append(os.Environ(), "HOST="+host, "PORT="+port, "GOTRACEBACK=none") // it is to end with a stack of a gigabyte
	return startProcess(t, n, c, "ready")
}

// record is a DTLS record with a handshake message, or a fragment of one.
func dtlsRecord(seq byte, body ...[]byte) []byte {
	b := slices.Concat(body...)
	return slices.Concat([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, seq}, binary.BigEndian.AppendUint16(nil, uint16(len(b))), b)
}

func dtlsMessage(length, seq, offset int, fragment []byte) []byte {
	n := len(fragment)
	return append([]byte{1, 0, byte(length >> 8), byte(length), 0, byte(seq), 0, byte(offset >> 8), byte(offset), 0, byte(n >> 8), byte(n)}, fragment...)
}

// clientHello is one that the server answers.
func clientHello() []byte {
	return slices.Concat([]byte{0xfe, 0xfd}, bytes.Repeat([]byte{0x11}, 32), []byte("\x00\x00\x00\x02\xc0\x2b\x01\x00"),
		[]byte("\x00\x16\x00\x0a\x00\x04\x00\x02\x00\x1d\x00\x0b\x00\x02\x01\x00\x00\x0d\x00\x04\x00\x02\x04\x03"))
}

// answers sends a ClientHello from a new port and says whether the server
// answers it (with HelloVerifyRequest).
func answers(t *testing.T, n *netns.NS, address string) bool {
	t.Helper()
	c := dialUDP(t, n, address)
	hello := dtlsRecord(0, dtlsMessage(len(clientHello()), 0, 0, clientHello()))
	buf := make([]byte, 2000)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := c.Write(hello); err != nil {
			return false // nobody is there (ICMP)
		}
		c.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, err := c.Read(buf)
		if err == nil {
			return n > 13 && buf[0] == 22 && buf[13] == 3
		}
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
			return false
		}
	}
	return false
}

// TestPion has the vulnerable version of pion/dtls behind the box, the fixed one
// and the vulnerable one beside it, and the requests of CVE-2022-29190.
func TestPion(t *testing.T) { eachWay(t, testPion) }

func testPion(t *testing.T, attach string) {
	const settings = "[service dtls]\naddress = 10.77.0.2\nport = 4433\nprotocol = dtls\n"
	b := newBoxWith(t, attach, settings, only(t, "WP-2022-29190"))
	vulnerable, fixed := buildPion(t, "go.mod"), buildPion(t, "fixed.mod")
	behind := startPion(t, b.Server, vulnerable, "10.77.0.2", "4433")
	startPion(t, b.Server, fixed, "10.77.0.2", "4434")
	hello := clientHello()
	empty := dtlsMessage(10, 0, 0, nil)
	triggers := map[string][]byte{
		"the advisory's":            dtlsRecord(0, empty),
		"of another length":         dtlsRecord(0, dtlsMessage(60000, 0, 0, nil)),
		"twice in a record":         dtlsRecord(0, empty, empty),
		"twice in a datagram":       append(dtlsRecord(0, empty), dtlsRecord(1, empty)...),
		"behind the first fragment": append(dtlsRecord(0, dtlsMessage(10, 0, 0, []byte("part"))), dtlsRecord(1, dtlsMessage(10, 0, 4, nil))...),
		"in one record with it":     dtlsRecord(0, dtlsMessage(10, 0, 4, nil), dtlsMessage(10, 0, 0, []byte("part"))),
	}
	for name, b1 := range triggers {
		for _, port := range []string{"4433", "4434"} {
			c := dialUDP(t, b.Client, "10.77.0.2:"+port)
			if _, err := c.Write(b1); err != nil {
				t.Fatal(err)
			}
			if !answers(t, b.Client, "10.77.0.2:"+port) {
				t.Fatalf("%s: the server at %s does not answer any more", name, port)
			}
			c.SetReadDeadline(time.Now().Add(time.Millisecond)) // the answer to what was sent later is there
			if n, err := c.Read(make([]byte, 2000)); err == nil {
				t.Errorf("%s: the server at %s answered with %d bytes; want none", name, port, n)
			}
		}
	}
	select {
	case <-behind.done:
		t.Fatal("the server behind the box has ended")
	default:
	}
	// Harmless, among them a message that comes with an empty one, in fragments, and
	// a real client's whole session.
	for _, port := range []string{"4433", "4434"} {
		c := dialUDP(t, b.Client, "10.77.0.2:"+port)
		half := len(hello) / 2
		for _, datagram := range [][]byte{dtlsRecord(0, dtlsMessage(len(hello), 0, 0, hello[:half])), dtlsRecord(1, dtlsMessage(len(hello), 0, half, hello[half:]))} {
			if _, err := c.Write(datagram); err != nil {
				t.Fatal(err)
			}
		}
		c.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 2000)
		if n, err := c.Read(buf); err != nil || n < 14 || buf[13] != 3 {
			t.Errorf("port %s, a hello in fragments: %v; want it answered", port, err)
		}
		opensslClient(t, b.Client, "hello over there\n", "hello over there", "-connect", "10.77.0.2:"+port, "-dtls1_2")
	}
	if e := b.event(t, "correction", "WP-2022-29190: set client.handshake"); e.Evidence == nil || bytes.Equal(e.Evidence.Before, e.Evidence.After) {
		t.Errorf("event = %+v; want the fragment with another length", e)
	}
	// Without the box the vulnerable version ends at the first of them.
	alone := startPion(t, b.Server, vulnerable, "10.77.0.2", "4435")
	c := dialUDP(t, b.Client, "10.77.0.2:4435")
	if _, err := c.Write(dtlsRecord(0, empty)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-alone.done:
	case <-time.After(patience):
		t.Error("the vulnerable server does not end at the request, so the test shows nothing")
	}
}
