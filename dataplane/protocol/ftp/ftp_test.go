package ftp

import (
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/protocol/dialogue/dialoguetest"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

func decoder(r protocol.Rules) session.Inspector {
	return New(r, dialoguetest.Conn, dialogue.Options{})
}

// on makes a rule that does c with the elements of a kind for which when holds.
func on(kind string, c protocol.Correction, when func(e *protocol.Element) bool) dialoguetest.Rules {
	return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		if e.Kind != kind || !when(e) {
			return nil
		}
		return &c
	}
}

func named(name string) func(*protocol.Element) bool {
	return func(e *protocol.Element) bool { return dialoguetest.Text(e, "name") == name }
}

// A refused command is answered in its turn, and the session goes on.
func TestReject(t *testing.T) {
	w := wiretest.New(t, decoder(on("command", protocol.Correction{Action: protocol.Reject,
		Reply: &protocol.Reply{Status: 500, Reason: "The given address is not yours"}}, func(e *protocol.Element) bool {
		a := dialoguetest.Text(e, "address")
		return a != "" && a != dialoguetest.Conn.ClientAddress
	})))
	w.Server("220-Hello\r\n 220 not yet\r\n220 ready\r\n")
	w.Client("USER a\r\nPORT 10,77,0,2,1,2\r\npwd\r\n")
	if got := w.ToServer(); got != "USER a\r\npwd\r\n" {
		t.Errorf("the server got %q; want no PORT", got)
	}
	w.Server("331 password\r\n257 \"/\"\r\n")
	want := "220-Hello\r\n 220 not yet\r\n220 ready\r\n331 password\r\n500 The given address is not yours\r\n257 \"/\"\r\n"
	if got := w.ToClient(); got != want {
		t.Errorf("the client got %q; want %q", got, want)
	}
	w.Client("EPRT |2|fd77::9|4000|\r\n")
	if got := w.ToClient(); got != "500 The given address is not yours\r\n" {
		t.Errorf("with nothing outstanding the client got %q", got)
	}
	w.Client("PORT 10,77,0,1,1,2\r\n")
	if got := w.ToServer(); got != "PORT 10,77,0,1,1,2\r\n" {
		t.Errorf("the server got %q; want the PORT of the client's own address", got)
	}
}

// What comes at once is judged one after the other then, and a transfer under way
// can be ended all the same.
func TestAwaits(t *testing.T) {
	failed := false
	rules := dialoguetest.Awaiting{Rules: func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		failed = failed || dialoguetest.Number(e, "code") == 530
		if dialoguetest.Text(e, "name") == "pass" && failed {
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 421, Reason: "no more"}}
		}
		return nil
	}}
	w := wiretest.New(t, decoder(rules))
	step := func(from func(string), sends, server, client string) {
		t.Helper()
		from(sends)
		if s, c := w.ToServer(), w.ToClient(); s != server || c != client {
			t.Errorf("behind %q the server got %q, the client %q; want %q and %q", sends, s, c, server, client)
		}
	}
	toServer, toClient := func(s string) { w.Client(s) }, func(s string) { w.Server(s) }
	step(toServer, "PASS a\r\nPASS b\r\nRETR x\r\n", "", "")
	step(toClient, "220 ready\r\n", "PASS a\r\n", "220 ready\r\n")
	step(toClient, "530 no\r\n", "RETR x\r\n", "530 no\r\n421 no more\r\n")
	step(toServer, "ABOR\r\n", "", "")
	step(toClient, "150 here it is\r\n", "ABOR\r\n", "150 here it is\r\n")
	step(toServer, "NOOP\r\n", "NOOP\r\n", "")
	step(toClient, "426 cut\r\n226 done\r\n200 ok\r\n", "", "426 cut\r\n226 done\r\n200 ok\r\n")
	w.Client("NOOP\r\nQUIT\r\n")
	w.Feed(session.ToServer, nil, true)
	if got := w.ToServer(); got != "NOOP\r\n" || w.End != session.Reset {
		t.Errorf("at the end of the stream the server got %q, end %d; want the first command, and a reset", got, w.End)
	}
}

// A reject with nothing to say ends the session without a reply, behind the
// replies that are owed.
func TestRejectSilently(t *testing.T) {
	w := wiretest.New(t, decoder(on("command", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Close: true}}, named("bad"))))
	w.Server("220 x\r\n")
	w.Client("NOOP\r\nBAD\r\nNOOP\r\n")
	if got := w.ToServer(); got != "NOOP\r\n" || w.End != session.Continue {
		t.Errorf("the server got %q, end %v; want the first command alone", got, w.End)
	}
	w.Server("200 ok\r\n")
	if got := w.ToClient(); got != "220 x\r\n200 ok\r\n" || w.End != session.Close {
		t.Errorf("the client got %q, end %v; want the reply that was owed, and the end", got, w.End)
	}
}

func TestEdits(t *testing.T) {
	cases := []struct {
		name   string
		rule   dialoguetest.Rules
		client string
		server string
		want   [2]string // at the server, at the client
	}{
		{"argument cut", on("command", protocol.Correction{Action: protocol.Set, Field: "argument", Value: "ab"}, named("stor")),
			"STOR abcdef\r\n", "150 ok\r\n226 done\r\n", [2]string{"STOR ab\r\n", "150 ok\r\n226 done\r\n"}},
		{"argument where there was none", on("command", protocol.Correction{Action: protocol.Set, Field: "argument", Value: "x"}, named("list")),
			"LIST\r\n", "", [2]string{"LIST x\r\n", ""}},
		{"removed", on("command", protocol.Correction{Action: protocol.Remove}, named("site")),
			"SITE CPFR a\nNOOP\n", "", [2]string{"NOOP\n", ""}},
		{"reply of one line", on("reply", protocol.Correction{Action: protocol.Set, Field: "text", Value: "no version"}, func(e *protocol.Element) bool { return dialoguetest.Number(e, "code") == 215 }),
			"SYST\r\n", "215 UNIX 1.2.3\r\n", [2]string{"SYST\r\n", "215 no version\r\n"}},
		{"line of a reply", on("reply.line", protocol.Correction{Action: protocol.Remove}, func(e *protocol.Element) bool { return dialoguetest.Text(e, "text") == " MDTM" }),
			"FEAT\r\n", "211-Features\r\n MDTM\r\n SIZE\r\n211 End\r\n", [2]string{"FEAT\r\n", "211-Features\r\n SIZE\r\n211 End\r\n"}},
	}
	for _, tt := range cases {
		for _, size := range []int{1, 1000} {
			w := wiretest.New(t, decoder(tt.rule))
			w.Server("220 x\r\n")
			w.ToClient()
			for b := tt.client; b != ""; b = b[min(size, len(b)):] {
				w.Client(b[:min(size, len(b))])
			}
			for b := tt.server; b != ""; b = b[min(size, len(b)):] {
				w.Server(b[:min(size, len(b))])
			}
			if got := [2]string{w.ToServer(), w.ToClient()}; got != tt.want {
				t.Errorf("%s, in pieces of %d: %q; want %q", tt.name, size, got, tt.want)
			}
		}
	}
}

// What servers read differently, and what nobody can read, ends the session by
// policy.
func TestFaults(t *testing.T) {
	for _, b := range []string{"PO\x00RT 1\r\n", "PORT\r1,2\r\n", "PO\xff\xf1RT 1,2,3,4,5,6\r\n", string(make([]byte, maxLine+1))} {
		w := wiretest.New(t, decoder(dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })))
		w.Client(b)
		if w.End != session.Reset || len(w.Evidence()) != 1 || w.ToServer() != "" {
			t.Errorf("%.20q: end %v, evidence %v; want a reset that says why", b, w.End, w.Evidence())
		}
	}
}

// The interrupt that clients send in front of ABOR passes.
func TestAbort(t *testing.T) {
	seen := ""
	w := wiretest.New(t, decoder(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		seen += dialoguetest.Text(e, "name")
		return nil
	})))
	w.Client("\xff\xf4\xff\xf2ABOR\r\n")
	if got := w.ToServer(); got != "\xff\xf4\xff\xf2ABOR\r\n" || seen != "abor" {
		t.Errorf("the server got %q, the rules saw %q", got, seen)
	}
}

// After AUTH all passes, and nothing may be slipped in before its reply.
func TestAuth(t *testing.T) {
	nothing := dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
	w := wiretest.New(t, decoder(nothing))
	w.Server("220 x\r\n")
	w.Client("AUTH TLS\r\n")
	w.Server("234 go\r\n")
	w.Client("\x16\x03\x01")
	w.Server("\x16\x03\x03")
	if got := w.ToServer(); got != "AUTH TLS\r\n\x16\x03\x01" || w.End != session.Continue {
		t.Errorf("the server got %q, end %v", got, w.End)
	}
	if got := w.ToClient(); got != "220 x\r\n234 go\r\n\x16\x03\x03" {
		t.Errorf("the client got %q", got)
	}
	w = wiretest.New(t, decoder(nothing))
	w.Client("AUTH TLS\r\nPORT 1,2,3,4,5,6\r\n")
	if w.End != session.Reset {
		t.Errorf("a command slipped in behind AUTH: end %v; want a reset", w.End)
	}
}

func FuzzFTP(f *testing.F) {
	f.Add([]byte("USER a\r\n\n~\n220 x\r\n331 y\r\n\n~\nPORT 1,2,3,4,5,6\r\nEPRT |1|1.2.3.4|5|\r\n\n~\n200-a\r\n b\r\n200 c\r\n"), uint64(1))
	f.Add([]byte("AUTH TLS\r\n\n~\n220 x\r\n234 y\r\n\n~\n\x16\x03"), uint64(2))
	f.Add([]byte("\xff\xf4ABOR\n\n~\n227 =(1,2,3,4,5,6)\r\n229 (|||7|)\r\n"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		dialoguetest.Unchanged(t, b, decoder)
		dialoguetest.Changed(t, b, decoder, dialoguetest.Everything(seed))
	})
}
