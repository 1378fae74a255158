package decoders

import (
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue/dialoguetest"
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
		{"mqtt", []string{mqtt}, "mqtt"},
		{"smtp by its greeting", []string{"", "220 x ESMTP\r\n", "EHLO a\r\n"}, "smtp"},
		{"ftp by its greeting", []string{"", "220-Welcome\r\n220 FTP server\r\n", "USER a\r\n"}, "ftp"},
		{"smtp by its first word", []string{"", "220 ready\r\n", "EHLO a\r\n", "250 a\r\n"}, "smtp"},
		{"ftp by its first word", []string{"", "220 ready\r\n", "USER a\r\n", "331 a\r\n"}, "ftp"},
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
			d, _ := Set(all).Find(Auto)
			w := dialoguetest.New(t, d.New(rules, dialoguetest.Conn, Options{}))
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

// What nobody knows is as what cannot be decoded.
func TestAutoUnknown(t *testing.T) {
	nothing := dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
	for _, first := range []string{"\x00\x01", "GET it\r\n", strings.Repeat("x", 600)} {
		for _, exceed := range []string{"reset", "pass"} {
			d, _ := Set(all).Find(Auto)
			w := dialoguetest.New(t, d.New(nothing, dialoguetest.Conn, Options{Exceed: exceed}))
			w.Client(first)
			if reset := w.End == session.Reset; reset != (exceed == "reset") || len(w.Evidence) != 1 || (w.ToServer() == "") != reset {
				t.Errorf("%.10q, exceed %s: end %v, evidence %v", first, exceed, w.End, w.Evidence)
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
