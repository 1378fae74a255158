package hello

import (
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x03\x03rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x02\xc0\x2b\x01\x00\x00\x12\x00\x00\x00\x0b\x00\x09\x00\x00\x06a.test\xff\x01\x00\x00\x00"), false, false)
	f.Add([]byte("\x03\x03rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x02\xc0\x2b\x01\x00\x00\x09\x00\x2b\x00\x03\x02\x03\x04\x00\x00\x00"), false, false)
	f.Add([]byte("\xfe\xfdrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x03coo\x00\x02\xc0\x2b\x01\x00\x00\x0a\x00\x10\x00\x06\x00\x04\x03web"), false, true)
	f.Add([]byte("\x03\x03rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x01s\xc0\x2b\x00\x00\x06\x00\x2b\x00\x02\x03\x04"), true, false)
	f.Fuzz(func(t *testing.T, b []byte, server, datagram bool) {
		typ, dir := Client, session.ToServer
		if server {
			typ, dir = Server, session.ToClient
		}
		h, err := Parse(typ, b, datagram)
		if err != nil {
			return
		}
		if len(h.Versions()) == 0 {
			t.Fatal("no version")
		}
		_ = h.Retry()
		for _, e := range h.Elements(dir, protocol.Span{End: len(b)}, func(i int) int { return i }) {
			if e.Span.End < e.Span.Start || e.Span.End > len(b) {
				t.Fatalf("%s stands at %+v of %d", e.Kind, e.Span, len(b))
			}
		}
	})
}
