package tftp

import (
	"bytes"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/protocol/whole/wholetest"
	"wirepatch/dataplane/session"
)

func decoder(r protocol.Rules) *Decoder { return New(r, wholetest.Conn, whole.Options{}) }

const wanted = "\x00\x01boot/Image.bin\x00OCTET\x00TSIZE\x000\x00blksize\x001428\x00"

func TestElements(t *testing.T) {
	const noBlock = " block=-1 code=-1 message=\n"
	for _, tt := range []struct {
		dir  session.Direction
		in   string
		want string
		bad  bool
	}{
		{session.ToServer, wanted, "client.packet operation=1 size=44" + noBlock + "request operation=1 filename=boot/Image.bin mode=octet options=2\n" +
			"request.option name=tsize value=0\nrequest.option name=blksize value=1428\n", false},
		{session.ToServer, "\x00\x02f\x00netascii\x00", "client.packet operation=2 size=13" + noBlock + "request operation=2 filename=f mode=netascii options=0\n", false},
		{session.ToServer, "\x00\x03\x00\x07data", "client.packet operation=3 size=8 block=7 code=-1 message=\n", false},
		{session.ToServer, "\x00\x04\x00\x07", "client.packet operation=4 size=4 block=7 code=-1 message=\n", false},
		{session.ToClient, "\x00\x05\x00\x01File not found\x00", "server.packet operation=5 size=19 block=-1 code=1 message=File not found\n", false},
		{session.ToClient, "\x00\x05\x00\x01unended", "server.packet operation=5 size=11 block=-1 code=1 message=unended\n", false},
		{session.ToClient, "\x00\x06tsize\x0099\x00", "server.packet operation=6 size=11" + noBlock + "reply.option name=tsize value=99\n", false},
		{session.ToServer, "", "", true},
		{session.ToServer, "\x00", "", true},
		{session.ToServer, "\x00\x01", "", true},
		{session.ToServer, "\x00\x01file\x00", "", true},
		{session.ToServer, "\x00\x01file\x00octet", "", true},
		{session.ToServer, "\x00\x01file\x00octet\x00tsize\x00", "", true},
		{session.ToServer, "\x00\x01file\x00octet\x00tsize\x00x", "", true},
		{session.ToServer, "\x00\x04\x00", "", true},
		{session.ToServer, "\x00\x09\x00\x00", "", true},
		{session.ToServer, "\x01\x01f\x00octet\x00", "", true},
		{session.ToClient, wanted, "", true},
	} {
		var got string
		v := decoder(wholetest.Lines(&got)).Datagram(tt.dir, []byte(tt.in))
		if (v.Undecodable != "") != tt.bad || got != tt.want || v.Drop {
			t.Errorf("%q: %+v, elements\n%s\nwant (undecodable %t)\n%s", tt.in, v, got, tt.bad, tt.want)
		}
		decoder(wholetest.Fits(t, Schema())).Datagram(tt.dir, []byte(tt.in))
		if v := decoder(wholetest.Nobody{}).Datagram(tt.dir, []byte(tt.in)); v.Undecodable != "" {
			t.Errorf("%q: undecodable though nobody asks", tt.in)
		}
	}
}

func TestCorrections(t *testing.T) {
	for _, tt := range []struct {
		kind string
		c    protocol.Correction
		want string
	}{
		{"request", protocol.Correction{Action: protocol.Set, Field: "filename", Value: "other"}, "\x00\x01other\x00OCTET\x00TSIZE\x000\x00blksize\x001428\x00"},
		{"request", protocol.Correction{Action: protocol.Set, Field: "filename", Value: "o\x00"}, wanted},
		{"request", protocol.Correction{Action: protocol.Remove}, wanted},
		{"request.option", protocol.Correction{Action: protocol.Remove}, "\x00\x01boot/Image.bin\x00OCTET\x00"},
		{"request.option", protocol.Correction{Action: protocol.Set, Field: "value", Value: "512"}, "\x00\x01boot/Image.bin\x00OCTET\x00TSIZE\x00512\x00blksize\x00512\x00"},
		{"request", protocol.Correction{Action: protocol.Insert, Insert: &protocol.Insertion{}}, wanted},
	} {
		in := []byte(wanted)
		v := decoder(wholetest.At(tt.kind, tt.c)).Datagram(session.ToServer, in)
		if got := string(whole.Apply(in, v.Edits)); got != tt.want || v.Drop || len(v.Evidence) == 0 {
			t.Errorf("%s %+v: %q; want %q", tt.kind, tt.c, got, tt.want)
		}
	}
	reply := protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Raw: "\x00\x05\x00\x02no\x00"}}
	if v := decoder(wholetest.At("request", reply)).Datagram(session.ToServer, []byte(wanted)); !v.Drop || string(v.Reply) != reply.Reply.Raw {
		t.Errorf("reject: %+v; want the reply", v)
	}
	shadow := protocol.Correction{Action: protocol.Drop, Shadow: true}
	if v := decoder(wholetest.At("request", shadow)).Datagram(session.ToServer, []byte(wanted)); v.Drop || len(v.Evidence) != 1 || v.Evidence[0].Mode != "shadow" {
		t.Errorf("in shadow: %+v; want evidence alone", v)
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add([]byte(wanted), false)
	f.Add([]byte("\x00\x06tsize\x0099\x00"), true)
	f.Add([]byte("\x00\x05\x00\x01no\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, back bool) {
		dir := session.ToServer
		if back {
			dir = session.ToClient
		}
		was := bytes.Clone(b)
		if v := decoder(wholetest.Fits(t, Schema())).Datagram(dir, b); v.Drop || len(v.Edits) > 0 || !bytes.Equal(b, was) {
			t.Fatalf("a harmless datagram: %+v", v)
		}
		for _, kind := range []string{"request.option", "reply.option"} {
			v := decoder(wholetest.At(kind, protocol.Correction{Action: protocol.Remove})).Datagram(dir, b)
			out := whole.Apply(b, v.Edits)
			if v := decoder(wholetest.Harmless).Datagram(dir, out); len(out) < len(b) && v.Undecodable != "" {
				t.Fatalf("what a correction made cannot be read: %q: %s", out, v.Undecodable)
			}
		}
	})
}
