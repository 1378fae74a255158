package decoders

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue/dialoguetest"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// The first bytes tell what a session is, in whatever pieces they come.
func TestAuto(t *testing.T) {
	mqtt := "\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"
	cases := []struct {
		name string
		sent []string // the client and the server in turn, the client first
		want string   // protocol of the first element; "": none, it passes
	}{
		{"http", []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}, "http"},
		{"http behind an empty line", []string{"\r\nPOST /a?b HTTP/1.0\r\n\r\n"}, "http"},
		{"http with a method that begins as what is described", []string{"*1 /a HTTP/1.1\r\nHost: a\r\n\r\n"}, "http"},
		{"mqtt", []string{mqtt}, "mqtt"},
		{"smtp by its greeting", []string{"", "220 x ESMTP\r\n", "EHLO a\r\n"}, "smtp"},
		{"ftp by its greeting", []string{"", "220-Welcome\r\n220 FTP server\r\n", "USER a\r\n"}, "ftp"},
		{"smtp by its first word", []string{"", "220 ready\r\n", "EHLO a\r\n", "250 a\r\n"}, "smtp"},
		{"ftp by its first word", []string{"", "220 ready\r\n", "USER a\r\n", "331 a\r\n"}, "ftp"},
		{"dns", []string{"\x00\x13" + dnsQuery, "\x00\x13" + dnsAnswer}, "dns"},
		{"redis, which is described", []string{"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"}, "redis"},
		{"memcached, which is described", []string{"\x80\x0b" + strings.Repeat("\x00", 22), "\x81\x0b" + strings.Repeat("\x00", 22)}, "memcached-binary"},
	}
	set, errs := Load("../../definitions")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, tt := range cases {
		for _, size := range []int{1, 1000} {
			got := ""
			rules := dialoguetest.Rules(func(m *protocol.Message, _ *protocol.Element) *protocol.Correction {
				if got == "" {
					got = m.Protocol
				}
				return nil
			})
			d, _ := set.Find(Auto)
			w := wiretest.New(t, d.New(rules, dialoguetest.Conn, Options{}))
			var want [2]string
			for i, text := range tt.sent {
				want[i%2] += text
				for b := text; b != ""; b = b[min(size, len(b)):] {
					w.Feed(session.Direction(i%2), []byte(b[:min(size, len(b))]), false)
				}
			}
			if arrived := [2]string{w.ToServer(), w.ToClient()}; got != tt.want || arrived != want || w.End != session.Continue {
				t.Errorf("%s, in pieces of %d: decoded as %q, arrived %q, end %v; want %q, unchanged", tt.name, size, got, arrived, w.End, tt.want)
			}
		}
	}
}

// What a client says alone does not tell FTP from SMTP where the greeting does not.
func TestAutoIsNotTold(t *testing.T) {
	refuse := dialoguetest.Rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		if m.Protocol == "ftp" && dialoguetest.Text(e, "name") == "site" || m.Protocol == "smtp" && dialoguetest.Text(e, "local") == "evil" {
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "500 no\r\n"}}
		}
		return nil
	})
	for _, tt := range []struct {
		name   string
		sent   []string // the client and the server in turn, the client first
		server string   // what it gets
		client string
		end    session.End
	}{
		{"a server of FTP that is said HELO", []string{"", "220 ready\r\n", "HELO a\r\nSITE x\r\nUSER a\r\n", "500 what\r\n", "", "331 a\r\n", "SITE y\r\n"},
			"HELO a\r\nUSER a\r\n", "220 ready\r\n500 what\r\n500 no\r\n331 a\r\n500 no\r\n", session.Continue},
		{"a server of SMTP that is said USER", []string{"", "220 ready\r\n", "USER a\r\nNOOP\r\nRCPT TO:<evil@a>\r\nMAIL FROM:<a>\r\n", "500 what\r\n", "", "250 ok\r\n", "", "250 ok\r\n", "RCPT TO:<evil@a>\r\n"},
			"USER a\r\nNOOP\r\nMAIL FROM:<a>\r\n", "220 ready\r\n500 what\r\n250 ok\r\n500 no\r\n250 ok\r\n500 no\r\n", session.Continue},
		{"FTP that goes over to TLS", []string{"", "220-a\r\n220 ready\r\n", "AUTH TLS\r\n", "234 go\r\n", "\x16\x03\x01\n\x00", "\x16\x03"},
			"AUTH TLS\r\n\x16\x03\x01\n\x00", "220-a\r\n220 ready\r\n234 go\r\n\x16\x03", session.Continue},
		{"SMTP without EHLO", []string{"", "220 ready\r\n", "EHLO a\r\n", "502 what\r\n", "HELO a\r\n", "250 a\r\n", "MAIL FROM:<a>\r\nRCPT TO:<evil@a>\r\n", "250 a\r\n"},
			"EHLO a\r\nHELO a\r\nMAIL FROM:<a>\r\n", "220 ready\r\n502 what\r\n250 a\r\n250 a\r\n500 no\r\n", session.Continue},
		{"several that are refused", []string{"", "220 ready\r\n", "SITE a\r\nSITE b\r\nNOOP\r\nSITE c\r\nSITE d\r\nSYST\r\nSITE e\r\n", "200 a\r\n", "", "215 x\r\n"},
			"NOOP\r\nSYST\r\n", "220 ready\r\n500 no\r\n500 no\r\n200 a\r\n500 no\r\n500 no\r\n215 x\r\n500 no\r\n", session.Continue},
		{"a client that does not wait for the end of the greeting", []string{"", "220-a\r\n", "HELO a\r\nSITE x\r\n", "220 ready\r\n", "", "500 what\r\n", "USER a\r\n", "331 a\r\n"},
			"HELO a\r\nUSER a\r\n", "220-a\r\n220 ready\r\n500 what\r\n500 no\r\n331 a\r\n", session.Continue},
		{"neither", []string{"", "220 ready\r\n", "\"USER\" a\r\n"}, "", "220 ready\r\n", session.Reset},
	} {
		for _, size := range []int{1, 1000} {
			set, _ := Load("../../definitions")
			d, _ := set.Find(Auto)
			w := wiretest.New(t, d.New(refuse, dialoguetest.Conn, Options{}))
			for i, text := range tt.sent {
				for b := text; b != ""; b = b[min(size, len(b)):] {
					w.Feed(session.Direction(i%2), []byte(b[:min(size, len(b))]), false)
				}
			}
			if server, client := w.ToServer(), w.ToClient(); server != tt.server || client != tt.client || w.End != tt.end {
				t.Errorf("%s, in pieces of %d: the server got %q, the client %q, end %v; want %q and %q, %v", tt.name, size, server, client, w.End, tt.server, tt.client, tt.end)
			}
		}
	}
}

const (
	dnsQuery  = "\x04\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	dnsAnswer = "\x04\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
)

// One datagram tells what a flow is; one that tells nothing chooses nothing.
func TestAutoDatagrams(t *testing.T) {
	set, _ := Load("../../definitions")
	set = maps.Clone(set)
	described := set["redis"]
	described.Begins, described.New, described.NewDatagram = [2][]string{{"hello"}, {"welcome"}}, nil, set["dns"].NewDatagram
	set["greeting"] = described
	for _, tt := range []struct {
		name, first string
		dir         session.Direction
		want        string
	}{
		{"dns", dnsQuery, session.ToServer, "dns"},
		{"an answer of dns", dnsAnswer, session.ToClient, "dns"},
		{"dtls", "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", session.ToServer, "dtls"},
		{"tftp", "\x00\x01file\x00OCTET\x00", session.ToServer, "tftp"},
		{"all instances of SQL Server", "\x02", session.ToServer, "mssql-resolution"},
		{"one instance, too long a name", "\x04" + strings.Repeat("\x01", 400), session.ToServer, "mssql-resolution"},
		{"an answer of SQL Server", "\x05\x02\x00ab", session.ToClient, "mssql-resolution"},
		{"what is described", "hello!", session.ToServer, "greeting"},
		{"a question the wrong way", dnsQuery, session.ToClient, ""},
		{"nothing known", "\x00\x01file", session.ToServer, ""},
	} {
		d, _ := set.Find(Auto)
		rules := dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
		a := d.NewDatagram(rules, dialoguetest.Conn, Options{}).(*datagramRecogniser)
		v := a.Datagram(tt.dir, []byte(tt.first))
		want := set[tt.want].NewDatagram
		if (want == nil) != (a.chosen == nil) || want == nil && v.Undecodable == "" {
			t.Errorf("%s: chosen %T, verdict %+v; want %q", tt.name, a.chosen, v, tt.want)
			continue
		}
		if want != nil {
			if got, want := fmt.Sprintf("%T", a.chosen), fmt.Sprintf("%T", want(rules, dialoguetest.Conn, Options{})); got != want {
				t.Errorf("%s: chosen %s; want %s", tt.name, got, want)
			}
		}
	}
}

func FuzzAutoDatagrams(f *testing.F) {
	for _, b := range []string{dnsQuery, dnsAnswer, "\x02", "\x00\x01f\x00octet\x00", "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(b), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, back bool) {
		d, _ := Set(all).Find(Auto)
		a := d.NewDatagram(dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil }), dialoguetest.Conn, Options{})
		dir := session.ToServer
		if back {
			dir = session.ToClient
		}
		for range 2 {
			if v := a.Datagram(dir, b); len(v.Edits) > 0 || v.Drop {
				t.Errorf("%q is changed without a rule: %+v", b, v)
			}
		}
	})
}

// What nobody knows is as what cannot be decoded.
func TestAutoUnknown(t *testing.T) {
	nothing := dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
	for _, first := range []string{"\x00\x01", "GET it\r\n", strings.Repeat("x", 600)} {
		for _, exceed := range []string{"reset", "pass"} {
			d, _ := Set(all).Find(Auto)
			w := wiretest.New(t, d.New(nothing, dialoguetest.Conn, Options{Exceed: exceed}))
			w.Client(first)
			if reset := w.End == session.Reset; reset != (exceed == "reset") || len(w.Evidence()) != 1 || (w.ToServer() == "") != reset {
				t.Errorf("%.10q, exceed %s: end %v, evidence %v", first, exceed, w.End, w.Evidence())
			}
		}
	}
}

func FuzzAuto(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte(dialoguetest.Turn + "220 x\r\n" + dialoguetest.Turn + "EHLO a\r\n"))
	f.Add([]byte("\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _ := Set(all).Find(Auto)
		dialoguetest.Changed(t, b, func(r protocol.Rules) session.Inspector { return d.New(r, dialoguetest.Conn, Options{}) }, func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
	})
}
