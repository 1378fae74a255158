package http

import (
	"bytes"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/percent"
	"wirepatch/dataplane/protocol/websocket"
	"wirepatch/dataplane/session"
)

// WebSocketSchema documents what is published of sessions that go on as WebSocket:
// its elements, and what is known of the request that began it.
func WebSocketSchema() protocol.Schema {
	vars := map[string]protocol.Var{}
	for name, v := range variableTypes() {
		switch {
		case v.Dir != session.ToServer, strings.HasSuffix(name, ".body"), strings.HasSuffix(name, ".coding"), strings.HasSuffix(name, ".framing"), strings.HasSuffix(name, ".fault"):
		default:
			vars[name] = v
		}
	}
	return protocol.Schema{Protocol: "websocket", Numbered: true, Elements: websocket.Elements(), Vars: vars}
}

// asksForUpgrade says whether what follows a request may be something else than
// HTTP, and whether that is WebSocket.
func (h *head) asksForUpgrade(b []byte) (upgrade, socket bool) {
	if h.tunnels(b) {
		return true, false
	}
	if h.minor == 0 || !h.option(b, "upgrade") {
		return false, false
	}
	for i := range h.fields {
		if f := &h.fields[i]; equalFold(cut(b, f.name), "upgrade") {
			upgrade = true
			socket = socket || listHas(cut(b, f.value), "websocket")
		}
	}
	return upgrade, socket
}

// offersUpgrade says whether a request names a protocol to go on with, in form or
// not.
func (h *head) offersUpgrade(b []byte) bool {
	for i := range h.fields {
		if equalFold(cut(b, h.fields[i].name), "upgrade") {
			return true
		}
	}
	return false
}

// toHTTP2 says whether a field has the session go on as HTTP/2.
func (f *fieldLine) toHTTP2(b []byte) bool {
	return equalFold(cut(b, f.name), "upgrade") && listHas(cut(b, f.value), "h2c")
}

// stayHTTP1 takes the offer to go on as HTTP/2, which nobody here could inspect,
// out of a request: any server may pass over it (RFC 9110 section 7.8).
func (p *plan) stayHTTP1() {
	h := p.d.turn.h
	if h.dir != session.ToServer || p.m.Sent || p.over {
		return
	}
	for i := range h.head.fields {
		f := &h.head.fields[i]
		if !f.toHTTP2(p.m.Data) || !equalFold(cut(p.m.Data, f.value), "h2c") {
			continue
		}
		e := edit{Edit: session.Edit{Start: f.line.Start, End: f.line.End}}
		if p.overlaps([]edit{e}) {
			continue
		}
		p.insert(e)
		p.told = append(p.told, told{session.Evidence{
			Mode: "correct", Action: "remove", Element: kinds[h.dir].header, Before: bounded(cut(p.m.Data, f.line)),
			Note: "HTTP/2 cannot be inspected: the session stays HTTP/1.1",
		}, true})
	}
}

// stepWait keeps what a client sends behind a request for an upgrade until the
// server has answered: only then is it known what it is.
func (d *Decoder) stepWait() bool {
	t := &d.turn
	if !t.eof && d.queue.find(t.h.serial) != nil {
		return false
	}
	t.h.mode = atHead
	return true
}

// wantsSocket says whether rules ask for anything of WebSocket.
func (d *Decoder) wantsSocket() bool {
	for kind := range socketKinds {
		if d.rules.Wants(kind) {
			return true
		}
	}
	return false
}

var socketKinds = websocket.Elements()

// startSocket hands the rest of the session to the decoder of WebSocket; false:
// it is something else, or nobody asks.
func (d *Decoder) startSocket(e *exchange) bool {
	h := &d.turn.h.head
	b := d.turn.rest()[:h.size]
	if h.status != 101 || !e.socket || len(e.raw) == 0 || !d.wantsSocket() {
		return false
	}
	o := websocket.Options{MaxMessage: d.o.MaxBody, Exceed: d.o.Exceed, Memory: &d.memory}
	for i := range h.fields {
		f := &h.fields[i]
		if !equalFold(cut(b, f.name), "sec-websocket-extensions") {
			continue
		}
		for ext := range bytes.SplitSeq(f.text(b), []byte(",")) {
			parts := strings.Split(toLower(ext), ";")
			if name := strings.TrimSpace(parts[0]); name != "permessage-deflate" {
				o.Foreign = o.Foreign || name != ""
				continue
			}
			o.Deflate = true
			for _, p := range parts[1:] {
				p = strings.TrimSpace(p)
				o.Fresh[session.ToServer] = o.Fresh[session.ToServer] || p == "client_no_context_takeover"
				o.Fresh[session.ToClient] = o.Fresh[session.ToClient] || p == "server_no_context_takeover"
			}
		}
	}
	s := &handshake{d: d, raw: append([]byte(nil), e.raw...)}
	parseHead(&s.head, s.raw, true)
	o.Lookup = s.lookup
	d.inner = websocket.New(d.rules, o)
	return true
}

// handshake is the request that began a session of WebSocket, for its rules.
type handshake struct {
	d      *Decoder
	raw    []byte
	head   head
	values [numVars]any
}

func (s *handshake) lookup(name string) (any, bool) {
	i, ok := varIndex[name]
	if !ok {
		return nil, false
	}
	if s.values[i] == nil {
		if s.values[i] = s.d.sessionVariable(i); s.values[i] == nil && i < varStatus {
			s.values[i] = s.head.requestVariable(i, s.raw, nil)
		}
	}
	x := s.values[i]
	if i == varDate {
		s.values[i] = nil // it goes on
	}
	return x, x != nil
}

// requestVariable works out what the head of a request tells; nil: not that.
func (h *head) requestVariable(i int, b []byte, old any) any {
	switch i {
	case varMethod:
		return sameText(old, cut(b, h.method))
	case varTarget:
		return sameText(old, cut(b, h.target))
	case varPath:
		return sameText(old, cut(b, h.path))
	case varQuery:
		return sameText(old, cut(b, h.query))
	case varDecoded:
		return sameText(old, []byte(percent.Decode(string(cut(b, h.path)), false)))
	case varVersion:
		return sameText(old, cut(b, h.version))
	case varParameters:
		return pairMap(string(cut(b, h.query)), formtext.Pairs, true)
	case varCookies:
		return h.cookieMap(b)
	}
	return h.common(i, b, old)
}

// goOn has the decoder that took over decide what is left of the turn.
func (d *Decoder) goOn(v session.Verdict) session.Verdict {
	t := &d.turn
	if len(t.rest()) == 0 && !t.eof {
		return v
	}
	w := d.inner.Inspect(t.h.dir, t.rest(), t.eof)
	for _, e := range w.Edits {
		t.v.Edit(t.pos+e.Start, t.pos+e.End, e.With)
	}
	v.Edits = t.v.Edits
	v.Evidence = append(v.Evidence, w.Evidence...)
	v.End = w.End
	v.Release = session.Forever
	if w.Release != session.Forever {
		v.Release = int64(t.pos) + w.Release
	}
	return v
}
