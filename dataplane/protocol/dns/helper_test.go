package dns

import (
	"encoding/binary"
	"testing"

	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// rules are those of a test: they want everything, and correct what match says.
type rules func(m *protocol.Message, e *protocol.Element) *protocol.Correction

func (rules) Wants(string) bool { return true }

func (r rules) Match(m *protocol.Message) []protocol.Correction {
	var out []protocol.Correction
	for i := range m.Elements {
		if c := r(m, &m.Elements[i]); c != nil {
			c.Definition, c.Element = "WP-1", i
			out = append(out, *c)
		}
	}
	return out
}

// harmless are rules that never correct.
var harmless = rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })

// nobody are rules that ask for nothing.
type nobody struct{}

func (nobody) Wants(string) bool                             { return false }
func (nobody) Match(*protocol.Message) []protocol.Correction { return nil }

var conn = protocol.Conn{ClientAddress: "192.0.2.1", ClientPort: 40000, ServerAddress: "198.51.100.1", ServerPort: 53}

// query is a packed query for name and type with EDNS.
func query(t testing.TB, name string, qtype uint16) []byte {
	t.Helper()
	m := new(lib.Msg).SetQuestion(name, qtype)
	m.Id = 0x1234
	m.SetEdns0(1232, true)
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &lib.EDNS0_COOKIE{Code: lib.EDNS0COOKIE, Cookie: "0011223344556677"}, &lib.EDNS0_NSID{Code: lib.EDNS0NSID})
	return pack(t, m)
}

func pack(t testing.TB, m *lib.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// response is a packed answer with records of many types, names compressed.
func response(t testing.TB) []byte {
	t.Helper()
	m := new(lib.Msg).SetQuestion("www.example.com.", lib.TypeA)
	m.Id, m.Response, m.RecursionAvailable, m.Compress = 0x1234, true, true, true
	for i, text := range []string{
		"www.example.com. 300 IN CNAME web.example.com.", "web.example.com. 300 IN A 192.0.2.7", "web.example.com. 300 IN AAAA 2001:db8::7",
		"example.com. 300 IN MX 10 mail.example.com.", "example.com. 300 IN NS ns.example.com.", `example.com. 300 IN TXT "v=spf1" "-all"`,
		"example.com. 300 IN SOA ns.example.com. root.example.com. 1 2 3 4 5", "_sip._udp.example.com. 300 IN SRV 1 2 5060 sip.example.com.",
		"example.com. 300 IN NSEC a.example.com. A MX RRSIG", "example.com. 300 IN CAA 0 issue \"ca.example\"",
		"example.com. 300 IN SIG A 8 2 300 20300101000000 20200101000000 12345 example.com. AAECAwQFBgcICQ==",
	} {
		rr, err := lib.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		s := []*[]lib.RR{&m.Answer, &m.Ns, &m.Extra}[i%3]
		*s = append(*s, rr)
	}
	m.SetEdns0(4096, false)
	return pack(t, m)
}

func datagrams(r protocol.Rules) Datagrams { return NewDatagrams(r, conn, whole.Options{}) }

// apply is what is left of data.
func apply(data []byte, v session.DatagramVerdict) []byte { return whole.Apply(data, v.Edits) }

func frame(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(m))), m...)
	}
	return b
}
