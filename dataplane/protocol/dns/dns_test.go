package dns

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func TestElements(t *testing.T) {
	var got []string
	see := rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		line := e.Kind
		for _, f := range e.Fields {
			if f.Name != "data" {
				line += fmt.Sprintf(" %s=%v", f.Name, f.Value)
			}
		}
		got = append(got, line)
		return nil
	})
	d := datagrams(see)
	if v := d.Datagram(session.ToServer, query(t, "WWW.Exa\\.mple.com.", lib.TypeSIG)); v.Undecodable != "" {
		t.Fatal(v.Undecodable)
	}
	if v := d.Datagram(session.ToClient, response(t)); v.Undecodable != "" {
		t.Fatal(v.Undecodable)
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{
		"query.message size=61 id=4660 opcode=0 rcode=0 response=false authoritative=false truncated=false recursion_desired=true",
		"questions=1 answers=0 authorities=0 additionals=1 trailing=0",
		`query.question name=www.exa\.mple.com. type=SIG class=IN`,
		"query.edns section=additional payload=1232 extended_rcode=0 version=0 dnssec_ok=true options=2 size=16",
		"query.option code=10 size=8", "query.option code=3 size=0",
		"response.message", "response=true", "recursion_available=true",
		"response.record section=answer name=www.example.com. type=CNAME class=IN ttl=300 size=6 expanded=17",
		"response.record section=answer name=example.com. type=MX class=IN ttl=300 size=9 expanded=20",
		"type=SIG class=IN ttl=300 size=41 expanded=41",
		"response.edns section=additional payload=4096",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("elements lack %q:\n%s", want, text)
		}
	}
}

// TestSchemaFits: what is published is what the schema says.
func TestSchemaFits(t *testing.T) {
	s := Schema()
	check := rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		typ, ok := s.Elements[e.Kind]
		if !ok || typ.Dir != m.Dir || len(typ.Fields) != len(e.Fields) {
			t.Errorf("element %s of direction %v with %d fields; the schema has %+v", e.Kind, m.Dir, len(e.Fields), typ)
		}
		for _, f := range e.Fields {
			var is protocol.Type
			switch f.Value.(type) {
			case int64:
				is = protocol.Int
			case bool:
				is = protocol.Bool
			}
			if want, ok := typ.Fields[f.Name]; !ok || want.Type != is || want.Settable && f.Span.Start < 0 {
				t.Errorf("%s.%s = %T; the schema has %+v", e.Kind, f.Name, f.Value, want)
			}
		}
		for name := range s.Vars {
			if _, ok := m.Lookup(name); !ok {
				t.Errorf("variable %s is not known at %s", name, e.Kind)
			}
		}
		return nil
	})
	d := datagrams(check)
	d.Datagram(session.ToServer, query(t, "www.example.com.", lib.TypeA))
	d.Datagram(session.ToClient, response(t))
}

func TestCorrections(t *testing.T) {
	remove := func(kind, field string, value any) rules {
		return func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind == kind && e.Field(field).Value == value {
				return &protocol.Correction{Action: protocol.Remove}
			}
			return nil
		}
	}
	set := func(kind, field, value string) rules {
		return func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind == kind {
				return &protocol.Correction{Action: protocol.Set, Field: field, Value: value}
			}
			return nil
		}
	}
	var was lib.Msg
	if err := was.Unpack(response(t)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		rules rules
		do    func(m *lib.Msg)
	}{
		{"record", remove("response.record", "type", "CNAME"), func(m *lib.Msg) { m.Answer = m.Answer[1:] }},
		{"all records of a name", remove("response.record", "name", "example.com."), func(m *lib.Msg) {
			of := func(rr lib.RR) bool { return rr.Header().Name == "example.com." }
			m.Answer, m.Ns, m.Extra = slices.DeleteFunc(m.Answer, of), slices.DeleteFunc(m.Ns, of), slices.DeleteFunc(m.Extra, of)
		}},
		{"EDNS", remove("response.edns", "version", int64(0)), func(m *lib.Msg) {
			m.Extra = slices.DeleteFunc(m.Extra, func(rr lib.RR) bool { return rr.Header().Rrtype == lib.TypeOPT })
		}},
		{"ttl", set("response.record", "ttl", "7"), func(m *lib.Msg) {
			for _, s := range [][]lib.RR{m.Answer, m.Ns, m.Extra} {
				for _, rr := range s {
					if rr.Header().Rrtype != lib.TypeOPT {
						rr.Header().Ttl = 7
					}
				}
			}
		}},
		{"payload", set("response.edns", "payload", "512"), func(m *lib.Msg) { m.IsEdns0().SetUDPSize(512) }},
		{"ttl of 33 bits", set("response.record", "ttl", "4294967296"), func(*lib.Msg) {}},
		{"the message itself", remove("response.message", "opcode", int64(0)), func(*lib.Msg) {}},
	} {
		b := response(t)
		v := datagrams(tt.rules).Datagram(session.ToClient, b)
		var got lib.Msg
		if err := got.Unpack(apply(b, v)); err != nil || v.Drop || v.Undecodable != "" {
			t.Errorf("%s: verdict %+v, %v", tt.name, v, err)
			continue
		}
		want := was.Copy()
		tt.do(want)
		if got.String() != want.String() {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got.String(), want.String())
		}
		if len(v.Evidence) == 0 || v.Evidence[0].Definition != "WP-1" {
			t.Errorf("%s: evidence = %+v; want some", tt.name, v.Evidence)
		}
	}
}

func TestReject(t *testing.T) {
	for name, want := range map[string]int{"reply.formerr": 1, "reply.servfail": 2, "reply.nxdomain": 3, "reply.notimp": 4, "reply.refused": 5, "reply.empty": 0, "reply.truncated": 0} {
		refuse := rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind != "query.question" {
				return nil
			}
			text, _ := m.Lookup(name)
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: text.(string)}}
		})
		q := query(t, "Secret.example.", lib.TypeTXT)
		v := datagrams(refuse).Datagram(session.ToServer, q)
		var got lib.Msg
		if err := got.Unpack(v.Reply); err != nil || !v.Drop {
			t.Fatalf("%s: verdict %+v, %v", name, v, err)
		}
		if got.Id != 0x1234 || !got.Response || got.Rcode != want || !got.RecursionDesired || got.Truncated != (name == "reply.truncated") ||
			len(got.Question) != 1 || got.Question[0].Name != "Secret.example." || len(v.Reply) > len(q) {
			t.Errorf("%s: reply is\n%s", name, got.String())
		}
	}
}

// TestStrict has messages that servers read differently, or not at all.
func TestStrict(t *testing.T) {
	head := func(counts ...byte) []byte {
		b := make([]byte, 12)
		for i, n := range counts {
			b[5+2*i] = n
		}
		return b
	}
	rr := func(name string, rtype byte, data string) []byte {
		return append([]byte(name), append([]byte{0, rtype, 0, 1, 0, 0, 0, 0, 0, byte(len(data))}, data...)...)
	}
	long := strings.Repeat("\x3f"+strings.Repeat("a", 63), 4)
	for _, tt := range []struct {
		name string
		b    []byte
		bad  bool
	}{
		{"empty", nil, true},
		{"header alone", head(), false},
		{"question missing", head(1), true},
		{"root", append(head(1), 0, 0, 1, 0, 1), false},
		{"pointer to itself", append(head(1), 0xc0, 12, 0, 1, 0, 1), true},
		{"pointer forward", append(head(1), 0xc0, 14, 0, 0, 1, 0, 1), true},
		{"pointer into the header", append(head(1), 0xc0, 4, 0, 1, 0, 1), true},
		{"label of type 01", append(head(1), 0x41, 'a', 0, 0, 1, 0, 1), true},
		{"name of 256 octets", append(append(head(1), long...), 0, 0, 1, 0, 1), true},
		{"name of 255 octets", append(append(head(1), long[:3*64]...), append([]byte("\x3d"+strings.Repeat("b", 61)), 0, 0, 1, 0, 1)...), false},
		{"record too long", append(head(0, 1), rr("\x00", 1, "abcd")[:13]...), true},
		{"MX data with more", append(head(0, 1), rr("\x00", 15, "\x00\x01\x00x")...), true},
		{"MX data", append(head(0, 1), rr("\x00", 15, "\x00\x01\x00")...), false},
		{"name beyond its data", append(head(0, 1), append(rr("\x00", 2, "\x01")[:], 0, 0)...), true},
		{"option beyond its record", append(head(0, 0, 0, 1), rr("\x00", 41, "\x00\x0a\x00\x09abcdefgh")...), true},
		{"half an option", append(head(0, 0, 0, 1), rr("\x00", 41, "\x00\x0a\x00")...), true},
		{"bytes behind", append(head(), 1, 2, 3), false},
		{"empty data of an update", append(head(0, 1), rr("\x00", 15, "")...), false},
	} {
		d := datagrams(harmless)
		if v := d.Datagram(session.ToServer, tt.b); (v.Undecodable != "") != tt.bad {
			t.Errorf("%s: undecodable %q; want some: %v", tt.name, v.Undecodable, tt.bad)
		}
		if v := datagrams(nobody{}).Datagram(session.ToServer, tt.b); v.Undecodable != "" {
			t.Errorf("%s: undecodable %q though nobody asks", tt.name, v.Undecodable)
		}
	}
	cut := response(t)
	cut = cut[:len(cut)-20]
	if v := datagrams(harmless).Datagram(session.ToClient, cut); v.Undecodable == "" {
		t.Error("a response that ends too early is read")
	}
	cut[2] |= 2
	if v := datagrams(harmless).Datagram(session.ToClient, cut); v.Undecodable != "" {
		t.Errorf("a response cut by its server (TC): %q; want it read as far as it goes", v.Undecodable)
	}
}

// TestPointersAreCheap: a message of 64 KB of pointers costs no more than others.
func TestPointersAreCheap(t *testing.T) {
	b := make([]byte, 12, 65535)
	b = append(b, 0)
	for at := 13; at < 0x3ffe; at += 2 {
		b = append(b, byte(0xc0|(at-2)>>8), byte(at-2))
	}
	if v := datagrams(harmless).Datagram(session.ToServer, b); v.Undecodable != "" {
		t.Fatal(v.Undecodable)
	}
	if _, _, _, err := name(b, 0x3ffd); err != errPointer {
		t.Errorf("name through thousands of pointers = %v; want %v", err, errPointer)
	}
}

// TestCorrelation: rules on a response know its query.
func TestCorrelation(t *testing.T) {
	var got []any
	see := rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		if e.Kind == "response.message" {
			v, ok := m.Lookup("query.name")
			got = append(got, v, ok)
		}
		return nil
	})
	d := datagrams(see)
	q, r := query(t, "one.example.", lib.TypeA), response(t)
	d.Datagram(session.ToServer, q)
	d.Datagram(session.ToClient, r)
	for id := range 2 * maxAsked {
		q[0], q[1] = 0, byte(id)
		d.Datagram(session.ToServer, q)
	}
	d.Datagram(session.ToClient, r)
	if !slices.Equal(got, []any{"one.example.", true, nil, false}) || len(d.asked.list) != maxAsked {
		t.Errorf("query.name at responses = %v with %d queries kept; want it for the first one, %d kept", got, len(d.asked.list), maxAsked)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(query(f, "www.example.com.", lib.TypeA), false)
	f.Add(response(f), true)
	f.Fuzz(func(t *testing.T, b []byte, answer bool) {
		dir := session.ToServer
		if answer {
			dir = session.ToClient
		}
		was := bytes.Clone(b)
		if v := datagrams(harmless).Datagram(dir, b); v.Drop || v.Edits != nil || !bytes.Equal(was, b) {
			t.Fatalf("a harmless message is changed: %+v", v)
		}
		n := 0
		every := rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
			n++
			switch {
			case n%2 == 0:
				return &protocol.Correction{Action: protocol.Remove}
			case e.Field("ttl") != nil:
				return &protocol.Correction{Action: protocol.Set, Field: "ttl", Value: "1"}
			}
			return nil
		})
		v := datagrams(every).Datagram(dir, b)
		if out := apply(b, v); !v.Drop && v.Undecodable == "" && len(v.Edits) > 0 {
			if v := datagrams(harmless).Datagram(dir, out); v.Undecodable != "" {
				t.Fatalf("what a correction made cannot be read: %s, %x", v.Undecodable, out)
			}
		}
	})
}
