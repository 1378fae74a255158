package http

import (
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// TestStands: where others may stand in for the decoder.
func TestStands(t *testing.T) {
	const (
		get    = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		closes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
	)
	type say struct {
		dir session.Direction
		b   string
	}
	up, down := session.ToServer, session.ToClient
	for _, tt := range []struct {
		name        string
		say         []say
		pending, ok bool
	}{
		{"nothing said", nil, false, true},
		{"a request", []say{{up, get}}, true, true},
		{"a request and its response", []say{{up, get}, {down, serverResponse}}, false, true},
		{"half a request", []say{{up, get[:20]}}, false, false},
		{"half a response", []say{{up, get}, {down, serverResponse[:len(serverResponse)-1]}}, false, false},
		{"two requests", []say{{up, get + get}}, false, false},
		{"a request whose response has no body", []say{{up, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"}}, true, false},
		{"a request for a tunnel", []say{{up, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"}}, true, false},
		{"a response behind which the session ends", []say{{up, get}, {down, closes}}, false, false},
	} {
		d := New(quiet{}, protocol.Conn{}, Options{})
		for _, s := range tt.say {
			d.Inspect(s.dir, []byte(s.b), false)
		}
		pending, ok := d.Stands()
		if ok != tt.ok || ok && pending != tt.pending {
			t.Errorf("%s: Stands() = %t, %t; want %t, %t", tt.name, pending, ok, tt.pending, tt.ok)
		}
	}
}
