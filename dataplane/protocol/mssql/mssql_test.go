package mssql

import (
	"bytes"
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/protocol/whole/wholetest"
	"wirepatch/dataplane/session"
)

func decoder(r protocol.Rules) *Decoder { return New(r, wholetest.Conn, whole.Options{}) }

func TestElements(t *testing.T) {
	text := "\x05\x0e\x00ServerName;A;;"
	for _, tt := range []struct {
		dir  session.Direction
		in   string
		want string
	}{
		{session.ToServer, "\x03", "request type=3 size=1 data= instance=\n"},
		{session.ToServer, "\x04MSSQL\x00", "request type=4 size=7 data=MSSQL\x00 instance=MSSQL\n"},
		{session.ToServer, "\x04a\x00b", "request type=4 size=4 data=a\x00b instance=a\n"},
		{session.ToServer, "\x04endless", "request type=4 size=8 data=endless instance=endless\n"},
		{session.ToServer, "\x0f\x01A\x00", "request type=15 size=4 data=\x01A\x00 instance=A\n"},
		{session.ToServer, "\x0f", "request type=15 size=1 data= instance=\n"},
		{session.ToServer, "\x08x:1", "request type=8 size=4 data=x:1 instance=\n"},
		{session.ToServer, "", ""},
		{session.ToClient, text, "response type=5 size=17 data=" + text[1:] + " length=14\n"},
		{session.ToClient, "\x0a", "response type=10 size=1 data= length=-1\n"},
	} {
		var got string
		if v := decoder(wholetest.Lines(&got)).Datagram(tt.dir, []byte(tt.in)); v.Drop || v.Undecodable != "" || got != tt.want {
			t.Errorf("%q: %+v, elements %q; want %q", tt.in, v, got, tt.want)
		}
		decoder(wholetest.Fits(t, Schema())).Datagram(tt.dir, []byte(tt.in))
	}
}

func TestCorrections(t *testing.T) {
	set := func(value string) protocol.Correction {
		return protocol.Correction{Action: protocol.Set, Field: "instance", Value: value}
	}
	for _, tt := range []struct {
		c    protocol.Correction
		want string
		drop bool
	}{
		{set("short"), "\x04short\x00rest", false},
		{set("with\x00zero"), "\x04LONG NAME\x00rest", false},
		{protocol.Correction{Action: protocol.Remove}, "\x04LONG NAME\x00rest", false},
		{protocol.Correction{Action: protocol.Drop}, "", true},
	} {
		in := []byte("\x04LONG NAME\x00rest")
		v := decoder(wholetest.At("request", tt.c)).Datagram(session.ToServer, in)
		if got := string(whole.Apply(in, v.Edits)); v.Drop != tt.drop || !tt.drop && got != tt.want || len(v.Evidence) != 1 {
			t.Errorf("%+v: %q, drop %t, evidence %+v; want %q, %t", tt.c, got, v.Drop, v.Evidence, tt.want, tt.drop)
		}
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add([]byte("\x04"+strings.Repeat("\x01", 375)), false)
	f.Add([]byte("\x05\x01\x00a"), true)
	f.Fuzz(func(t *testing.T, b []byte, back bool) {
		dir := session.ToServer
		if back {
			dir = session.ToClient
		}
		was := bytes.Clone(b)
		if v := decoder(wholetest.Fits(t, Schema())).Datagram(dir, b); v.Drop || v.Undecodable != "" || len(v.Edits) > 0 || !bytes.Equal(b, was) {
			t.Fatalf("a harmless datagram: %+v", v)
		}
		v := decoder(wholetest.At("request", protocol.Correction{Action: protocol.Set, Field: "instance", Value: "x"})).Datagram(dir, b)
		whole.Apply(b, v.Edits)
	})
}
