package mqtt

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/protocol/dialogue/dialoguetest"
	"wirepatch/dataplane/protocol/wiretest"
	"wirepatch/dataplane/session"
)

func decoder(r protocol.Rules) session.Inspector {
	return New(r, dialoguetest.Conn, dialogue.Options{MaxMessage: 4 << 10})
}

// The packets of these tests, by what they are.
const (
	connect4   = "\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"
	connect5   = "\x10\x1b\x00\x04MQTT\x05\x02\x00\x3c\x0b\x11\x00\x00\x00\x05\x26\x00\x01k\x00\x00\x00\x03abc"
	publish4   = "\x30\x05\x00\x01thi"
	publish5   = "\x30\x0f\x00\x01t\x07\x26\x00\x01k\x00\x01vhello"
	subscribe4 = "\x82\x0a\x00\x01\x00\x01a\x00\x00\x01b\x01"
	connack4   = "\x20\x02\x00\x00"
)

// describe notes each element as "kind field=value …".
func describe(into *[]string) dialoguetest.Rules {
	return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		var b strings.Builder
		b.WriteString(e.Kind)
		for _, f := range e.Fields {
			fmt.Fprintf(&b, " %s=%v", f.Name, f.Value)
		}
		*into = append(*into, b.String())
		return nil
	}
}

func TestElements(t *testing.T) {
	cases := []struct {
		name, sent string
		want       []string // each is part of one element
	}{
		{"connect", connect4, []string{"client.packet type=connect flags=0 size=15 packet_id=0 malformed=false", "client.connect protocol=MQTT version=4 flags=2 clean=true keep_alive=60 client_id=abc"}},
		{"connect, version 5", connect5, []string{"malformed=false", "client.property id=17 key= value= number=5 will=false", "client.property id=38 key=k value= number=0", "version=5"}},
		{"publish", publish4, []string{"type=publish", "client.publish topic=t payload=hi qos=0 retain=false dup=false packet_id=0 complete=true"}},
		{"subscribe", subscribe4, []string{"type=subscribe flags=2 size=10 packet_id=1 malformed=false", "client.filter topic=a options=0 qos=0 unsubscribe=false", "topic=b options=1 qos=1"}},
		{"an acknowledgement from the wrong side", "\x20\x00", []string{"type=connack flags=0 size=0 packet_id=0 malformed=true fault=a number reaches beyond"}},
		{"a reserved type", "\x00\x00", []string{"type=reserved flags=0 size=0 packet_id=0 malformed=true"}},
		{"bytes behind", "\xc0\x01x", []string{"type=pingreq flags=0 size=1 packet_id=0 malformed=true fault=bytes behind"}},
	}
	for _, tt := range cases {
		var got []string
		w := wiretest.New(t, decoder(describe(&got)))
		w.Client(tt.sent)
		if out := w.ToServer(); out != tt.sent {
			t.Errorf("%s: the server got %x; want %x", tt.name, out, tt.sent)
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: elements %q; want %d", tt.name, got, len(tt.want))
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: element %d is %q; want it to hold %q", tt.name, i, got[i], want)
			}
		}
	}
}

// only has a decoder publish elements of one kind.
type only struct {
	dialoguetest.Rules
	kind string
}

func (o only) Wants(kind string) bool { return kind == o.kind }

// What stands behind properties out of form is not kept from rules that ask for it.
func TestPropertiesOutOfForm(t *testing.T) {
	nothing := dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
	for _, tt := range []struct {
		name, sent, kind string
	}{
		{"one that reaches beyond their length", "\x82\x09\x00\x01\x01\x0b\x01\x00\x01a\x00", "client.filter"},
		{"one that nobody knows", "\x82\x09\x00\x01\x02\x7f\x00\x00\x01a\x00", "client.filter"},
		{"of an UNSUBSCRIBE", "\xa2\x08\x00\x01\x02\x7f\x00\x00\x01a", "client.filter"},
		{"of a PUBLISH", "\x30\x06\x00\x01t\x01\x7fx", "client.publish"},
		{"of a CONNECT", "\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x01\x7f\x00\x00", "client.connect"},
	} {
		for _, kind := range []string{tt.kind, "client.property"} {
			w := wiretest.New(t, decoder(only{nothing, kind}))
			w.Client(connect5)
			w.ToServer()
			w.Client(tt.sent)
			out, want := w.ToServer(), ""
			if kind != tt.kind {
				want = tt.sent
			}
			if out != want || (w.End == session.Reset) != (want == "") {
				t.Errorf("%s, rules about %s: the server got %x, end %v; want %x", tt.name, kind, out, w.End, want)
			}
		}
	}
}

func TestEdits(t *testing.T) {
	long := strings.Repeat("x", 200)
	set := func(kind, field, value string) dialoguetest.Rules {
		return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind != kind {
				return nil
			}
			return &protocol.Correction{Action: protocol.Set, Field: field, Value: value}
		}
	}
	filter := func(topic string, c protocol.Correction) dialoguetest.Rules {
		return func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind != "client.filter" || dialoguetest.Text(e, "topic") != topic {
				return nil
			}
			return &c
		}
	}
	cases := []struct {
		name string
		rule dialoguetest.Rules
		sent string
		want string // hexadecimal
	}{
		{"payload grows over 127", set("client.publish", "payload", long), publish4, "30cb01" + "000174" + strings.Repeat("78", 200)},
		{"payload that was empty", set("client.publish", "payload", "x"), "\x30\x03\x00\x01t", "3004" + "000174" + "78"},
		{"topic", set("client.publish", "topic", ""), publish4, "3004" + "0000" + "6869"},
		{"client id", set("client.connect", "client_id", "z"), connect4, "100d" + "00044d515454" + "0402003c" + "00017a"},
		{"empty property at the end of the properties", set("client.property", "value", "vv"), connect5,
			"101d" + "00044d515454" + "0502003c" + "0d" + "1100000005" + "2600016b00027676" + "0003616263"},
		{"filter removed", filter("a", protocol.Correction{Action: protocol.Remove}), subscribe4, "8206" + "0001" + "00016201"},
		{"filter moved", filter("b", protocol.Correction{Action: protocol.Move, First: true}), subscribe4, "820a" + "0001" + "00016201" + "00016100"},
		{"filter inserted", filter("b", protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{Fields: [][2]string{{"topic", "cc"}, {"options", "2"}}}}),
			subscribe4, "820f" + "0001" + "00016100" + "00016201" + "0002636302"},
	}
	for _, tt := range cases {
		for _, size := range []int{1, 1000} {
			w := wiretest.New(t, decoder(tt.rule))
			for b := tt.sent; b != ""; b = b[min(size, len(b)):] {
				w.Client(b[:min(size, len(b))])
			}
			if got := hex.EncodeToString([]byte(w.ToServer())); got != tt.want {
				t.Errorf("%s, in pieces of %d: %s; want %s (%+v)", tt.name, size, got, tt.want, w.Evidence())
			}
		}
	}
}

// A packet is dropped, answered at once, and the session goes on.
func TestDropAndReject(t *testing.T) {
	w := wiretest.New(t, decoder(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		switch {
		case e.Kind == "client.packet" && dialoguetest.Text(e, "type") == "connack":
			return &protocol.Correction{Action: protocol.Drop}
		case e.Kind == "client.publish" && dialoguetest.Text(e, "topic") == "t":
			return &protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "\x40\x02\x00\x01"}}
		}
		return nil
	})))
	w.Client(connect4 + "\x20\x00" + publish4 + "\xc0\x00")
	if got := w.ToServer(); got != connect4+"\xc0\x00" {
		t.Errorf("the server got %x; want neither the CONNACK nor the PUBLISH", got)
	}
	if got := w.ToClient(); got != "\x40\x02\x00\x01" {
		t.Errorf("the client got %x; want the reply", got)
	}
	// A reply of ours is never put into the middle of a packet.
	w.Server(connack4[:2])
	w.Client(publish4)
	w.Server(connack4[2:])
	if got := w.ToClient(); got != "\x40\x02\x00\x01"+connack4 {
		t.Errorf("the client got %x; want the reply and the CONNACK", got)
	}
}

// The payload of a long PUBLISH passes behind its front, or is kept away with it.
func TestLongPublish(t *testing.T) {
	body := "\x00\x01t" + strings.Repeat("y", 100_000)
	sent := "\x30\xa3\x8d\x06" + body
	for _, drop := range []bool{false, true} {
		seen := 0
		w := wiretest.New(t, decoder(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind != "client.publish" {
				return nil
			}
			if seen++; drop {
				return &protocol.Correction{Action: protocol.Drop}
			}
			return &protocol.Correction{Action: protocol.Set, Field: "topic", Value: "tt"}
		})))
		for b := sent; b != ""; b = b[min(1400, len(b)):] {
			w.Client(b[:min(1400, len(b))])
		}
		w.Client("\xc0\x00")
		want := "\x30\xa4\x8d\x06\x00\x02tt" + body[3:] + "\xc0\x00"
		if drop {
			want = "\xc0\x00"
		}
		if got := w.ToServer(); got != want || seen != 1 {
			t.Errorf("drop %v: the server got %d bytes, asked %d times; want %d bytes, once", drop, len(got), seen, len(want))
		}
	}
}

// What stands in front of the payload of a long PUBLISH is shown whole, however long.
func TestLongFields(t *testing.T) {
	number := func(n int64) string { b, _ := varint(n); return string(b) }
	text := func(n int) string { return string([]byte{byte(n >> 8), byte(n)}) + strings.Repeat("t", n) }
	for _, tt := range []struct {
		name, connect, fields string
		properties            int
		fault                 bool
	}{
		{"topic", connect4, text(20_000), 0, false},
		{"topic as long as it can be", connect4, text(0xffff), 0, false},
		{"properties", connect5, text(5) + number(3*10_005) + strings.Repeat("\x26\x00\x01k"+text(9_999), 3), 3, false},
		{"more properties than are held", connect5, text(5) + number(8*10_005) + strings.Repeat("\x26\x00\x01k"+text(9_999), 8), 0, true},
	} {
		body := tt.fields + strings.Repeat("y", 100_000)
		sent := tt.connect + "\x30" + number(int64(len(body))) + body
		topic, properties := "", 0
		w := wiretest.New(t, New(dialoguetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			switch {
			case e.Kind == "client.publish":
				topic = dialoguetest.Text(e, "topic")
			case e.Kind == "client.property" && len(dialoguetest.Text(e, "value")) == 9_999:
				properties++
			}
			return nil
		}), dialoguetest.Conn, dialogue.Options{}))
		for b := sent; b != ""; b = b[min(1400, len(b)):] {
			w.Client(b[:min(1400, len(b))])
		}
		if tt.fault {
			if w.End != session.Reset {
				t.Errorf("%s: end %v; want a reset", tt.name, w.End)
			}
			continue
		}
		if want := int(tt.fields[0])<<8 + int(tt.fields[1]); len(topic) != want || properties != tt.properties {
			t.Errorf("%s: a topic of %d octets, %d properties shown; want %d and %d", tt.name, len(topic), properties, want, tt.properties)
		}
		if got := w.ToServer(); got != sent {
			t.Errorf("%s: the server got %d bytes of %d", tt.name, len(got), len(sent))
		}
	}
}

func TestFaults(t *testing.T) {
	nothing := dialoguetest.Rules(func(*protocol.Message, *protocol.Element) *protocol.Correction { return nil })
	for _, b := range []string{"\x30\xff\xff\xff\xff\x01", "\x82\xff\xff\x03"} {
		w := wiretest.New(t, decoder(nothing))
		w.Client(b)
		if w.End != session.Reset {
			t.Errorf("%x: end %v; want a reset", b, w.End)
		}
	}
	w := wiretest.New(t, New(nothing, dialoguetest.Conn, dialogue.Options{MidStream: true}))
	w.Client("anything")
	if got := w.ToServer(); got != "anything" {
		t.Errorf("a session met in its middle: %q passes", got)
	}
}

func FuzzMQTT(f *testing.F) {
	f.Add([]byte(connect4+dialoguetest.Turn+connack4), uint64(1))
	for i, s := range []string{connect5, publish5, subscribe4, publish4, "\xa2\x05\x00\x01\x00\x01a", "\x40\x02\x00\x01", "\xe0\x02\x00\x00"} {
		f.Add([]byte(connect5+s), uint64(i))
		f.Add([]byte(s), uint64(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		dialoguetest.Unchanged(t, b, decoder)
		dialoguetest.Changed(t, b, decoder, dialoguetest.Everything(seed))
	})
}
