package decoders

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue/dialoguetest"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// The descriptions of these tests, beside those that ship.
var descriptions = map[string]string{
	"pop3": `
protocol: pop3
title: Post Office Protocol 3
greets: true
lines:
  passes: {command: '(?i)^stls$', reply: '^\+OK'}
  server:
    follows:
      - {command: '(?i)^(retr|top|capa)\b|^(list|uidl)$', line: '^\+OK', until: "."}
`,
	"memcached": `
protocol: memcached
title: The text protocol of memcached
lines:
  client:
    alone: ' noreply$|^quit$'
    follows:
      - {line: '^(?:set|add|replace|append|prepend) [^ ]+ [0-9]+ -?[0-9]+ ([0-9]+)', octets: 1, plus: 2}
  server:
    follows:
      - {line: '^VALUE [^ ]+ [0-9]+ ([0-9]+)', octets: 1, plus: 2, more: true}
      - {line: '^STAT ', more: true}
`,
	"modbus": `
protocol: modbus
title: Modbus over TCP
binary:
  order: big
  ordered: true
  client:
    length: {field: length, plus: 6}
    fields:
      - {name: transaction, number: 2}
      - {name: protocol, number: 2}
      - {name: length, number: 2}
      - {name: unit, number: 1}
      - {name: code, number: 1}
      - {name: address, number: 2}
      - {name: quantity, number: 2, when: {code: [1, 3, 16]}}
      - {name: bytes, number: 1, when: {code: [16]}}
      - {name: register, repeat: quantity, when: {code: [16]}, fields: [{name: value, number: 2}]}
  server:
    length: {field: length, plus: 6}
    fields: [{name: transaction, number: 2}, {name: protocol, number: 2}, {name: length, number: 2}, {name: unit, number: 1}, {name: code, number: 1}, {name: data, rest: true}]
`,
	"long": `
protocol: long
title: Lengths of eight octets
binary:
  order: big
  client: {length: {field: length, plus: 65536}, fields: [{name: length, number: 8}, {name: long, number: 8}, {name: text, octets: long, plus: 65536}, {name: all, rest: true}]}
  server: {length: {field: length}, fields: [{name: length, number: 8}, {name: all, rest: true}]}
`,
	"records": `
protocol: records
title: Of these tests, over UDP
over: [udp]
binary:
  order: little
  client:
    fields:
      - {name: kind, number: 1}
      - {name: title, until: 0}
      - {name: record, repeat: rest, fields: [{name: long, number: 2}, {name: text, octets: long}]}
  server:
    fields: [{name: all, rest: true}]
`,
}

// ofText returns the decoder of a description.
func ofText(t testing.TB, name string) Decoder {
	t.Helper()
	if text, ok := descriptions[name]; ok {
		d, err := patch.ParseProtocol(name+".yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return ofDescription(d)
	}
	d, err := patch.ReadProtocol("../../definitions/protocols/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return ofDescription(d)
}

// tell notes elements as "kind field=value …" and corrects those for which how
// has something.
func tell(into *[]string, how map[string]protocol.Correction) dialoguetest.Rules {
	return func(m *protocol.Message, e *protocol.Element) *protocol.Correction {
		text := e.Kind
		for _, f := range e.Fields {
			text += fmt.Sprintf(" %s=%v", f.Name, f.Value)
		}
		if v, ok := m.Lookup("command.name"); ok && e.Kind == "reply" {
			text += fmt.Sprintf(" to=%v", v)
		}
		*into = append(*into, text)
		for has, c := range how {
			if strings.Contains(text, has) {
				return &c
			}
		}
		return nil
	}
}

func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

const resp = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$7\r\nv\r\nalue\r\n"

var setRequest = unhex("80 01 0003 08 00 0000 00000010 00000007 0000000000000000 0000000000000000 6b6579 76616c7565")

// What follows by itself cannot be set.
func TestDescribedFollows(t *testing.T) {
	d, err := patch.ParseProtocol("t.yaml", []byte(descriptions["modbus"]))
	if err != nil {
		t.Fatal(err)
	}
	fields := d.Schema().Elements["client.message"].Fields
	for name, want := range map[string]bool{"length": false, "quantity": false, "bytes": true, "code": true} {
		if fields[name].Settable != want {
			t.Errorf("%s can be set: %t; want %t", name, !want, want)
		}
	}
}

func TestDescribed(t *testing.T) {
	set := func(field, value string) protocol.Correction {
		return protocol.Correction{Action: protocol.Set, Field: field, Value: value}
	}
	insert := func(fields ...[2]string) protocol.Correction {
		return protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{Fields: fields}}
	}
	reject := func(raw string) protocol.Correction {
		return protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: raw}}
	}
	drop := protocol.Correction{Action: protocol.Drop}
	remove := protocol.Correction{Action: protocol.Remove}
	cases := []struct {
		name, protocol string
		how            map[string]protocol.Correction
		sent, want     []string // client and server in turn, the client first
		tells          []string
	}{
		{"an inline command", "redis", nil, []string{"SET key  value\r\n", "+OK\r\n"}, nil,
			[]string{"command name=set argument=key  value line=SET key  value items=3", "command.item value=key counted=false", "reply name=+ok argument= line=+OK items=1 size=5 to=set"}},
		{"counted items", "redis", nil, []string{resp + resp, "*2\r\n$1\r\na\r\n$-1\r\n:1\r\n"}, nil,
			[]string{"command name=set argument=key v\r\nalue line=*3 items=3", "command.item value=v\r\nalue counted=true", "reply name=a", "reply name=:1"}},
		{"a counted item longer", "redis", map[string]protocol.Correction{"item value=key": set("value", "a longer key")}, []string{resp},
			[]string{strings.Replace(resp, "$3\r\nkey", "$12\r\na longer key", 1)}, nil},
		{"a counted item removed", "redis", map[string]protocol.Correction{"item value=key": remove}, []string{resp},
			[]string{"*2\r\n$3\r\nSET\r\n$7\r\nv\r\nalue\r\n"}, nil},
		{"a counted item inserted", "redis", map[string]protocol.Correction{"item value=key": insert([2]string{"value", "xx"})}, []string{resp},
			[]string{"*4\r\n$3\r\nSET\r\n$3\r\nkey\r\n$2\r\nxx\r\n$7\r\nv\r\nalue\r\n"}, nil},
		{"a word removed", "redis", map[string]protocol.Correction{"item value=b": remove}, []string{"DEL a b c\r\n"}, []string{"DEL a c\r\n"}, nil},
		{"refused in its turn", "redis", map[string]protocol.Correction{"command name=flushall": reject("-ERR no\r\n")},
			[]string{"PING\r\nflushall\r\nPING\r\n", "+PONG\r\n+PONG\r\n"}, []string{"PING\r\nPING\r\n", "+PONG\r\n-ERR no\r\n+PONG\r\n"}, nil},
		{"a block of lines", "pop3", map[string]protocol.Correction{"line text=.two": set("text", ".2")},
			[]string{"", "+OK hi\r\n", "RETR 1\r\nLIST 1\r\nLIST\r\n", "+OK\r\none\r\n..two\r\n.\r\n+OK 1 2\r\n+OK\r\n.\r\n"},
			[]string{"", "+OK hi\r\n", "RETR 1\r\nLIST 1\r\nLIST\r\n", "+OK\r\none\r\n..2\r\n.\r\n+OK 1 2\r\n+OK\r\n.\r\n"},
			[]string{"reply.line text=one", "reply.line text=.two", "line=+OK 1 2 items=3 size=9 to=list"}},
		{"refused behind a block", "pop3", map[string]protocol.Correction{"name=dele": reject("-ERR no\r\n")},
			[]string{"", "+OK hi\r\n", "RETR 1\r\nDELE 1\r\nNOOP\r\n", "+OK\r\none\r\n.\r\n+OK\r\n"},
			[]string{"", "+OK hi\r\n", "RETR 1\r\nNOOP\r\n", "+OK\r\none\r\n.\r\n-ERR no\r\n+OK\r\n"}, nil},
		{"all passes behind TLS", "pop3", map[string]protocol.Correction{"name=dele": drop},
			[]string{"", "+OK hi\r\n", "STLS\r\n", "+OK go\r\n", "DELE 1\r\n"}, nil, nil},
		{"data behind a line", "memcached", map[string]protocol.Correction{"command.data value=abc": set("value", "longer than it was")},
			[]string{"set k 0 0 3\r\nabc\r\nget k\r\n", "STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\n"},
			[]string{"set k 0 0 18\r\nlonger than it was\r\nget k\r\n", "STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\n"},
			[]string{"reply.data value=abc", "reply name=value argument=k 0 3 line=VALUE k 0 3 items=4 size=23 to=get"}},
		{"data that is too long to be held", "memcached", map[string]protocol.Correction{"size=": drop},
			[]string{"set k 0 0 100000\r\n" + strings.Repeat("x", 100000) + "\r\n"}, []string{""}, nil},
		{"a binary value longer", "memcached-binary", map[string]protocol.Correction{"client.message": set("value", "longer value")}, []string{setRequest},
			[]string{unhex("80 01 0003 08 00 0000 00000017 00000007 0000000000000000 0000000000000000 6b6579") + "longer value"},
			[]string{"opcode=1 key_length=3 extras_length=8 data_type=0 vbucket=0 body_length=16 opaque=7", "key=key value=value malformed=false"}},
		{"a binary key longer", "memcached-binary", map[string]protocol.Correction{"client.message": set("key", "longer")}, []string{setRequest},
			[]string{unhex("80 01 0006 08 00 0000 00000013 00000007 0000000000000000 0000000000000000") + "longervalue"}, nil},
		{"a number that would give other fields", "modbus", map[string]protocol.Correction{"client.message": set("code", "3")},
			[]string{unhex("0001 0000 000b 01 10 0004 0002 04 0001 0002")}, nil, nil},
		{"a number that gives the same", "modbus", map[string]protocol.Correction{"client.message": set("code", "1")},
			[]string{unhex("0001 0000 0006 01 03 0004 0002")}, []string{unhex("0001 0000 0006 01 01 0004 0002")}, nil},
		{"a group removed", "modbus", map[string]protocol.Correction{"register value=2": remove},
			[]string{unhex("0001 0000 000b 01 10 0004 0002 04 0001 0002")}, []string{unhex("0001 0000 0009 01 10 0004 0001 04 0001")},
			[]string{"client.message transaction=1 protocol=0 length=11 unit=1 code=16 address=4 quantity=2 bytes=4 malformed=false"}},
		{"a group inserted", "modbus", map[string]protocol.Correction{"register value=2": insert([2]string{"value", "9"})},
			[]string{unhex("0001 0000 000b 01 10 0004 0002 04 0001 0002")}, []string{unhex("0001 0000 000d 01 10 0004 0003 04 0001 0002 0009")}, nil},
		{"a number set, and what is missing", "modbus", map[string]protocol.Correction{"client.message": set("address", "258")},
			[]string{unhex("0001 0000 0006 01 03 0004 0001")}, []string{unhex("0001 0000 0006 01 03 0102 0001")}, nil},
		{"a message that is too short", "modbus", nil, []string{unhex("0001 0000 0003 01 03 00")}, nil,
			[]string{"code=3 address=0 quantity=0 bytes=0 malformed=true fault=address reaches beyond the message"}},
	}
	for _, tt := range cases {
		if tt.want == nil {
			tt.want = tt.sent
		}
		for _, size := range []int{1, 100_000} {
			var told []string
			w := wiretest.New(t, ofText(t, tt.protocol).New(tell(&told, tt.how), dialoguetest.Conn, Options{}))
			for i, text := range tt.sent {
				for b := text; b != ""; b = b[min(size, len(b)):] {
					w.Feed(session.Direction(i%2), []byte(b[:min(size, len(b))]), false)
				}
			}
			want := [2]string{}
			for i, text := range tt.want {
				want[i%2] += text
			}
			if got := [2]string{w.ToServer(), w.ToClient()}; got != want {
				t.Errorf("%s, in pieces of %d: arrived %.300q; want %.300q; %+v", tt.name, size, got, want, w.Evidence())
			}
			for _, text := range tt.tells {
				if !strings.Contains(strings.Join(told, "\n"), text) {
					t.Errorf("%s: elements lack %q:\n%s", tt.name, text, strings.Join(told, "\n"))
				}
			}
		}
	}
}

func TestDescribedDatagrams(t *testing.T) {
	message := unhex("07 6869 00 0200 6161 0100 62")
	var told []string
	d := ofText(t, "records").NewDatagram(tell(&told, map[string]protocol.Correction{
		"record long=2": {Action: protocol.Set, Field: "text", Value: "longer"},
		"kind=9":        {Action: protocol.Reject, Reply: &protocol.Reply{Raw: "no"}},
	}), dialoguetest.Conn, Options{})
	v := d.Datagram(session.ToServer, []byte(message))
	got := message
	for i := len(v.Edits) - 1; i >= 0; i-- {
		e := v.Edits[i]
		got = got[:e.Start] + string(e.With) + got[e.End:]
	}
	if want := unhex("07 6869 00 0600") + "longer" + unhex("0100 62"); got != want || v.Drop {
		t.Errorf("corrected to %x; want %x (%q)", got, want, told)
	}
	if v := d.Datagram(session.ToServer, []byte(unhex("09 00"))); !v.Drop || string(v.Reply) != "no" {
		t.Errorf("a refused datagram: %+v", v)
	}
	if v := d.Datagram(session.ToClient, []byte("x")); v.Drop || v.Undecodable != "" || len(v.Edits) != 0 {
		t.Errorf("an answer: %+v", v)
	}
}

func FuzzDescribed(f *testing.F) {
	names := []string{"redis", "pop3", "memcached", "memcached-binary", "modbus"}
	f.Add(uint8(0), uint64(1), []byte(resp+dialoguetest.Turn+"+OK\r\n*2\r\n$1\r\na\r\n$-1\r\n"))
	f.Add(uint8(1), uint64(2), []byte("RETR 1\r\nSTLS\r\n"+dialoguetest.Turn+"+OK\r\n+OK\r\na\r\n..\r\n.\r\n+OK\r\n"))
	f.Add(uint8(2), uint64(3), []byte("set k 0 0 3\r\nabc\r\nget k\r\n"+dialoguetest.Turn+"STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\n"))
	f.Add(uint8(3), uint64(4), []byte(setRequest))
	f.Add(uint8(4), uint64(5), []byte(unhex("0001 0000 000b 01 10 0004 0002 04 0001 0002")))
	decs := map[string]Decoder{}
	for _, n := range append(names, "records") {
		decs[n] = ofText(f, n)
	}
	f.Fuzz(func(t *testing.T, which uint8, seed uint64, b []byte) {
		d := decs[names[int(which)%len(names)]]
		decoder := func(r protocol.Rules) session.Inspector { return d.New(r, dialoguetest.Conn, Options{}) }
		dialoguetest.Unchanged(t, b, decoder)
		dialoguetest.Changed(t, b, decoder, dialoguetest.Everything(seed))
		decs["records"].NewDatagram(dialoguetest.Everything(seed), dialoguetest.Conn, Options{}).Datagram(session.ToServer, b)
	})
}

// TLS of NATS begins behind the server's INFO, or in front of it, without a command.
func TestPassesAt(t *testing.T) {
	tls := "\x16\x03\x01\x02\x00\x01\x00\n\x00\x0d\x0a" + strings.Repeat("\x00", 100)
	for _, tt := range []struct {
		name, first, client string
		passes              bool
	}{
		{"behind INFO", "INFO {\"tls_required\":true}\r\n", tls, true},
		{"in front of it", "", tls, true},
		{"behind a command", "INFO {}\r\n", "PING\r\n" + tls, true},
		{"within a message", "INFO {}\r\n", "PUB a 2\r\n\x16\x03\r\nPUB\x00\r\n", false},
		{"other octets", "INFO {}\r\n", "\x16\x02\x00\r\n", false},
	} {
		for _, size := range []int{1, 1000} {
			var seen []string
			w := wiretest.New(t, ofText(t, "nats").New(tell(&seen, nil), dialoguetest.Conn, Options{}))
			w.Server(tt.first)
			for b := tt.client; b != ""; b = b[min(size, len(b)):] {
				w.Client(b[:min(size, len(b))])
			}
			w.Server("\x16\x03\x03")
			if got := w.ToServer(); (got == tt.client) != tt.passes || (w.End == session.Continue) != tt.passes {
				t.Errorf("%s, in pieces of %d: the server got %q, end %v; want all of it: %v", tt.name, size, got, w.End, tt.passes)
			}
		}
	}
}

// A message that comes octet by octet is not read from its beginning each time,
// whether what comes is a line, data, or many lines.
func TestMessageInOctets(t *testing.T) {
	items := "*4000\r\n" + strings.Repeat("$1\r\na\r\n", 3999)
	for _, tt := range []struct {
		name, protocol string
		dir            session.Direction
		data           string
	}{
		{"an item of a command", "redis", session.ToServer, items + "$8000\r\n" + strings.Repeat("a", 8000)},
		{"a line of a command", "redis", session.ToServer, items + strings.Repeat("a", 8000)},
		{"items of a command", "redis", session.ToServer, items},
		{"an item of a reply", "redis", session.ToClient, items + "$8000\r\n" + strings.Repeat("a", 8000)},
		{"lines of a reply", "memcached", session.ToClient, strings.Repeat("STAT \r\n", 8000)},
	} {
		var seen []string
		read := func() session.Inspector {
			return ofText(t, tt.protocol).New(tell(&seen, nil), dialoguetest.Conn, Options{})
		}
		data := []byte(tt.data)
		start := time.Now()
		for range 10 {
			read().Inspect(tt.dir, data, false)
		}
		whole := time.Since(start) / 10
		d, start := read(), time.Now()
		for n := range data {
			if v := d.Inspect(tt.dir, data[:n+1], false); v.Release != 0 || v.End != session.Continue {
				t.Fatalf("%s: after %d octets %+v", tt.name, n, v)
			}
		}
		if took := time.Since(start); took > 500*whole {
			t.Errorf("%s, octet by octet: took %v; the whole takes %v", tt.name, took, whole)
		}
	}
}

// What was read of a message that a rule keeps away, or that a block follows, is
// no part of the next.
func TestMessageBehindPieces(t *testing.T) {
	refused := map[string]protocol.Correction{"name=set": {Action: protocol.Reject, Reply: &protocol.Reply{Raw: "ERROR\r\n"}}}
	for _, end := range []string{"99999999999999\r\n", "100000\r\n"} {
		var told []string
		w := wiretest.New(t, ofText(t, "memcached").New(tell(&told, refused), dialoguetest.Conn, Options{}))
		for _, b := range []byte("get a\r\nset k 0 0 " + end) {
			w.Client(string(b))
		}
		w.Server("END\r\n")
		if to, from := w.ToServer(), w.ToClient(); to != "get a\r\n" || from != "END\r\nERROR\r\n" {
			t.Errorf("%q: the server got %q, the client %q; %+v", end, to, from, w.Evidence())
		}
	}
	var told []string
	w := wiretest.New(t, ofText(t, "pop3").New(tell(&told, nil), dialoguetest.Conn, Options{}))
	w.Server("+OK hi\r\n")
	w.Client("RETR 1\r\nNOOP\r\n")
	text := "+OK\r\none\r\n.\r\n+OK noop\r\n"
	for _, b := range []byte(text) {
		w.Server(string(b))
	}
	if got := w.ToClient(); !strings.HasSuffix(got, text) || !strings.Contains(strings.Join(told, "\n"), "line=+OK noop items=2 size=10 to=noop") {
		t.Errorf("the client got %q; seen\n%s", got, strings.Join(told, "\n"))
	}
	// The command of a reply under way may come behind its beginning.
	told = nil
	w = wiretest.New(t, ofText(t, "pop3").New(tell(&told, nil), dialoguetest.Conn, Options{}))
	w.Server("+OK hi\r\n+OK")
	w.Client("RETR 1\r\n")
	if w.Server("\r\none\r\n.\r\n"); !strings.Contains(strings.Join(told, "\n"), "reply.line text=one") {
		t.Errorf("a reply that began before its command came: seen\n%s", strings.Join(told, "\n"))
	}
}

// Lengths near the ends of what numbers hold are read as what they are, or not at
// all; and a message that is longer than what may be held goes on, or is kept
// away, whole.
func TestLengthsAtTheLimits(t *testing.T) {
	drop := map[string]protocol.Correction{"client.message": {Action: protocol.Drop}, "command name=set": {Action: protocol.Drop}}
	rest := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		protocol, first string
		end             session.End
	}{
		{"long", unhex("ffffffffffffffff 0000000000000000"), session.Reset},
		{"long", unhex("8000000000000000 0000000000000000"), session.Reset},
		{"long", unhex("7fffffffffffffff 0000000000000000"), session.Reset},
		{"long", unhex("4000000000000000 0000000000000000"), session.Reset},
		{"long", unhex("3fffffffffffffff 0000000000000000"), session.Continue},
		{"long", unhex("3fffffffffffffff ffffffffffffffff"), session.Continue},
		{"long", unhex("3fffffffffffffff 3fffffffffffffff"), session.Continue},
		{"long", unhex("0000000100000000 7fffffffffffffff"), session.Continue},
		{"memcached-binary", unhex("80 01 ffff ff 00 0000 ffffffff 00000000 0000000000000000"), session.Continue},
		{"memcached", "set k 0 0 1099511627775\r\n", session.Reset}, // more than 39 bits and a sign
		{"memcached", "set k 0 0 549755813887\r\n", session.Continue},
		{"memcached", "set k 0 0 9223372036854775807\r\n", session.Reset},
		{"memcached", "set k 0 0 99999999999999999999\r\n", session.Reset},
		{"redis", "*4611686018427387904\r\n", session.Reset},
		{"redis", "*1\r\n$9223372036854775807\r\n", session.Reset},
		{"redis", "*1\r\n$-9223372036854775808\r\n", session.Reset},
	} {
		for name, how := range map[string]map[string]protocol.Correction{"as it is": nil, "dropped": drop} {
			for _, size := range []int{1, 100} {
				var told []string
				w := wiretest.New(t, ofText(t, tt.protocol).New(tell(&told, how), dialoguetest.Conn, Options{}))
				sent := tt.first + rest
				for b := tt.first; b != ""; b = b[min(size, len(b)):] {
					w.Client(b[:min(size, len(b))])
				}
				w.Client(rest)
				want, end := sent, tt.end
				switch beyond := tt.protocol == "memcached" && end == session.Reset; {
				case how != nil && beyond:
					want, end = "", session.Continue // kept away, it need not be read
				case how != nil, end == session.Reset:
					want = ""
				}
				if got := w.ToServer(); got != want || w.End != end {
					t.Errorf("%s, %.40q %s, in pieces of %d: %d octets arrived, end %v; want %d, %v; %+v", tt.protocol, tt.first, name, size, len(got), w.End, len(want), end, w.Log[0][:min(1, len(w.Log[0]))])
				}
			}
		}
	}
}
