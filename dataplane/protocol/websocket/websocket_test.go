package websocket

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

// rules correct elements of a kind by what a function says.
type rules map[string]func(e *protocol.Element) (protocol.Correction, bool)

func (r rules) Wants(kind string) bool { return r[kind] != nil }

func (r rules) Match(m *protocol.Message) []protocol.Correction {
	var out []protocol.Correction
	for i := range m.Elements {
		if f := r[m.Elements[i].Kind]; f != nil {
			if c, ok := f(&m.Elements[i]); ok {
				c.Element, c.Definition = i, "T-1"
				out = append(out, c)
			}
		}
	}
	return out
}

func has(text string, c protocol.Correction) func(e *protocol.Element) (protocol.Correction, bool) {
	return func(e *protocol.Element) (protocol.Correction, bool) {
		return c, strings.Contains(e.Field("value").Value.(string), text)
	}
}

var key = [4]byte{1, 2, 3, 4}

func client(opcode byte, fin bool, text string) []byte {
	return makeFrame(header{fin: fin, opcode: opcode, masked: true, key: key}, []byte(text))
}

func server(opcode byte, text string) []byte {
	return makeFrame(header{fin: true, opcode: opcode}, []byte(text))
}

func join(bs ...[]byte) []byte { return bytes.Join(bs, nil) }

// fencePing asks the server whether it owes anything.
var fencePing = makeFrame(header{fin: true, opcode: opPing, masked: true}, []byte(fenceText))

// plainClose is what the server gets where a Close may not go on as it is.
var plainClose = makeFrame(header{fin: true, opcode: opClose, masked: true}, nil)

// huge says it has more payload than anybody will send (CVE-2016-10542).
var huge = []byte("\x82\xff\x0c\x80\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04")

var exchanges = []struct {
	name               string
	rules              rules
	client, server     []byte
	toServer, toClient []byte
	end                session.End
}{
	{"untouched", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Drop})},
		join(client(1, true, "hi"), client(9, true, "p"), client(1, false, "a"), client(9, true, ""), client(0, true, "b")), server(1, "yo"),
		join(client(1, true, "hi"), client(9, true, "p"), client(1, false, "a"), client(9, true, ""), client(0, true, "b")), server(1, "yo"), 0},
	{"dropped", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Drop})},
		join(client(1, true, "1"), client(1, false, "ev"), client(9, true, "p"), client(0, true, "il"), client(1, true, "2")), nil,
		join(client(1, true, "1"), client(9, true, "p"), client(1, true, "2")), nil, 0},
	{"set", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Set, Field: "value", Value: strings.Repeat("g", 200)})},
		join(client(1, false, "ev"), client(0, true, "il"), client(1, true, "2")), nil,
		join(client(1, true, strings.Repeat("g", 200)), client(1, true, "2")), nil, 0},
	{"inserted", rules{"server.message": has("x", protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{Fields: [][2]string{{"value", "n"}}}})},
		nil, join(server(1, "x"), server(1, "y")), nil, join(server(1, "x"), server(1, "n"), server(1, "y")), 0},
	{"refused with a code", rules{"client.frame": func(e *protocol.Element) (protocol.Correction, bool) {
		return protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1009}}, e.Field("length").Value.(int64) > 100<<20
	}}, join(client(1, true, "1"), huge, []byte("AAAA")), join(server(1, "answer to 1"), server(10, fenceText), server(1, "late")), join(client(1, true, "1"), fencePing),
		join(server(1, "answer to 1"), []byte("\x88\x02\x03\xf1")), 0},
	{"refused, and the server ends without a Pong", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1009}})},
		join(client(1, true, "1"), client(1, true, "evil")), join(server(1, "answer to 1"), server(10, "other"), server(10, "")), join(client(1, true, "1"), fencePing),
		join(server(1, "answer to 1"), server(10, "other"), server(10, ""), []byte("\x88\x02\x03\xf1")), 0},
	{"refused, and the Pong comes within a message of the server's", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1009}}), "server.message": has("none", protocol.Correction{})},
		client(1, true, "evil"), join(server(1, "a"), makeFrame(header{opcode: 1}, []byte("b")), server(10, fenceText), server(0, "c")), fencePing,
		join(server(1, "a"), []byte("\x88\x02\x03\xf1")), 0},
	{"refused, then closed by the client", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "\x88\x00"}})},
		join(client(1, true, "evil"), client(1, true, "more"), client(8, true, ""), client(1, true, "behind")), server(8, ""), join(fencePing, client(8, true, "")), []byte("\x88\x00"), 0},
	{"a Close refused", rules{"client.frame": func(e *protocol.Element) (protocol.Correction, bool) {
		return protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1002}}, e.Field("kind").Value == "close"
	}}, join(client(1, true, "1"), client(8, true, "\x03\xe8"), client(8, true, "")), join(server(1, "answer"), server(10, fenceText), server(8, "")),
		join(client(1, true, "1"), fencePing, plainClose), join(server(1, "answer"), []byte("\x88\x02\x03\xea")), 0},
	{"a Close refused within a message that is held", rules{"client.message": has("none", protocol.Correction{}), "client.frame": func(e *protocol.Element) (protocol.Correction, bool) {
		return protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1002}}, e.Field("fault").Value == "control"
	}}, join(client(1, false, "1"), client(8, false, "\x03\xe8"), client(0, true, "")), server(10, fenceText), join(fencePing, plainClose), []byte("\x88\x02\x03\xea"), 0},
	{"refused, then a Close out of form", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "\x88\x00"}})},
		join(client(1, true, "evil"), server(8, ""), client(8, true, "")), server(8, ""), join(fencePing, plainClose), []byte("\x88\x00"), 0},
	{"refused, then a Close with half a code", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "\x88\x00"}})},
		join(client(1, true, "evil"), client(8, true, "x")), server(8, ""), join(fencePing, plainClose), []byte("\x88\x00"), 0},
	{"refused, session closed", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1008, Reason: "no", Close: true}})},
		join(client(1, true, "1"), client(1, true, "evil")), join(server(1, "answer"), server(10, fenceText)), join(client(1, true, "1"), fencePing), join(server(1, "answer"), []byte("\x88\x04\x03\xf0no")), session.Close},
	{"answer refused", rules{"server.message": has("evil", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1011}})},
		nil, join(server(1, "ok"), server(1, "evil"), server(1, "more")), nil, join(server(1, "ok"), []byte("\x88\x02\x03\xf3")), 0},
	{"a member removed, one set, one put in", rules{"client.json": func(e *protocol.Element) (protocol.Correction, bool) {
		switch e.Field("path").Value {
		case "/1/__proto__":
			return protocol.Correction{Action: protocol.Remove}, true
		case "/1/n":
			return protocol.Correction{Action: protocol.Set, Field: "value", Value: "a\"b"}, true
		case "/1/__proto__/x":
			return protocol.Correction{Action: protocol.Set, Field: "raw", Value: "2"}, true // is gone with what is around it
		case "/0":
			return protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{Fields: [][2]string{{"raw", "[]"}}}}, true
		}
		return protocol.Correction{}, false
	}}, join(client(1, false, `42/x,["e",{"a":1,"__proto__":`), client(0, true, `{"x":1},"n":2}]`), client(1, true, `2 {"`), client(2, true, `{"__proto__":1}`)), nil,
		join(client(1, true, `42/x,["e",[],{"a":1,"n":"a\"b"}]`), client(1, true, `2 {"`), client(2, true, `{"__proto__":1}`)), nil, 0},
	{"changed one behind the other, each with one put in front", rules{"server.message": has("x", protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{Before: true, Fields: [][2]string{{"value", "n"}}}}),
		"server.json": func(e *protocol.Element) (protocol.Correction, bool) {
			return protocol.Correction{Action: protocol.Remove}, e.Field("path").Value == "/0"
		}}, nil, join(server(1, `[1,"x"]`), server(1, `[2,"x"]`)), nil, join(server(1, "n"), server(1, `["x"]`), server(1, "n"), server(1, `["x"]`)), 0},
	{"JSON that is none", rules{"server.document": func(e *protocol.Element) (protocol.Correction, bool) {
		return protocol.Correction{Action: protocol.Drop}, e.Field("valid").Value == false && e.Field("prefix").Value == "a"
	}}, nil, join(server(1, `a{"x":}`), server(1, `a{"x":1}`), server(1, `"a{`)), nil, join(server(1, `a{"x":1}`), server(1, `"a{`)), 0},
	{"JSON behind blanks", rules{"client.json": func(e *protocol.Element) (protocol.Correction, bool) {
		return protocol.Correction{Action: protocol.Remove}, e.Field("path").Value == "/0"
	}}, client(1, true, "\n"+strings.Repeat(" ", 200)+"[1,2]"), nil, client(1, true, "\n"+strings.Repeat(" ", 200)+"[2]"), nil, 0},
	{"the last of many values", rules{"client.json": func(e *protocol.Element) (protocol.Correction, bool) {
		return protocol.Correction{Action: protocol.Remove}, e.Field("path").Value == "/299"
	}}, client(1, true, "["+strings.Repeat("0,", 299)+"1]"), nil, client(1, true, "["+strings.Repeat("0,", 298)+"0]"), nil, 0},
	{"shadow", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reject, Shadow: true, Reply: &protocol.Reply{Raw: "\x88\x00"}})},
		client(1, true, "evil"), nil, client(1, true, "evil"), nil, 0},
	{"reset", rules{"client.message": has("evil", protocol.Correction{Action: protocol.Reset})},
		join(client(1, true, "1"), client(1, true, "evil")), nil, client(1, true, "1"), nil, session.Reset},
}

func play(w *wiretest.Wire, up, down []byte, size int) {
	for _, s := range []struct {
		dir session.Direction
		b   []byte
	}{{session.ToServer, up}, {session.ToClient, down}} {
		for len(s.b) > 0 {
			n := len(s.b)
			if size > 0 {
				n = min(n, size)
			}
			w.Feed(s.dir, s.b[:n], false)
			s.b = s.b[n:]
		}
	}
	w.Feed(session.ToServer, nil, true)
	w.Feed(session.ToClient, nil, true)
}

func TestExchanges(t *testing.T) {
	for _, tc := range exchanges {
		for _, size := range []int{0, 1, 3} {
			w := wiretest.New(t, New(tc.rules, Options{}))
			play(w, tc.client, tc.server, size)
			if got := w.Out(session.ToServer); !bytes.Equal(got, tc.toServer) {
				t.Errorf("%s, %d: server gets %q; want %q; evidence %+v", tc.name, size, got, tc.toServer, w.Evidence())
			}
			if got := w.Out(session.ToClient); !bytes.Equal(got, tc.toClient) || w.End != tc.end {
				t.Errorf("%s, %d: client gets %q, end %d; want %q, %d", tc.name, size, got, w.End, tc.toClient, tc.end)
			}
		}
	}
}

// deflater compresses messages as RFC 7692 says, with context takeover.
type deflater struct {
	b bytes.Buffer
	w *flate.Writer
}

func (d *deflater) frame(t testing.TB, text string) []byte {
	if d.w == nil {
		d.w, _ = flate.NewWriter(&d.b, 6)
	}
	d.b.Reset()
	if _, err := d.w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := d.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return makeFrame(header{fin: true, rsv: 4, opcode: 1, masked: true, key: key}, bytes.TrimSuffix(d.b.Bytes(), sync))
}

// What the server reads of messages that refer to each other is right, whatever
// was taken out between them.
func TestDeflate(t *testing.T) {
	var z deflater
	texts := []string{"the same words", "the same words again", "evil: the same words again", "the same words again, and more", "plain"}
	var up []byte
	for _, s := range texts {
		up = append(up, z.frame(t, s)...)
	}
	for _, action := range []protocol.Correction{{Action: protocol.Drop}, {Action: protocol.Set, Field: "value", Value: "good"}, {Action: protocol.Report}} {
		w := wiretest.New(t, New(rules{"client.message": has("evil", action)}, Options{Deflate: true}))
		play(w, up, nil, 0)
		var got []string
		var in inflater
		for out := w.Out(session.ToServer); len(out) > 0; {
			f, ok := parseHeader(out)
			if !ok || len(out) < f.size+int(f.length) {
				t.Fatalf("%d: server gets half a frame %q", action.Action, out)
			}
			payload := bytes.Clone(out[f.size : f.size+int(f.length)])
			mask(payload, f.key)
			if f.rsv != 0 {
				plain, ok, _ := in.message(payload, false, 1000)
				if !ok {
					t.Fatalf("%d: server cannot inflate %q", action.Action, payload)
				}
				payload = plain
			}
			got = append(got, string(payload))
			out = out[f.size+int(f.length):]
		}
		want := append([]string(nil), texts...)
		switch action.Action {
		case protocol.Drop:
			want = append(want[:2], want[3:]...)
		case protocol.Set:
			want[2] = "good"
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%d: server reads %q; want %q", action.Action, got, want)
		}
		if action.Action == protocol.Report && !bytes.Equal(w.Out(session.ToServer), up) {
			t.Error("messages that were not changed do not pass as they came")
		}
	}
}

// final compresses a message into blocks of which the last says so.
func final(t testing.TB, text string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What stands behind a last block, and what is no whole block, has no one reading.
func TestBehindTheLastBlock(t *testing.T) {
	first := final(t, "first")
	for name, tc := range map[string]struct {
		payload []byte
		plain   string
		ok      bool
	}{
		"alone":                               {first, "first", true},
		"with the octet of RFC 7692":          {join(first, []byte{0}), "first", true},
		"with another octet":                  {join(first, []byte{1}), "", false},
		"with two octets":                     {join(first, []byte{0, 0}), "", false},
		"with a stream":                       {join(first, final(t, "second")), "", false},
		"with what ends like ours":            {join(first, []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}), "", false},
		"that is not whole":                   {first[:len(first)-1], "", false},
		"behind one that is not whole":        {[]byte{0, 200, 0, 0xff - 200, 0xff, 'x'}, "", false},
		"of which only the sync is missing":   {[]byte{0, 1, 0, 0xfe, 0xff, 'x', 0}, "x", true},
		"that takes the sync for its content": {[]byte{0, 4, 0, 0xfb, 0xff}, "\x00\x00\xff\xff", true}, // and so do receivers
		"of nothing":                          {[]byte{0}, "", true},
	} {
		var in inflater
		plain, ok, long := in.message(tc.payload, false, 1000)
		if string(plain) != tc.plain || ok != tc.ok || long {
			t.Errorf("a last block %s: %q, %v, %v; want %q, %v", name, plain, ok, long, tc.plain, tc.ok)
		}
		up := makeFrame(header{fin: true, rsv: 4, opcode: 1, masked: true, key: key}, tc.payload)
		w := wiretest.New(t, New(rules{"client.message": has("evil", protocol.Correction{Action: protocol.Drop})}, Options{Deflate: true}))
		if play(w, up, nil, 1); (w.End == session.Continue) != tc.ok || bytes.Equal(w.Out(session.ToServer), up) != tc.ok {
			t.Errorf("a last block %s: the server gets %q, end %v; want it to pass: %v", name, w.Out(session.ToServer), w.End, tc.ok)
		}
	}
	for _, size := range []int{999, 1000, 1001, 1010, 1016, 1017, 2000} {
		text := strings.Repeat("x", size)
		var in inflater
		if _, ok, long := in.message(final(t, text), false, 1000); ok != (size <= 1000) || long == ok {
			t.Errorf("%d octets in blocks with a last one: %v, over the limit %v", size, ok, long)
		}
		var z deflater
		f := z.frame(t, text)
		h, _ := parseHeader(f)
		payload := f[h.size:]
		mask(payload, h.key)
		if _, ok, long := in.message(payload, true, 1000); ok != (size <= 1000) || long == ok {
			t.Errorf("%d octets: %v, over the limit %v", size, ok, long)
		}
	}
}

func TestLimits(t *testing.T) {
	var z deflater
	for _, up := range [][]byte{client(2, true, strings.Repeat("x", 2000)), z.frame(t, strings.Repeat("x", 2000)), []byte("\xc1\x82\x00\x00\x00\x00\xff\xff")} {
		r := rules{"client.message": has("evil", protocol.Correction{Action: protocol.Drop})}
		w := wiretest.New(t, New(r, Options{MaxMessage: 1000, Deflate: true}))
		play(w, up, nil, 1)
		if w.End != session.Reset || len(w.Out(0)) > 0 {
			t.Errorf("policy reset: end %d, server gets %q", w.End, w.Out(0))
		}
		w = wiretest.New(t, New(r, Options{MaxMessage: 1000, Deflate: true, Exceed: protocol.ExceedPass}))
		play(w, up, nil, 1)
		if w.End != session.Continue || !bytes.Equal(w.Out(0), up) || len(w.Evidence()) != 1 {
			t.Errorf("policy pass: end %d, server gets %d bytes; evidence %+v", w.End, len(w.Out(0)), w.Evidence())
		}
	}
}

// A message that nobody asks for is not held, however long.
func TestUnasked(t *testing.T) {
	w := wiretest.New(t, New(rules{}, Options{}))
	up := client(2, true, strings.Repeat("x", 1<<20))
	w.Feed(session.ToServer, up[:100], false)
	if got := len(w.Out(session.ToServer)); got != 100 {
		t.Errorf("%d bytes of 100 went on", got)
	}
	w.Feed(session.ToServer, up[100:], false)
	if !bytes.Equal(w.Out(session.ToServer), up) {
		t.Error("message was changed")
	}
}

// FuzzSegmentation feeds anything, whole and cut: the outcome is the same, and
// the contract is kept.
func FuzzSegmentation(f *testing.F) {
	for _, tc := range exchanges {
		f.Add(tc.client, tc.server, uint64(0))
	}
	var z deflater
	f.Add(join(z.frame(f, "the same"), z.frame(f, "the same evil"), z.frame(f, "the same")), []byte("\x88\x00"), uint64(1))
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		actions := []protocol.Correction{{Action: protocol.Drop}, {Action: protocol.Reset}, {Action: protocol.Set, Field: "value", Value: "good"},
			{Action: protocol.Reject, Reply: &protocol.Reply{Status: 1008}}, {Action: protocol.Insert, Insert: &protocol.Insertion{Before: true, Fields: [][2]string{{"value", "n"}}}}}
		pick := func() protocol.Correction { return actions[r.IntN(len(actions))] }
		set := rules{"client.message": has("e", pick()), "server.message": has("e", pick()), "client.json": has("1", pick()), "server.json": has("1", protocol.Correction{Action: protocol.Remove}), "client.frame": func(e *protocol.Element) (protocol.Correction, bool) {
			return protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "\x88\x00"}}, e.Field("fault").Value == "opcode"
		}}
		o := Options{MaxMessage: 100, Deflate: r.IntN(2) == 0, Exceed: []string{protocol.ExceedPass, protocol.ExceedReset}[r.IntN(2)]}
		whole, cut := wiretest.New(t, New(set, o)), wiretest.New(t, New(set, o))
		play(whole, up, down, 0)
		play(cut, up, down, 1+r.IntN(5))
		for _, dir := range []session.Direction{session.ToServer, session.ToClient} {
			if a, b := whole.Out(dir), cut.Out(dir); whole.End != session.Reset && !bytes.Equal(a, b) {
				t.Errorf("%s: whole %q; cut %q", dir, a, b)
			}
		}
		if whole.End != cut.End {
			t.Errorf("end whole %d; cut %d", whole.End, cut.End)
		}
	})
}

// A message with more JSON than is shown does not reach the server unseen.
func TestMoreValuesThanAreShown(t *testing.T) {
	w := wiretest.New(t, New(rules{"client.json": has("9", protocol.Correction{Action: protocol.Remove}), "server.json": has("9", protocol.Correction{})}, Options{}))
	many := strings.Repeat("0,", 40000)
	w.Server(string(server(1, "["+many+"1]")))
	w.Client(string(client(1, true, "[1]")))
	w.Client(string(client(1, true, "["+many+"9]")))
	if got := w.ToServer(); got != string(client(1, true, "[1]")) || w.End != session.Reset {
		t.Errorf("the server got %d bytes, end %v; want what came before alone, and a reset", len(got), w.End)
	}
	if got := w.ToClient(); got != string(server(1, "["+many+"1]")) {
		t.Errorf("the client got %d bytes; want all that the server sent", len(got))
	}
}
