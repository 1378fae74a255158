package settings

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compare = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})}

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`
[appliance]
hostname = rack7
[management]
mode = static
address = 192.0.2.10/24
gateway = 192.0.2.1
dns = 192.0.2.53, 2001:db8::53
[wire]
link_propagation = no
attach = xdp
mtu = 9000
[service web]
address = 10.77.0.2
port = 8080
[service "all six"]
address = ::/0
port = 80
fail = closed
exceed = pass
[patch WP-2023-29401]
mode = shadow
mode.web = off
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Settings{
		Hostname: "rack7",
		Management: Management{Mode: "static", Address: netip.MustParsePrefix("192.0.2.10/24"), Gateway: netip.MustParseAddr("192.0.2.1"),
			DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}},
		Wire: Wire{Attach: "xdp", MTU: 9000},
		Services: []Service{
			{Name: "web", Address: netip.MustParsePrefix("10.77.0.2/32"), Port: 8080, Protocol: "http", Fail: "open", Exceed: "reset"},
			{Name: "all six", Address: netip.MustParsePrefix("::/0"), Port: 80, Protocol: "http", Fail: "closed", Exceed: "pass"},
		},
		Modes:        map[string]string{"WP-2023-29401": "shadow"},
		ServiceModes: map[string]map[string]string{"WP-2023-29401": {"web": "off"}},
	}
	if d := cmp.Diff(want, got, compare); d != "" {
		t.Errorf("Parse (-want +got):\n%s", d)
	}
}

func TestParseFaults(t *testing.T) {
	_, err := Parse([]byte(`
[appliance]
hostnme = x
[servce web]
[wire]
attach = generic
mtu = 65000
[service a]
address = 10.0.0.300
port = 70000
protocol = gopher
[management]
mode = static
address = 10.0.0.1
[service b]
address = 10.0.0.0/8
port = 80
[service c]
address = 10.0.0.1/8
port = 80
[patch WP-2023-29401]
mode.nowhere = off
modes = off
`))
	if err == nil {
		t.Fatal("Parse of a faulty file = nil; want an error")
	}
	for _, want := range []string{"hostnme: unknown key", "[servce web]: unknown section", `[wire] attach: got "generic"`, `[wire] mtu: got "65000"`, `address: got "10.0.0.300"`, `port: got "70000"`,
		`protocol: got "gopher"`, `got "10.0.0.1", want an address with prefix`, `is already service "b"`,
		`[patch WP-2023-29401] mode.nowhere: there is no service "nowhere"`, `modes: unknown key; known are mode, mode.SERVICE`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[service a]\naddress=::1\nport=1\n"))
	f.Fuzz(func(t *testing.T, b []byte) { Parse(b) })
}
