package smtp

import (
	"strings"
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

var nothing = dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })

// only has a decoder publish elements of some kinds.
type only struct {
	dialoguetest.Rules
	kinds string
}

func (o only) Wants(kind string) bool { return strings.Contains(o.kinds, kind) }

// turns is a session: each side in turn, the server first.
type turns []string

func (ts turns) play(w *wiretest.Wire, size int) (server, client string) {
	for i, text := range ts {
		for b := text; b != ""; b = b[min(size, len(b)):] {
			if piece := b[:min(size, len(b))]; i%2 == 0 {
				w.Server(piece)
			} else {
				w.Client(piece)
			}
		}
		server += w.ToServer()
		client += w.ToClient()
	}
	return server, client
}

const mail = "From: a@b\r\nSubject: one\r\n two\r\n\r\nhello\r\n..dot\r\nlast\r\n.\r\n"

var sending = turns{"220 x ESMTP\r\n", "EHLO c\r\n", "250-x\r\n250 PIPELINING\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
	"250 ok\r\n250 ok\r\n354 go\r\n", mail, "250 queued\r\n", "QUIT\r\n", "221 bye\r\n"}

func (ts turns) sides() (server, client string) {
	for i, text := range ts {
		if i%2 == 0 {
			client += text
		} else {
			server += text
		}
	}
	return server, client
}

func TestElements(t *testing.T) {
	var got []string
	w := wiretest.New(t, decoder(dialoguetest.Rules(func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		what := e.Kind
		for _, f := range []string{"name", "value", "text", "address", "local", "domain"} {
			if v := dialoguetest.Text(e, f); v != "" {
				what += " " + v
			}
		}
		if cmd, _ := m.Lookup("command.name"); e.Kind == "reply" {
			what += " to " + cmd.(string)
		}
		got = append(got, what)
		return nil
	})))
	sending.play(w, 1000)
	text := strings.Join(got, "\n")
	for _, want := range []string{"command mail a@b a b\n", "command rcpt c@d c d\n", "reply x\nPIPELINING to ehlo", "reply go to data", "mail.header from a@b\n",
		"mail.header subject one two\n", "mail.line hello\n", "mail.line .dot\n", "reply queued to \n", "command quit\n", "reply bye to quit"} {
		if !strings.Contains(text+"\n", want) {
			t.Errorf("elements lack %q:\n%s", want, text)
		}
	}
}

// Where servers read a mail differently, rules see each reading.
func TestReadings(t *testing.T) {
	for name, tc := range map[string]struct{ mail, want string }{
		"a line that is no field":      {"A: b\r\ngarbage\r\nC: d\r\n e\r\n\r\nF: g\r\n", "header a=b, line garbage, header c=d e, line C: d, line  e, line F: g"},
		"the first line is none":       {" x\r\nA: b\r\n\r\n", "line  x, header a=b, line A: b"},
		"a colon without a name":       {": x\r\nA: b\r\n\r\n", "line : x, header a=b, line A: b"},
		"a line of a CR":               {"\r\r\nA: b\r\n\r\n", "line \r, header a=b, line A: b"},
		"blanks in front of the colon": {"A \t: b\r\n\r\n", "header a=b"},
		"a dot for the way":            {".A: b\r\n. c\r\n..D: e\r\n\r\n..\r\n", "header a=b c, header .d=e, line ."},
		"a lone line feed":             {"A: b\nC: d\n e\nF: g\r\n\r\n", "header a=b\nC: d\n e\nF: g, header c=d\n e, header f=g"},
		"a lone empty line":            {"A: b\nC: d\n\nE: f\r\n\r\n", "header a=b\nC: d\n\nE: f, header c=d"},
		"an LF and an empty line":      {"A: b\n\r\nC: d\r\n\r\n", "header a=b, header c=d"},
		"empty lines of a text":        {"A: b\r\n\r\n\r\nc\r\n\r\n", "header a=b, line , line c, line "},
		"no header":                    {"\r\nA: b\r\n", "line A: b"},
	} {
		for _, size := range []int{1, 1000} {
			var got []string
			w := wiretest.New(t, decoder(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
				switch e.Kind {
				case "mail.header":
					got = append(got, "header "+dialoguetest.Text(e, "name")+"="+dialoguetest.Text(e, "value"))
				case "mail.line":
					got = append(got, "line "+dialoguetest.Text(e, "text"))
				}
				return nil
			})))
			s := turns{"220 x\r\n", "DATA\r\n", "354 go\r\n", tc.mail + ".\r\n"}
			server, _ := s.play(w, size)
			if want, _ := s.sides(); server != want {
				t.Errorf("%s, in pieces of %d: the server got %q; want %q", name, size, server, want)
			}
			if text := strings.Join(got, ", "); text != tc.want {
				t.Errorf("%s, in pieces of %d: %q; want %q", name, size, text, tc.want)
			}
		}
	}
}

// Whatever rules ask for, a session that none corrects passes as it is.
func TestUnchanged(t *testing.T) {
	wantServer, wantClient := sending.sides()
	for _, kinds := range []string{"", "command reply", "mail.header", "mail.line", "mail.header mail.line command reply reply.line"} {
		for _, size := range []int{1, 7, 1000} {
			server, client := sending.play(wiretest.New(t, decoder(only{nothing, kinds})), size)
			if server != wantServer || client != wantClient {
				t.Errorf("wanted %q, in pieces of %d: the server got %q, the client %q", kinds, size, server, client)
			}
		}
	}
}

func TestEdits(t *testing.T) {
	on := func(kind, name string, c protocol.Correction) dialoguetest.Rules {
		return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind != kind || dialoguetest.Text(e, "name")+dialoguetest.Text(e, "text") != name {
				return nil
			}
			return &c
		}
	}
	cases := []struct {
		name     string
		rule     dialoguetest.Rules
		old, new string // in what the server gets
	}{
		{"address", on("command", "rcpt", protocol.Correction{Action: protocol.Set, Field: "address", Value: "z@z"}), "TO:<c@d>", "TO:<z@z>"},
		{"header removed with its folds", on("mail.header", "subject", protocol.Correction{Action: protocol.Remove}), "Subject: one\r\n two\r\n", ""},
		{"header set", on("mail.header", "subject", protocol.Correction{Action: protocol.Set, Field: "value", Value: "x"}), "one\r\n two", "x"},
		{"header inserted", on("mail.header", "from", protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{Fields: [][2]string{{"name", "X-A"}, {"value", "b"}}}}), "Subject", "X-A: b\r\nSubject"},
		{"line with a dot", on("mail.line", "hello", protocol.Correction{Action: protocol.Set, Field: "text", Value: "."}), "hello", ".."},
	}
	for _, tt := range cases {
		for _, size := range []int{1, 1000} {
			want, _ := sending.sides()
			want = strings.Replace(want, tt.old, tt.new, 1)
			if server, _ := sending.play(wiretest.New(t, decoder(tt.rule)), size); server != want {
				t.Errorf("%s, in pieces of %d: the server got %q; want %q", tt.name, size, server, want)
			}
		}
	}
}

// Addresses as RFC 5321 section 4.1.2 has them, and what servers take beside.
func TestAddresses(t *testing.T) {
	for argument, want := range map[string][3]string{
		"FROM:<a@b>":                         {"a@b", "a", "b"},
		"FROM:<>":                            {"", "", ""},
		"TO:<@x,@y:a@b>":                     {"a@b", "a", "b"},
		"TO:<@x:\"a:b\"@c>":                  {`"a:b"@c`, `"a:b"`, "c"},
		`TO:<"a>b"@c> NOTIFY=NEVER`:          {`"a>b"@c`, `"a>b"`, "c"},
		`TO:<"a\"> b"@c>`:                    {`"a\"> b"@c`, `"a\"> b"`, "c"},
		`TO:<"a@b">`:                         {`"a@b"`, `"a@b"`, ""},
		`TO:<"a@b"@[192.0.2.1]>`:             {`"a@b"@[192.0.2.1]`, `"a@b"`, "[192.0.2.1]"},
		"TO: < @x: a@b >":                    {"a@b", "a", "b"},
		"TO:phrase <a@b>":                    {"a@b", "a", "b"},
		`TO:"a <x@y>"<a@b>`:                  {"a@b", "a", "b"},
		"TO:a (b) <@x:c@d> ORCPT=rfc822;e@f": {"c@d", "c", "d"},
		"FROM:(<a@b> (<c>)) d@e":             {"d@e", "d", "e"},
		"FROM:<(c) @x:(c)a@b>":               {"a@b", "a", "b"},
		`FROM:"(a <b@c>`:                     {`"(a`, `"(a`, ""},
		`FROM:(\) <a@b>`:                     {`(\)`, `(\)`, ""},
		"FROM:(a) <c@d>":                     {"c@d", "c", "d"},
		"FROM:(a":                            {"(a", "(a", ""},
		"FROM:a@b AUTH=<c@d>":                {"a@b", "a", "b"},
		"FROM:a@b":                           {"a@b", "a", "b"},
		"FROM:<a@b":                          {"a@b", "a", "b"},
		"FROM:":                              {"", "", ""},
		"FROM":                               {"", "", ""},
	} {
		var got [3]string
		w := wiretest.New(t, decoder(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			for i, f := range []string{"address", "local", "domain"} {
				got[i] = dialoguetest.Text(e, f)
			}
			return nil
		})))
		if w.Client("MAIL " + argument + "\r\n"); got != want {
			t.Errorf("MAIL %s has %q; want %q", argument, got, want)
		}
	}
}

func TestReject(t *testing.T) {
	w := wiretest.New(t, decoder(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		switch {
		case dialoguetest.Text(e, "local") == "bad":
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 550}}
		case e.Kind == "mail.header" && dialoguetest.Text(e, "value") == "bad":
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 554, Reason: "no"}}
		}
		return nil
	})))
	server, client := turns{"220 x\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<\"bad\"@d>\r\nRCPT TO:<bad@d>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "250 1\r\n250 2\r\n250 3\r\n"}.play(w, 1000)
	if want := "MAIL FROM:<a@b>\r\nRCPT TO:<\"bad\"@d>\r\nRCPT TO:<c@d>\r\nDATA\r\n"; server != want {
		t.Errorf("the server got %q; want %q", server, want)
	}
	if want := "220 x\r\n250 1\r\n250 2\r\n550 Requested action not taken: mailbox unavailable\r\n250 3\r\n"; client != want {
		t.Errorf("the client got %q; want %q", client, want)
	}
	// A mail that is under way cannot be kept away without ending the session.
	server, client = turns{"354 go\r\n", "A: good\r\nB: bad\r\n\r\ntext\r\n.\r\n"}.play(w, 1000)
	if server != "A: good\r\n" || client != "354 go\r\n554 no\r\n" || w.End != session.Close {
		t.Errorf("a bad mail: the server got %q, the client %q, end %v; want the reply and the end", server, client, w.End)
	}
}

// Answers to challenges are no commands, TLS is not read, BDAT counts.
func TestOther(t *testing.T) {
	for name, ts := range map[string]turns{
		"auth":     {"220 x\r\n", "AUTH LOGIN\r\n", "334 VXNlcg==\r\n", "REFUSED\r\n", "334 UGFzcw==\r\n", "REFUSED x\r\n", "235 in\r\n", "NOOP\r\n", "250 ok\r\n"},
		"starttls": {"220 x\r\n", "STARTTLS\r\n", "220 go\r\n", "\x16\x03\x01REFUSED\r\n", "\x16\x03\x03"},
		"bdat":     {"220 x\r\n", "EHLO c\r\n", "250-x\r\n250-chunking\r\n250 HELP\r\n", "BDAT 9 LAST\r\nREFUSED\r\nbdat 1\r\nxNOOP\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n"},
		"vt":       {"220 x\r\n", "DATA\v\r\n", "354 go\r\n", "REFUSED\r\n.\r\n", "250 ok\r\n"},
		"no data":  {"220 x\r\n", "DATA\r\n", "503 no\r\n", "NOOP\r\n", "250 ok\r\n"},
	} {
		refuse := dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			if dialoguetest.Text(e, "name") == "refused" {
				return &protocol.Correction{Action: protocol.Reset}
			}
			return nil
		})
		for _, size := range []int{1, 1000} {
			wantServer, wantClient := ts.sides()
			if server, client := ts.play(wiretest.New(t, decoder(refuse)), size); server != wantServer || client != wantClient {
				t.Errorf("%s, in pieces of %d: the server got %q, the client %q", name, size, server, client)
			}
		}
	}
}

// A BDAT that comes with the EHLO waits for what the server offers.
func TestBDATWaits(t *testing.T) {
	w := wiretest.New(t, decoder(nothing))
	for _, turn := range []struct{ client, server, reply string }{
		{"EHLO c\r\nMAIL FROM:<a@b>\r\nBDAT 9 LAST\r\nREFUSED\r\n", "EHLO c\r\nMAIL FROM:<a@b>\r\n", "220 x\r\n"},
		{"", "", "250-x\r\n250-SIZE\r\n"},
		{"", "BDAT 9 LAST\r\nREFUSED\r\n", "250 CHUNKING\r\n"},
	} {
		w.Client(turn.client)
		w.Server(turn.reply)
		if got := w.ToServer(); got != turn.server {
			t.Errorf("after %q and %q the server got %q; want %q", turn.client, turn.reply, got, turn.server)
		}
	}
}

func TestFaults(t *testing.T) {
	for name, ts := range map[string]turns{
		"command slipped in before TLS":   {"220 x\r\n", "STARTTLS\r\nNOOP\r\n"},
		"end of a mail with a bare LF":    {"220 x\r\n", "DATA\r\n", "354 go\r\n", "a\n.\r\nMAIL FROM:<x@y>\r\n"},
		"end of a mail with two bare LFs": {"220 x\r\n", "DATA\r\n", "354 go\r\n", "a\n.\nMAIL FROM:<x@y>\r\n"},
		"end of a mail with bare CRs":     {"220 x\r\n", "DATA\r\n", "354 go\r\n", "a\r.\rb\r\n"},
		"dot and bare LF on a line":       {"220 x\r\n", "DATA\r\n", "354 go\r\n", "a\r\n.\nb\r\n"},
		"BDAT that was not offered":       {"220 x\r\n", "EHLO c\r\n", "250-CHUNKING\r\n250 SIZE\r\n", "BDAT 9\r\nREFUSED\r\n"},
		"BDAT behind a HELO":              {"220 x\r\n", "EHLO c\r\nHELO c\r\n", "250-x\r\n250 CHUNKING\r\n250 x\r\n", "BDAT 9\r\nREFUSED\r\n"},
		"BDAT of more than 31 bits":       {"220 x\r\n", "EHLO c\r\n", "250-x\r\n250 CHUNKING\r\n", "BDAT 4294967305\r\nREFUSED\r\n"},
		"BDAT with a third word":          {"220 x\r\n", "EHLO c\r\n", "250-x\r\n250 CHUNKING\r\n", "BDAT 9 LAST x\r\nREFUSED\r\n"},
		"CR within a command":             {"220 x\r\n", "NOOP\rMAIL\r\n"},
	} {
		for _, size := range []int{1, 1000} {
			w := wiretest.New(t, decoder(nothing))
			if ts.play(w, size); w.End != session.Reset {
				t.Errorf("%s, in pieces of %d: end %v; want a reset", name, size, w.End)
			}
		}
	}
}

func FuzzSMTP(f *testing.F) {
	script := dialoguetest.Turn + strings.Join(sending, dialoguetest.Turn)
	f.Add([]byte(script), uint64(1))
	f.Add([]byte("EHLO a\r\n"+dialoguetest.Turn+"220 x\r\n250-a\r\n250 CHUNKING\r\n"+dialoguetest.Turn+"BDAT 3\r\nabcAUTH PLAIN\r\n"+dialoguetest.Turn+"250 a\r\n334 \r\n"+dialoguetest.Turn+"x\r\n"), uint64(2))
	f.Add([]byte("DATA\r\n"+dialoguetest.Turn+"220 x\r\n354 a\r\n"+dialoguetest.Turn+"A: b\r\n c\r\n\r\n.\n..\r\n.\r\n"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		dialoguetest.Unchanged(t, b, decoder)
		dialoguetest.Changed(t, b, decoder, dialoguetest.Everything(seed))
	})
}
