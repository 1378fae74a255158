package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

const dnsSettings = `
[service four]
address = 10.77.0.2
port = 53
protocol = dns
[service six]
address = fd77::2
port = 53
protocol = auto
transport = udp, tcp
[service closed]
address = 10.77.0.2
port = 54
protocol = dns
fail = closed
`

// startDNS starts dnsmasq in the server's namespace, on port 53 and on port 54.
func startDNS(t *testing.T, n *netns.NS) {
	t.Helper()
	for _, port := range []string{"53", "54"} {
		args := []string{"--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--pid-file=", "--no-resolv", "--no-hosts",
			"--bind-interfaces", "--listen-address=10.77.0.2,fd77::2", "--except-interface=lo", "--port=" + port, "--edns-packet-max=4096", "--local-ttl=3600",
			"--host-record=plain.example,192.0.2.7,2001:db8::7", "--host-record=refused.example,192.0.2.7", "--host-record=ignored.example,192.0.2.7",
			"--host-record=cookie.example,192.0.2.7", "--host-record=old.example,192.0.2.7", "--host-record=grown.example,192.0.2.7",
			"--host-record=two.example,192.0.2.8", "--host-record=two.example,192.0.2.9"}
		for i := range 12 { // answers that do not fit a frame
			for _, name := range []string{"big", "long"} {
				args = append(args, fmt.Sprintf("--txt-record=%s.example,%d%s", name, i, strings.Repeat("0123456789", 22)))
			}
		}
		startProcess(t, n, exec.Command("dnsmasq", args...), "started, version")
	}
}

// dig asks and returns what it printed.
func dig(t *testing.T, n *netns.NS, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	c := exec.Command("dig", append([]string{"+tries=3", "+time=10", "+nocookie"}, args...)...)
	c.Stdout, c.Stderr = &out, &out
	err := n.Start(c)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		t.Errorf("dig %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// TestDNS asks a real server with a real client, over UDP and TCP, IPv4 and
// IPv6, with all checksums verified by both.
func TestDNS(t *testing.T) { eachWay(t, testDNS) }

func testDNS(t *testing.T, attach string) {
	b := newBoxWith(t, attach, dnsSettings, "testdata/datagrams")
	off := func(name string) error { return netns.Features(name, false, netns.Offloads...) }
	b.Ends(t, off)
	b.Ports(t, off)
	startDNS(t, b.Server)
	for _, server := range []string{"@10.77.0.2", "@fd77::2"} {
		for over, says := range map[string]string{"+notcp": "(UDP)", "+tcp": "(TCP)"} {
			ask := func(args ...string) string { return dig(t, b.Client, append([]string{server, over}, args...)...) }
			what := server + " " + over + ": "
			holds(t, what+"plain", ask("plain.example", "A"), []string{"status: NOERROR", "192.0.2.7"}, []string{"WARNING"})
			holds(t, what+"refused", ask("refused.example", "A"), []string{"status: REFUSED", ";refused.example."}, []string{"192.0.2.7", "WARNING: Message"})
			holds(t, what+"old", ask("old.example", "A"), []string{"\t7\tIN\tA\t192.0.2.7"}, []string{"3600"})
			holds(t, what+"two", ask("two.example", "A"), []string{"ANSWER: 1,", "192.0.2.9"}, []string{"192.0.2.8", "WARNING"})
			holds(t, what+"cookie", ask("+cookie=0011223344556677", "cookie.example", "A"), []string{"192.0.2.7"}, []string{"BADCOOKIE"})
			holds(t, what+"big", ask("+bufsize=4096", "big.example", "TXT"), []string{"ANSWER: 12,", "MSG SIZE  rcvd: 28", says}, []string{"WARNING"})
			holds(t, what+"long", ask("+bufsize=4096", "long.example", "TXT"), []string{"ANSWER: 12,", "\t7\tIN\tTXT\t", says}, []string{"3600", "WARNING"})
			holds(t, what+"grown", ask("+bufsize=4096", "grown.example", "A"), []string{"MSG SIZE  rcvd: 3631", "extra bytes"}, []string{"192.0.2.7"})
		}
		var out bytes.Buffer
		c := exec.Command("dig", "+tries=1", "+time=1", server, "ignored.example")
		c.Stdout = &out
		if err := b.Client.Start(c); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil {
			t.Errorf("%s: an ignored query was answered:\n%s", server, out.String())
		}
	}
	e := b.event(t, "correction", "WP-2026-dns: set response.record")
	if e.Evidence == nil || len(e.Evidence.Before) != 16 || bytes.Equal(e.Evidence.Before, e.Evidence.After) || !strings.HasSuffix(e.Server, ":53") || e.Service != "four" {
		t.Errorf("event = %+v, evidence %+v; want the record before and after", e, e.Evidence)
	}
	s := b.status(t)
	if s.Sessions.Flows == 0 || s.Sessions.Dropped == 0 || s.Sessions.Replied != 2 || s.Sessions.BadChecksum != 0 || s.Sessions.Malformed != 0 {
		t.Errorf("sessions = %+v; want flows, dropped datagrams, two replies", s.Sessions)
	}
	if s.Services[0].InForce != "open" || s.Services[2].InForce != "closed" || len(s.Services[0].Over) != 2 {
		t.Errorf("services = %+v; want the policies in force over both transports", s.Services)
	}
}

// TestUncorrectedDNSIsIdentical compares frames on both sides of the box, among
// them fragments.
func TestUncorrectedDNSIsIdentical(t *testing.T) { eachWay(t, testUncorrectedDNSIsIdentical) }

func testUncorrectedDNSIsIdentical(t *testing.T, attach string) {
	b := newBoxWith(t, attach, dnsSettings, "testdata/datagrams")
	off := func(name string) error { return netns.Features(name, false, netns.Offloads...) }
	b.Ends(t, off)
	b.Ports(t, off)
	startDNS(t, b.Server)
	client, server := netns.NewCapture(t, b.Client, "c0"), netns.NewCapture(t, b.Server, "s0")
	for range 3 {
		for _, at := range []string{"@10.77.0.2", "@fd77::2"} {
			dig(t, b.Client, at, "+tcp", "plain.example", "A", "plain.example", "AAAA", "big.example", "TXT", "none.example", "MX")
			dig(t, b.Client, at, "+notcp", "+cookie", "+nsid", "+bufsize=4096", "plain.example", "AAAA", "plain.example", "ANY", "big.example", "TXT", "none.example", "MX", "-x", "192.0.2.7")
		}
	}
	identical(t, client, server, hostFrames)
	if st := b.status(t).Sessions; st.Edited != 0 || st.Dropped != 0 || st.Total == 0 {
		t.Errorf("sessions = %+v; want some, none of them edited", st)
	}
}

// hostFrames picks the frames between client and server that carry TCP, UDP or a
// fragment, and went out, or came in.
func hostFrames(frames []netns.Frame, outgoing bool) [][]byte {
	var out [][]byte
	for _, f := range frames {
		var proto byte
		switch {
		case len(f.Data) > 34 && f.Data[12] == 8 && f.Data[13] == 0:
			proto = f.Data[14+9]
		case len(f.Data) > 54 && f.Data[12] == 0x86 && f.Data[13] == 0xdd:
			proto = f.Data[14+6]
		}
		if f.Outgoing == outgoing && (proto == 6 || proto == 17 || proto == 44) {
			out = append(out, f.Data)
		}
	}
	return out
}

// TestSegmentedDatagrams has the client's kernel hand over many datagrams as one
// (UDP_SEGMENT): each is inspected.
func TestSegmentedDatagrams(t *testing.T) {
	b := newBoxWith(t, "tcx", dnsSettings, "testdata/datagrams")
	got := listenUDP(t, b.Server, "10.77.0.2:53")
	question := func(id byte, name string) []byte {
		return slices.Concat([]byte{0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7}, []byte(name), []byte("\x07example\x00\x00\x01\x00\x01"))
	}
	var all []byte
	for i := range byte(40) {
		name := "harmles"
		if i%4 == 1 {
			name = "ignored"
		}
		all = append(all, question(i, name)...)
	}
	c := dialUDP(t, b.Client, "10.77.0.2:53")
	const solUDP, udpSegment = 17, 103
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), solUDP, udpSegment, len(question(0, "harmles")))
	})
	if err != nil {
		t.Fatalf("UDP_SEGMENT (Linux 4.18): %v", err)
	}
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for i := range byte(40) {
		if i%4 != 1 {
			want = append(want, question(i, "harmles"))
		}
	}
	for i, w := range want {
		select {
		case p := <-got:
			if !bytes.Equal(p, w) {
				t.Fatalf("datagram %d: %x; want %x", i, p, w)
			}
		case <-time.After(patience):
			t.Fatalf("%d datagrams arrived; want %d", i, len(want))
		}
	}
	if s := b.status(t).Sessions; s.Dropped != 10 {
		t.Errorf("%d dropped; want 10", s.Dropped)
	}
}

// TestEngineKilledUnderDatagrams: within half a second they go by policy, and are
// inspected again when there is an engine.
func TestEngineKilledUnderDatagrams(t *testing.T) { eachWay(t, testEngineKilledUnderDatagrams) }

func testEngineKilledUnderDatagrams(t *testing.T, attach string) {
	b := newBoxWith(t, attach, dnsSettings, "testdata/datagrams")
	startDNS(t, b.Server)
	refused := func(port string) string {
		var out bytes.Buffer
		c := exec.Command("dig", "+tries=1", "+time=2", "+nocookie", "-p", port, "@10.77.0.2", "refused.example")
		c.Stdout = &out
		if err := b.Client.Start(c); err != nil {
			t.Fatal(err)
		}
		c.Wait() // whether there was an answer is what the test asks
		m := regexp.MustCompile(`status: ([A-Z]+)`).FindStringSubmatch(out.String())
		if m == nil {
			return ""
		}
		return m[1]
	}
	for _, port := range []string{"53", "54"} {
		if got := refused(port); got != "REFUSED" {
			t.Fatalf("port %s: %q; want REFUSED", port, got)
		}
	}
	b.process.end(t, syscall.SIGKILL)
	for end := time.Now().Add(patience); refused("53") != "NOERROR"; {
		if time.Now().After(end) {
			t.Fatal("fail open, without an engine: want the server's own answer")
		}
	}
	if got := refused("54"); got != "" {
		t.Errorf("fail closed, without an engine: %q; want none", got)
	}
	b.start(t)
	for _, port := range []string{"53", "54"} {
		if got := refused(port); got != "REFUSED" {
			t.Errorf("port %s, after the restart: %q; want REFUSED", port, got)
		}
	}
	var passed, dropped uint64
	r, err := b.control.Rehearse(t.Context(), control.DefaultRehearsal)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Services {
		passed, dropped = passed+s.Passed, dropped+s.Dropped
		if want := map[string]string{"four": "open", "six": "open", "closed": "closed"}[s.Name]; s.Fail != want {
			t.Errorf("rehearsal: service %s fails %q; want %q", s.Name, s.Fail, want)
		}
	}
	if passed != 0 || dropped != 0 {
		t.Errorf("rehearsal without traffic: %d passed, %d dropped; want 0", passed, dropped)
	}
}
