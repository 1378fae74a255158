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
ssh = yes
[wire]
link_propagation = no
attach = xdp
mtu = 9000
kernel_inspection = no
discovery = no
fail = closed
bypass = yes
[service web]
address = 10.77.0.2
port = 8080
product = koa, http-proxy
[service "all six"]
address = ::/0
port = 80
fail = open
exceed = pass
[patch WP-2023-29401]
mode = shadow
mode.web = off
set.origins = https://a.example, https://b.example
set.origins.web =
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Settings{
		Hostname: "rack7", Firmware: DefaultFirmware,
		Management: Management{Mode: "static", Address: netip.MustParsePrefix("192.0.2.10/24"), Gateway: netip.MustParseAddr("192.0.2.1"),
			DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}, SSH: true},
		Wire: Wire{Attach: "xdp", MTU: 9000, Fail: "closed", Bypass: true},
		Services: []Service{
			{Name: "web", Address: netip.MustParsePrefix("10.77.0.2/32"), Port: 8080, Protocol: "http", Over: []Transport{TCP}, Products: []string{"koa", "http-proxy"}, Fail: "closed", Exceed: "reset"},
			{Name: "all six", Address: netip.MustParsePrefix("::/0"), Port: 80, Protocol: "http", Over: []Transport{TCP}, Fail: "open", Exceed: "pass"},
		},
		Modes:        map[string]string{"WP-2023-29401": "shadow"},
		ServiceModes: map[string]map[string]string{"WP-2023-29401": {"web": "off"}},
		Parameters: map[string]map[string]map[string]string{"WP-2023-29401": {
			"": {"origins": "https://a.example, https://b.example"}, "web": {"origins": ""},
		}},
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
protocol = Go pher
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
		`protocol: got "Go pher"`, `got "10.0.0.1", want an address with prefix`, `is already service "b"`,
		`[patch WP-2023-29401] mode.nowhere: there is no service "nowhere"`, `modes: unknown key; known are mode, mode.SERVICE`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestTransports(t *testing.T) {
	const text = "[service a]\naddress=10.0.0.1\nport=53\nprotocol=dns\n"
	for _, tt := range []struct {
		text  string
		want  [][]Transport
		fault string
	}{
		{text, [][]Transport{{UDP, TCP}}, ""},
		{text + "transport = tcp\n[service b]\naddress=10.0.0.1\nport=53\nprotocol=dns\ntransport=udp\n", [][]Transport{{TCP}, {UDP}}, ""},
		{text + "[service b]\naddress=10.0.0.1\nport=53\nprotocol=dns\ntransport=udp\n", nil, "already service"},
		{text + "transport = sctp\n", nil, `got "sctp"`},
		{text + "transport = tcp, tcp\n", nil, "name each once"},
		{"[service a]\naddress=10.0.0.1\nport=80\ntransport=udp\n", nil, `http goes over ["tcp"]`},
	} {
		s, err := Parse([]byte(tt.text))
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("Parse(%q) = %v; want an error with %q", tt.text, err, tt.fault)
			}
			continue
		}
		var got [][]Transport
		for _, v := range s.Services {
			got = append(got, v.Over)
		}
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("Parse(%q): %v, transports (-want +got):\n%s", tt.text, err, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[service a]\naddress=::1\nport=1\n"))
	f.Fuzz(func(t *testing.T, b []byte) { Parse(b) })
}
