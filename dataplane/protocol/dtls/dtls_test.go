package dtls

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/protocol/whole/wholetest"
	"wirepatch/dataplane/session"
)

func decoder(r protocol.Rules) *Decoder { return New(r, wholetest.Conn, whole.Options{}) }

// rec is a record.
func rec(kind byte, epoch uint16, seq byte, body ...[]byte) []byte {
	b := slices.Concat(body...)
	return slices.Concat([]byte{kind, 0xfe, 0xfd, byte(epoch >> 8), byte(epoch), 0, 0, 0, 0, 0, seq}, binary.BigEndian.AppendUint16(nil, uint16(len(b))), b)
}

// msg is a handshake message, or a fragment of one.
func msg(kind byte, length int, seq byte, offset int, fragment string) []byte {
	return append([]byte{kind, 0, byte(length >> 8), byte(length), 0, seq, 0, byte(offset >> 8), byte(offset), 0, byte(len(fragment) >> 8), byte(len(fragment))}, fragment...)
}

const (
	clientHello = "\xfe\xfd" + "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr" + "\x00" + "\x03coo" + "\x00\x04\xc0\x2b\x00\xff" + "\x01\x00" +
		"\x00\x1e" + "\x00\x00\x00\x0b\x00\x09\x00\x00\x06a.test" + "\x00\x0f\x00\x01\x01" + "\x00\x10\x00\x06\x00\x04\x03web"
	serverHello = "\xfe\xfd" + "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr" + "\x01s" + "\xc0\x2b\x00" + "\x00\x05\x00\x0f\x00\x01\x01"
)

func hello1() []byte { return msg(1, len(clientHello), 0, 0, clientHello) }

func TestElements(t *testing.T) {
	for _, tt := range []struct {
		name string
		dir  session.Direction
		in   []byte
		want string
	}{
		{"ClientHello", session.ToServer, rec(22, 0, 1, hello1()), "client.record type=22 version=65277 epoch=0 sequence=1 length=91\n" +
			"client.handshake type=1 length=79 message_seq=0 fragment_offset=0 fragment_length=79\n" +
			"client.hello version=65277 versions=[65277] cipher_suites=[49195 255] compression=[0] alpn=[web] server_name=a.test session_id=0 cookie=3 extensions=3 heartbeat=true\n" +
			"client.extension type=0 size=11 data=\x00\x09\x00\x00\x06a.test\nclient.extension type=15 size=1 data=\x01\nclient.extension type=16 size=6 data=\x00\x04\x03web\n"},
		{"ServerHello and an alert", session.ToClient, append(rec(22, 0, 2, msg(2, len(serverHello), 1, 0, serverHello)), rec(21, 0, 3, []byte{2, 40})...),
			"server.record type=22 version=65277 epoch=0 sequence=2 length=58\nserver.handshake type=2 length=46 message_seq=1 fragment_offset=0 fragment_length=46\n" +
				"server.hello version=65277 versions=[65277] cipher_suites=[49195] compression=[0] alpn=[] server_name= session_id=1 cookie=0 extensions=1 heartbeat=true\n" +
				"server.extension type=15 size=1 data=\x01\nserver.record type=21 version=65277 epoch=0 sequence=3 length=2\nserver.alert level=2 description=40\n"},
		{"fragment", session.ToServer, rec(22, 0, 1, msg(1, 500, 0, 100, "part")), "client.record type=22 version=65277 epoch=0 sequence=1 length=16\n" +
			"client.handshake type=1 length=500 message_seq=0 fragment_offset=100 fragment_length=4\n"},
		{"two messages", session.ToClient, rec(22, 0, 1, msg(11, 0, 1, 0, ""), msg(14, 0, 2, 0, "")), "server.record type=22 version=65277 epoch=0 sequence=1 length=24\n" +
			"server.handshake type=11 length=0 message_seq=1 fragment_offset=0 fragment_length=0\nserver.handshake type=14 length=0 message_seq=2 fragment_offset=0 fragment_length=0\n"},
		{"heartbeat", session.ToServer, rec(24, 0, 1, []byte("\x01\x40\x00pad")), "client.record type=24 version=65277 epoch=0 sequence=1 length=6\nclient.heartbeat type=1 payload_length=16384 length=6 encrypted=false\n"},
		{"encrypted", session.ToServer, append(rec(22, 1, 1, []byte("secret")), rec(24, 1, 2, []byte("secret"))...),
			"client.record type=22 version=65277 epoch=1 sequence=1 length=6\nclient.record type=24 version=65277 epoch=1 sequence=2 length=6\nclient.heartbeat type=-1 payload_length=-1 length=6 encrypted=true\n"},
		{"connection identifier", session.ToServer, []byte("\x19\xfe\xfd\x00\x01\x00\x00\x00\x00\x00\x01IDID\x00\x05hello"), ""},
		{"DTLS 1.3, encrypted", session.ToServer, []byte("\x2f\x00\x01\x00\x05hello"), ""},
		{"STUN", session.ToServer, []byte("\x00\x01\x00\x00"), ""},
		{"RTP", session.ToServer, []byte("\x80\x01\x00\x00"), ""},
		{"nothing", session.ToServer, nil, ""},
	} {
		var got string
		if v := decoder(wholetest.Lines(&got)).Datagram(tt.dir, tt.in); v.Undecodable != "" || v.Drop || got != tt.want {
			t.Errorf("%s: %+v, elements\n%q\nwant\n%q", tt.name, v, got, tt.want)
		}
		decoder(wholetest.Fits(t, Schema())).Datagram(tt.dir, tt.in)
	}
}

// OpenSSL passes over a header of another version and reads what stands behind it.
func TestBehindAnotherVersion(t *testing.T) {
	bleed := rec(24, 0, 1, []byte("\x01\x40\x00"))
	for _, front := range []string{"\x2f\x00\x01\x00\x05hello123", "\x19\x03\x03abcdefghij\x3f\x00\x01\x00\x05hello123"} {
		var got string
		in := append([]byte(front), bleed...)
		if v := decoder(wholetest.Lines(&got)).Datagram(session.ToServer, in); v.Undecodable != "" || !strings.Contains(got, "client.heartbeat type=1 payload_length=16384") {
			t.Errorf("%q: %+v, elements %q; want the heartbeat", in, v, got)
		}
	}
	// What is no record there is none of ours to judge.
	for _, back := range []string{"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01x", "\x16\x01", "\x18\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"} {
		if v := decoder(wholetest.Harmless).Datagram(session.ToServer, []byte("\x2f\x00\x01\x00\x05hello123"+back)); v.Undecodable != "" || v.Drop {
			t.Errorf("%q: %+v; want it to pass", back, v)
		}
	}
}

func TestStrict(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
	}{
		{"half a header", rec(22, 0, 1)[:9]},
		{"record beyond the datagram", rec(22, 0, 1, hello1())[:50]},
		{"something behind", append(rec(23, 1, 1, []byte("x")), 22)},
		{"TLS", []byte("\x16\x03\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
		{"empty handshake record", rec(22, 0, 1)},
		{"half a handshake header", rec(22, 0, 1, hello1()[:11])},
		{"fragment beyond its record", rec(22, 0, 1, hello1()[:20])},
		{"fragment beyond its message", rec(22, 0, 1, msg(1, 10, 0, 7, "four"))},
		{"message of no length with a fragment", rec(22, 0, 1, msg(1, 0, 0, 0, string(msg(1, 10, 0, 0, ""))))},
		{"hello cut", rec(22, 0, 1, msg(1, 30, 0, 0, clientHello[:30]))},
		{"hello with more", rec(22, 0, 1, msg(1, len(clientHello)+1, 0, 0, clientHello+"x"))},
	} {
		if v := decoder(wholetest.Harmless).Datagram(session.ToServer, tt.in); v.Undecodable == "" {
			t.Errorf("%s: read; want it undecodable", tt.name)
		}
		if v := decoder(wholetest.Nobody{}).Datagram(session.ToServer, tt.in); v.Undecodable != "" {
			t.Errorf("%s: undecodable though nobody asks", tt.name)
		}
	}
}

func TestRemove(t *testing.T) {
	empty := msg(1, 10, 0, 0, "")
	remove := wholetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
		if e.Kind == "client.handshake" && e.Field("fragment_length").Value == int64(0) || e.Kind == "client.heartbeat" {
			return &protocol.Correction{Action: protocol.Remove}
		}
		return nil
	})
	for _, tt := range []struct {
		name string
		in   []byte
		want []byte
	}{
		{"alone", rec(22, 0, 1, empty), nil},
		{"two alone", rec(22, 0, 1, empty, empty), nil},
		{"behind a message", rec(22, 0, 1, hello1(), empty), rec(22, 0, 1, hello1())},
		{"before a message", rec(22, 0, 1, empty, hello1()), rec(22, 0, 1, hello1())},
		{"between records", slices.Concat(rec(21, 0, 0, []byte{1, 0}), rec(22, 0, 1, empty), rec(22, 0, 2, hello1(), empty, hello1())), slices.Concat(rec(21, 0, 0, []byte{1, 0}), rec(22, 0, 2, hello1(), hello1()))},
		{"heartbeat", append(rec(24, 0, 0, []byte("\x01\x00\x00")), rec(22, 0, 1, hello1())...), rec(22, 0, 1, hello1())},
	} {
		v := decoder(remove).Datagram(session.ToServer, tt.in)
		if got := whole.Apply(tt.in, v.Edits); v.Drop != (tt.want == nil) || tt.want != nil && !bytes.Equal(got, tt.want) || len(v.Evidence) == 0 {
			t.Errorf("%s: drop %t, %x; want %x", tt.name, v.Drop, got, tt.want)
		}
	}
	refuse := wholetest.At("client.extension", protocol.Correction{Action: protocol.Remove})
	if v := decoder(refuse).Datagram(session.ToServer, rec(22, 0, 1, hello1())); len(v.Edits) > 0 || v.Drop || !strings.Contains(v.Evidence[0].Note, "cannot be removed") {
		t.Errorf("an extension: %+v; want it told that it stays", v)
	}
}

func TestSetLength(t *testing.T) {
	in := rec(22, 0, 1, msg(1, 10, 0, 4, ""), hello1())
	for value, want := range map[string][]byte{
		"4": rec(22, 0, 1, msg(1, 4, 0, 4, ""), hello1()), "300": rec(22, 0, 1, msg(1, 300, 0, 4, ""), hello1()), "3": nil, "-1": nil, "16777216": nil, "x": nil,
	} {
		set := wholetest.Rules(func(_ *protocol.Message, e *protocol.Element) *protocol.Correction {
			if e.Kind == "client.handshake" && e.Field("fragment_length").Value == int64(0) {
				return &protocol.Correction{Action: protocol.Set, Field: "length", Value: value}
			}
			return nil
		})
		v := decoder(set).Datagram(session.ToServer, in)
		if got := whole.Apply(in, v.Edits); want != nil && !bytes.Equal(got, want) || want == nil && len(v.Edits) > 0 || len(v.Evidence) != 1 {
			t.Errorf("length set to %s: %x; want %x", value, got, want)
		}
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add(rec(22, 0, 1, hello1(), msg(1, 10, 0, 0, "")), false)
	f.Add(append(rec(22, 0, 2, msg(2, len(serverHello), 1, 0, serverHello)), rec(24, 0, 3, []byte("\x01\x40\x00"))...), true)
	f.Add([]byte("\x2f\xfe\x01\x00\x05hello"), true)
	f.Fuzz(func(t *testing.T, b []byte, back bool) {
		dir, kind := session.ToServer, "client.handshake"
		if back {
			dir, kind = session.ToClient, "server.handshake"
		}
		was := bytes.Clone(b)
		if v := decoder(wholetest.Fits(t, Schema())).Datagram(dir, b); v.Drop || len(v.Edits) > 0 || !bytes.Equal(b, was) {
			t.Fatalf("a harmless datagram: %+v", v)
		}
		set := protocol.Correction{Action: protocol.Set, Field: "length", Value: "16777215"}
		if v := decoder(wholetest.At(kind, set)).Datagram(dir, b); len(v.Edits) > 0 {
			if v := decoder(wholetest.Harmless).Datagram(dir, whole.Apply(b, v.Edits)); v.Undecodable != "" && !strings.Contains(v.Undecodable, "hello") {
				t.Fatalf("with another length: %s", v.Undecodable)
			}
		}
		for i, k := range []string{kind, names[dir].record, names[dir].heartbeat} {
			v := decoder(wholetest.At(k, protocol.Correction{Action: protocol.Remove})).Datagram(dir, b)
			if v.Drop || v.Undecodable != "" || len(v.Edits) == 0 {
				continue
			}
			out := whole.Apply(b, v.Edits)
			if v := decoder(wholetest.Harmless).Datagram(dir, out); v.Undecodable != "" || len(out) == 0 {
				t.Fatalf("%d: what a correction made cannot be read: %x: %s", i, out, v.Undecodable)
			}
		}
	})
}
