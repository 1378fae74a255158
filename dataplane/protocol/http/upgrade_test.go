package http

import (
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

const (
	upgrade  = "GET /chat?x=1 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n"
	hello    = "\x81\x85\x00\x00\x00\x00hello"
	evil     = "\x81\x84\x00\x00\x00\x00evil"
	answer   = "\x81\x02yo"
)

// The rest of a session that is upgraded is WebSocket, also what came before the
// server's answer, and what came with it.
func TestWebSocket(t *testing.T) {
	socketRules := func(action protocol.Action) pickRules {
		return append(pickOne("client.message", "value", "evil", action, protocol.Correction{Reply: &protocol.Reply{Status: 1008}}), pickRule{"request.line", "target", "/bad", protocol.Correction{Action: protocol.Reject, Reply: &protocol.Reply{Status: 403}}})
	}
	for _, tc := range []struct {
		name     string
		rules    pickRules
		parts    []part
		toServer string
		toClient string
	}{
		{"messages behind the answer", socketRules(protocol.Drop), []part{c(upgrade), s(switched + answer), c(hello + evil + hello), s(answer)}, upgrade + hello + hello, switched + answer + answer},
		{"messages before the answer", socketRules(protocol.Drop), []part{c(upgrade + hello + evil), s(switched), s(answer)}, upgrade + hello, switched + answer},
		{"refused", socketRules(protocol.Reject), []part{c(upgrade + hello + evil + hello), s(switched), s(answer), s("\x8a\x05fence"), s(answer)}, upgrade + hello + "\x89\x85\x00\x00\x00\x00fence", switched + answer + "\x88\x02\x03\xf0"},
		{"no upgrade after all", socketRules(protocol.Drop), []part{c(upgrade + bad + get), s(ok2), s(ok2)}, upgrade + get, ok2 + "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" + ok2},
		{"nobody asks for messages", remove("request.header", "name", "x"), []part{c(upgrade + "\xff\xff"), s(switched)}, upgrade + "\xff\xff", switched},
	} {
		if tc.name == "no upgrade after all" {
			tc.rules[1].value = "/bad"
		}
		for name, split := range map[string]func(string) []string{"whole": wholly, "bytewise": bytewise} {
			w := newWire(t, tc.rules, Options{})
			play(w, tc.parts, split)
			if got := w.toServer(); got != tc.toServer {
				t.Errorf("%s, %s: server gets %q; want %q", tc.name, name, got, tc.toServer)
			}
			if got := w.toClient(); got != tc.toClient || w.End != session.Continue {
				t.Errorf("%s, %s: client gets %q, end %d; want %q; evidence %+v", tc.name, name, got, w.End, tc.toClient, w.Log)
			}
		}
	}
}

// Rules on messages know the request that the session began with.
func TestWebSocketVariables(t *testing.T) {
	seen := map[string]any{}
	look := witness{kinds: []string{"client.message"}, seen: func(m *protocol.Message) {
		for name := range WebSocketSchema().Vars {
			if v, ok := m.Lookup(name); ok {
				seen[name] = v
			} else {
				t.Errorf("variable %s is not known", name)
			}
		}
	}}
	w := newWire(t, look, Options{})
	play(w, []part{c(upgrade), s(switched), c(hello)}, wholly)
	if seen["request.path"] != "/chat" || seen["client.port"] != int64(40000) {
		t.Errorf("variables: %v", seen)
	}
}

// What an extension that is not read here has coded is not taken for plain.
func TestWebSocketForeignExtension(t *testing.T) {
	foreign := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: x-webkit-deflate-frame\r\n\r\n"
	for _, tc := range []struct {
		switched, frame string
		end             session.End
	}{
		{foreign, hello, session.Continue},
		{foreign, "\xc1\x85\x00\x00\x00\x00hello", session.Reset},
		{foreign, "\x01\x85\x00\x00\x00\x00hello\x90\x81\x00\x00\x00\x00o", session.Reset},
		{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "\xc1\x85\x00\x00\x00\x00hello", session.Continue}, // the server refuses it
	} {
		w := newWire(t, pickOne("client.message", "value", "evil", protocol.Drop, protocol.Correction{}), Options{})
		play(w, []part{c(upgrade), s(tc.switched), c(tc.frame)}, wholly)
		if w.End != tc.end {
			t.Errorf("%q behind %q: end %v; want %v", tc.frame, tc.switched, w.End, tc.end)
		}
	}
}
