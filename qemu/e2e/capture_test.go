package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"wirepatch/qemu/lab"
)

// TestUncorrectedBitForBit captures both wires: of sessions that nothing
// corrected, every frame leaves the appliance as it came, from the Ethernet
// addresses to the last byte. (A request that comes in pieces waits in the
// appliance until it is whole, and its pieces may leave as fewer: TestKeepAlive
// has those.) Then the appliance is switched off, and nothing
// of the test bed may be left.
func TestUncorrectedBitForBit(t *testing.T) {
	pcap := t.TempDir()
	b, err := start(t.Context(), pcap)
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{b.VM.PID(), b.Vulnerable.PID(), b.Patched.PID()}
	var clients []netip.AddrPort
	for _, to := range []netip.AddrPort{lab.Service4, lab.Service6, lab.Free4} {
		c, err := b.Lab.Client.Dial(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r := newReader(c)
		for _, request := range []string{
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /big?bytes=300000 HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		} {
			if _, err := r.ask([][]byte{[]byte(request)}); err != nil {
				t.Fatalf("%s: %v", to, err)
			}
		}
		clients = append(clients, netip.MustParseAddrPort(c.LocalAddr().String()))
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r.buf); n > 0 || err != nil {
			t.Fatalf("%s: %d bytes, %v; want its end", to, n, err)
		}
	}
	// The switch takes from the wire what is under way: the sessions' last frame, which
	// nobody answers, is across once a later one has been answered.
	for _, to := range []netip.AddrPort{lab.Service4, lab.Service6, lab.Free4} {
		c, err := b.Lab.Client.Dial(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := newReader(c).ask([][]byte{[]byte(tinyRequest)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.PowerOff(); err != nil {
		t.Errorf("PowerOff() = %v; want nil", err)
	}
	wires := [2][][]byte{frames(t, pcap, "wire-a.pcap"), frames(t, pcap, "wire-b.pcap")}
	for _, c := range clients {
		for _, from := range []bool{true, false} {
			a, b := ofSession(wires[0], c, from), ofSession(wires[1], c, from)
			compare(t, fmt.Sprintf("session of %s, from client: %v", c, from), a, b)
		}
	}
	nothingLeft(t, pids, b.Dir, b.Vulnerable.Address, b.Patched.Address, b.Through, b.Management)
}

func frames(t *testing.T, dir, name string) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := lab.ReadCapture(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ofSession returns the TCP frames from, or to, the client at that address.
func ofSession(all [][]byte, client netip.AddrPort, from bool) [][]byte {
	var own [][]byte
	for _, f := range all {
		src, dst, ok := endpoints(f)
		if ok && (from && src == client || !from && dst == client) {
			own = append(own, f)
		}
	}
	return own
}

// endpoints returns the addresses and ports of a TCP frame without options in
// its IP header, as the lab's hosts send them.
func endpoints(f []byte) (src, dst netip.AddrPort, ok bool) {
	const ethernet = 14
	if len(f) < ethernet+60 && len(f) < ethernet+40 {
		return src, dst, false
	}
	ip := f[ethernet:]
	port := func(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
	switch {
	case f[12] == 0x08 && f[13] == 0x00 && ip[0] == 0x45 && ip[9] == syscall.IPPROTO_TCP:
		a, b := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
		return netip.AddrPortFrom(a, port(ip[20:])), netip.AddrPortFrom(b, port(ip[22:])), true
	case f[12] == 0x86 && f[13] == 0xdd && len(ip) >= 60 && ip[6] == syscall.IPPROTO_TCP:
		a, b := netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
		return netip.AddrPortFrom(a, port(ip[40:])), netip.AddrPortFrom(b, port(ip[42:])), true
	}
	return src, dst, false
}

// compare compares frames whatever their order: where the kernel takes a body
// over from a busy engine, its frames may overtake some (docs/decisions.md).
func compare(t *testing.T, what string, a, b [][]byte) {
	t.Helper()
	slices.SortFunc(a, bytes.Compare)
	slices.SortFunc(b, bytes.Compare)
	if len(a) < 5 || len(a) != len(b) {
		t.Errorf("%s: %d frames on wire A, %d on wire B; want as many, and at least 5", what, len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			t.Errorf("%s: frame %d differs; from the one before it on:\nwire A:%s\nwire B:%s", what, i, excerpt(a, i-1), excerpt(b, i-1))
			return
		}
	}
}

// excerpt shows the heads of a few frames.
func excerpt(all [][]byte, from int) string {
	var text strings.Builder
	for i := max(0, from); i < min(len(all), from+5); i++ {
		fmt.Fprintf(&text, "\n%4d: %d bytes %x", i, len(all[i]), all[i][14:min(len(all[i]), 100)])
	}
	return text.String()
}

// nothingLeft checks that processes, files and listening sockets are gone.
func nothingLeft(t *testing.T, pids []int, dir string, addresses ...string) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there (%v)", pid, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) = %v; want it gone", dir, err)
	}
	for _, a := range addresses {
		if c, err := net.Dial("tcp", a); err == nil {
			c.Close()
			t.Errorf("somebody still listens on %s", a)
		}
	}
}
