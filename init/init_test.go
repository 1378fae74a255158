package main

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"wirepatch/board"
	"wirepatch/board/atomicfile"
	"wirepatch/board/settings"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
)

func TestParseOrder(t *testing.T) {
	got, err := parseOrder(strings.NewReader("failover\nnet_failover\n\ncrc32c_intel optional\n"))
	want := []module{{"failover", false}, {"net_failover", false}, {"crc32c_intel", true}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(module{})); err != nil || d != "" {
		t.Errorf("parseOrder = %v (-want +got):\n%s", err, d)
	}
	if _, err := parseOrder(strings.NewReader("a b c\n")); err == nil {
		t.Error("parseOrder of a faulty line = nil; want an error")
	}
}

func TestChooseSettings(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	def := write("default.ini", "[appliance]\nhostname = fresh\n")
	good := write("good.ini", "[appliance]\nhostname = rack7\n")
	bad := write("bad.ini", "[appliance]\nhostname = rack7\nhostnme = x\n[service a]\naddress = nowhere\nport = 80\n")
	none := filepath.Join(dir, "none.ini")
	for _, tt := range []struct {
		owner, def     string
		host, file     string
		faults         []string
		numberOfFaults int
	}{
		{good, def, "rack7", good, nil, 0},
		{none, def, "fresh", def, nil, 0},
		{bad, def, "fresh", def, []string{"hostnme: unknown key", `address: got "nowhere"`, "using " + def + " instead"}, 3},
		{bad, bad, "wirepatch", bad, []string{"hostnme: unknown key"}, 5},
		{none, none, "wirepatch", none, []string{"no such file"}, 1},
	} {
		s, file, faults := chooseSettings(tt.owner, tt.def)
		if s.Hostname != tt.host || file != tt.file || len(faults) != tt.numberOfFaults {
			t.Errorf("chooseSettings(%s, %s) = host %q, file %s, faults %q; want %q, %s, %d", tt.owner, tt.def, s.Hostname, file, faults, tt.host, tt.file, tt.numberOfFaults)
		}
		for _, f := range tt.faults {
			if !strings.Contains(strings.Join(faults, "\n"), f) {
				t.Errorf("faults lack %q: %q", f, faults)
			}
		}
	}
}

func TestInterfaces(t *testing.T) {
	sys := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(sys, "devices/pci0000:00")
	link(filepath.Join(root, "0000:00:04.0/virtio1"), filepath.Join(sys, "net/nosuch0/device"))
	link(filepath.Join(sys, "drivers/virtio_net"), filepath.Join(root, "0000:00:04.0/virtio1/driver"))
	link(filepath.Join(root, "0000:00:01.0/0000:02:00.1"), filepath.Join(sys, "net/nosuch1/device"))
	link(filepath.Join(sys, "drivers/igb"), filepath.Join(root, "0000:00:01.0/0000:02:00.1/driver"))
	if err := os.Mkdir(filepath.Join(sys, "net/lo"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := interfaces(filepath.Join(sys, "net"))
	want := []board.Interface{{Name: "nosuch0", Driver: "virtio_net", Path: "0000:00:04.0"}, {Name: "nosuch1", Driver: "igb", Path: "0000:02:00.1"}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("interfaces = %v (-want +got):\n%s", err, d)
	}
}

func TestAttached(t *testing.T) {
	up := control.Port{Attach: "tcx"}
	for _, tt := range []struct {
		ports []control.Port
		want  bool
	}{{nil, false}, {[]control.Port{up}, false}, {[]control.Port{up, {}}, false}, {[]control.Port{up, up}, true}} {
		if got := attached(&control.Status{Ports: tt.ports}); got != tt.want {
			t.Errorf("attached(%v) = %v; want %v", tt.ports, got, tt.want)
		}
	}
}

func TestWriteFileIsWhole(t *testing.T) {
	p := filepath.Join(t.TempDir(), "state.json")
	for _, version := range []string{"1", "2"} {
		text, _ := json.Marshal(state.Box{Version: version})
		if err := atomicfile.Write(p, text, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := state.Read(p)
		if err != nil || got.Version != version {
			t.Errorf("state.Read = %+v, %v; want version %s", got, err, version)
		}
	}
	if all, _ := os.ReadDir(filepath.Dir(p)); len(all) != 1 {
		t.Errorf("%d files are left; want only the state", len(all))
	}
}

// namespace gives the test a network of its own with one pair of ports.
func namespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test's goroutine
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("new network namespace (needs root): %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth1"}); err != nil {
		t.Fatalf("add veth pair: %v", err)
	}
}

func TestRenameAndSwitchOff(t *testing.T) {
	namespace(t)
	if err := rename("eth0", wireA); err != nil {
		t.Fatal(err)
	}
	if err := rename(wireA, wireA); err != nil {
		t.Errorf("rename to the same name = %v; want nothing done", err)
	}
	if err := rename("eth0", wireB); err == nil {
		t.Error("rename of a port that is gone = nil; want an error")
	}
	// One that veth has, and one that it does not: drivers differ.
	if err := switchOff(wireA, []string{"rx-gro-list", "rx-gro", "rx-no-such"}); err != nil {
		t.Errorf("switchOff = %v", err)
	}
}

func TestAddress(t *testing.T) {
	namespace(t)
	if err := rename("eth0", mgmtPort); err != nil {
		t.Fatal(err)
	}
	l, err := netlink.LinkByName(mgmtPort)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
	b := &box{published: published{wake: make(chan struct{}, 1)}}
	m := settings.Management{Address: netip.MustParsePrefix("192.0.2.10/24"), Gateway: netip.MustParseAddr("192.0.2.1")}
	for range 2 { // a lease that is renewed sets the same again
		if err := b.setAddress(l, m, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.published.management; got.Address != "192.0.2.10/24" || got.Gateway != "192.0.2.1" {
		t.Errorf("published %+v; want the address and gateway", got)
	}
	addrs, _ := netlink.AddrList(l, netlink.FAMILY_V4)
	routes, _ := netlink.RouteList(l, netlink.FAMILY_V4)
	if len(addrs) != 1 || addrs[0].ValidLft > 3600 || addrs[0].ValidLft < 3000 || len(routes) != 2 {
		t.Errorf("port has addresses %v and routes %v; want one for an hour, its network and the gateway", addrs, routes)
	}
	if err := clearAddresses(l); err != nil {
		t.Fatal(err)
	}
	addrs, _ = netlink.AddrList(l, netlink.FAMILY_V4)
	if len(addrs) != 0 {
		t.Errorf("after withdrawing it has %v; want none", addrs)
	}
}

func TestSameAddress(t *testing.T) {
	static := func(host, address, gateway string) *settings.Settings {
		return &settings.Settings{Hostname: host, Management: settings.Management{Mode: "static", Address: netip.MustParsePrefix(address), Gateway: netip.MustParseAddr(gateway)}}
	}
	dhcp := func(host string) *settings.Settings {
		return &settings.Settings{Hostname: host, Management: settings.Management{Mode: "dhcp"}}
	}
	base := static("a", "192.0.2.10/24", "192.0.2.1")
	for _, tt := range []struct {
		a, b *settings.Settings
		want bool
	}{
		{base, static("b", "192.0.2.10/24", "192.0.2.1"), true},
		{base, static("a", "192.0.2.11/24", "192.0.2.1"), false},
		{base, static("a", "192.0.2.10/25", "192.0.2.1"), false},
		{base, static("a", "192.0.2.10/24", "192.0.2.2"), false},
		{base, dhcp("a"), false},
		{dhcp("a"), dhcp("a"), true},
		{dhcp("a"), dhcp("b"), false}, // the lease goes by the name
	} {
		if got := sameAddress(tt.a, tt.b); got != tt.want {
			t.Errorf("sameAddress(%+v, %+v) = %v; want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestResolver(t *testing.T) {
	got := resolver([]netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")})
	if want := "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"; got != want {
		t.Errorf("resolver = %q; want %q", got, want)
	}
}

func TestKernelSettingsExist(t *testing.T) {
	for _, s := range kernelSettings {
		p := "/proc/sys/" + strings.ReplaceAll(s[0], ".", "/")
		if _, err := os.Stat(p); err == nil || !os.IsNotExist(err) {
			continue
		}
		// The appliance's kernel has more than the one that tests may run on;
		// a folder that is there shows that the name is meant well.
		if _, err := os.Stat(filepath.Dir(p)); err != nil && !strings.HasPrefix(s[0], "kernel.yama.") {
			t.Errorf("%s: %v; want a kernel parameter", s[0], err)
		}
	}
}

func TestListens(t *testing.T) {
	// A network namespace is a thread's own, and other tests change theirs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	read := func() string {
		text, err := os.ReadFile("/proc/thread-self/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if !listens(read(), port) {
		t.Errorf("listens(%d) = false while something does; want true", port)
	}
	l.Close()
	if listens(read(), port) {
		t.Errorf("listens(%d) = true after it was closed; want false", port)
	}
}

func TestGuardOutlivesPanic(t *testing.T) {
	b := newBox()
	ran := make(chan int, 2)
	n := 0
	b.guard("test", func() {
		n++
		ran <- n
		if n == 1 {
			panic("the first time")
		}
	})
	for want := 1; want <= 2; want++ {
		if got := <-ran; got != want {
			t.Errorf("run %d = %d", want, got)
		}
	}
	if e := b.journal.Entries(); len(e) != 1 || !strings.Contains(e[0].Text, "test: panic: the first time") {
		t.Errorf("log = %+v; want the panic", e)
	}
}

func TestSettingsOfTheImageAreInForce(t *testing.T) {
	s, file, faults := chooseSettings("/nothing/here", "../images/appliance.ini")
	if len(faults) > 0 || file != "../images/appliance.ini" || len(s.Services) != 0 {
		t.Errorf("images/appliance.ini: %d services, faults %q; want neither: a new box knows nobody's servers", len(s.Services), faults)
	}
}

func TestStateIsPublished(t *testing.T) {
	b := newBox()
	b.board = &board.Board{Name: "qemu"}
	b.release.Version = "1"
	b.note(func(p *published) { p.hostname, p.data = "rack7", "memory" })
	b.journal.Logf("hello")
	got := b.state()
	want := state.Box{Version: "1", Board: "qemu", Hostname: "rack7", Data: "memory", Log: []state.Entry{{ID: 1, Text: "hello"}}}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(state.Entry{}, "Time"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("state (-want +got):\n%s", d)
	}
}

func FuzzParseOrder(f *testing.F) {
	f.Add("a\nb optional\n")
	f.Fuzz(func(t *testing.T, s string) { parseOrder(strings.NewReader(s)) })
}
