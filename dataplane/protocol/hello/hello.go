// Package hello reads the first messages of TLS and DTLS handshakes, ClientHello
// and ServerHello (RFC 5246, RFC 6347, RFC 8446), which need no key. Packages tls
// and dtls, which know the records around them, share it.
package hello

import (
	"errors"
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Types of handshake messages that are read.
const (
	Client = 1
	Server = 2
)

// Extensions that are read (IANA).
const (
	serverName        = 0
	alpn              = 16
	heartbeat         = 15
	supportedVersions = 43
)

// ErrFormat says that a hello cannot be read.
var ErrFormat = errors.New("malformed hello")

// Hello is one message, without the header of the handshake.
type Hello struct {
	Type       int
	Version    int // legacy_version
	Random     []byte
	SessionID  []byte
	Cookie     []byte // DTLS, of a client
	Suites     []int64
	Methods    []int64 // compression
	Extensions []Extension
}

// Extension is one extension, and where it stands in the message.
type Extension struct {
	Type       int
	Data       []byte
	Start, End int
}

// reader takes fields off the front; bad once one was not there.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b)-r.at {
		r.bad = true
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) number(size int) int {
	n := 0
	for _, c := range r.take(size) {
		n = n<<8 | int(c)
	}
	return n
}

// vector takes what a length of so many octets leads.
func (r *reader) vector(size int) []byte { return r.take(r.number(size)) }

func numbers(b []byte, size int) ([]int64, bool) {
	var out []int64
	for r := (&reader{b: b}); r.at < len(b); {
		n := r.number(size)
		if r.bad {
			return nil, false
		}
		out = append(out, int64(n))
	}
	return out, true
}

// Parse reads the body of a hello. datagram: it is one of DTLS.
func Parse(typ int, b []byte, datagram bool) (*Hello, error) {
	r := &reader{b: b}
	h := &Hello{Type: typ, Version: r.number(2), Random: r.take(32), SessionID: r.vector(1)}
	suites, methods := []byte(nil), []byte(nil)
	if typ == Client {
		if datagram {
			h.Cookie = r.vector(1)
		}
		suites, methods = r.vector(2), r.vector(1)
	} else {
		suites, methods = r.take(2), r.take(1)
	}
	var ok, ok2 bool
	h.Suites, ok = numbers(suites, 2)
	h.Methods, ok2 = numbers(methods, 1)
	if r.bad || !ok || !ok2 || len(h.SessionID) > 32 {
		return nil, ErrFormat
	}
	if r.at == len(b) {
		return h, nil // of TLS without extensions
	}
	end := r.number(2) + r.at
	if r.bad || end != len(b) {
		return nil, ErrFormat
	}
	for r.at < end {
		x := Extension{Start: r.at}
		x.Type, x.Data = r.number(2), r.vector(2)
		if r.bad {
			return nil, ErrFormat
		}
		x.End = r.at
		h.Extensions = append(h.Extensions, x)
	}
	return h, nil
}

func (h *Hello) extension(typ int) *Extension {
	i := slices.IndexFunc(h.Extensions, func(x Extension) bool { return x.Type == typ })
	if i < 0 {
		return nil
	}
	return &h.Extensions[i]
}

// ServerName is the first host name that the client asks for; empty: none.
func (h *Hello) ServerName() string {
	x := h.extension(serverName)
	if x == nil || h.Type != Client {
		return ""
	}
	names := &reader{b: (&reader{b: x.Data}).vector(2)}
	for names.at < len(names.b) && !names.bad {
		if kind, name := names.number(1), names.vector(2); kind == 0 && !names.bad {
			return string(name)
		}
	}
	return ""
}

// ALPN are the protocols that the client offers, or the one that the server has
// chosen.
func (h *Hello) ALPN() []string {
	out := []string{}
	if x := h.extension(alpn); x != nil {
		list := &reader{b: (&reader{b: x.Data}).vector(2)}
		for list.at < len(list.b) && !list.bad {
			if name := list.vector(1); !list.bad {
				out = append(out, string(name))
			}
		}
	}
	return out
}

// Versions are those that the client offers, or the one that the server has
// chosen, by the extension; without it the one of the message.
func (h *Hello) Versions() []int64 {
	if x := h.extension(supportedVersions); x != nil {
		data := x.Data
		if h.Type == Client {
			data = (&reader{b: x.Data}).vector(1)
		}
		if out, ok := numbers(data, 2); ok && len(out) > 0 {
			return out
		}
	}
	return []int64{int64(h.Version)}
}

// Heartbeat says whether the hello has the heartbeat extension (RFC 6520).
func (h *Hello) Heartbeat() bool { return h.extension(heartbeat) != nil }

// retry is the random of a ServerHello that is a HelloRetryRequest (RFC 8446, 4.1.3).
var retry = []byte("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")

// Retry says whether the server asks for another ClientHello.
func (h *Hello) Retry() bool { return h.Type == Server && slices.Equal(h.Random, retry) }

// side is the first part of the names of a direction's elements.
var side = [2]string{session.ToServer: "client", session.ToClient: "server"}

// Kinds are the elements of a direction that hellos make.
func Kinds(dir session.Direction) []string {
	return []string{side[dir] + ".hello", side[dir] + ".extension"}
}

// Elements are those of the hello; span is where it stands, and at turns an
// offset within its body into one of the message that rules see.
func (h *Hello) Elements(dir session.Direction, span protocol.Span, at func(int) int) []protocol.Element {
	k := Kinds(dir)
	out := []protocol.Element{{Kind: k[0], Span: span, Fields: []protocol.Field{
		whole.Int("version", h.Version),
		{Name: "versions", Value: h.Versions(), Span: protocol.Span{Start: -1}},
		{Name: "cipher_suites", Value: h.Suites, Span: protocol.Span{Start: -1}},
		{Name: "compression", Value: h.Methods, Span: protocol.Span{Start: -1}},
		{Name: "alpn", Value: h.ALPN(), Span: protocol.Span{Start: -1}},
		whole.Text("server_name", h.ServerName(), -1, -1),
		whole.Int("session_id", len(h.SessionID)),
		whole.Int("cookie", len(h.Cookie)),
		whole.Int("extensions", len(h.Extensions)),
		whole.Bool("heartbeat", h.Heartbeat()),
	}}}
	for _, x := range h.Extensions {
		out = append(out, protocol.Element{Kind: k[1], Span: protocol.Span{Start: at(x.Start), End: at(x.End)}, Fields: []protocol.Field{
			whole.Int("type", x.Type), whole.Int("size", len(x.Data)), whole.Text("data", string(x.Data), -1, -1),
		}})
	}
	return out
}

// Types are the elements that hellos make, for a schema.
func Types() map[string]protocol.ElementType {
	hello := whole.Fields{
		"version":       {Type: protocol.Int, Doc: "version in the message, for instance 0x0303"},
		"versions":      {Type: protocol.IntList, Doc: "versions that the client offers, or the one that the server has chosen, by the extension; else the one in the message"},
		"cipher_suites": {Type: protocol.IntList, Doc: "suites offered, or the one chosen"},
		"compression":   {Type: protocol.IntList, Doc: "compression methods offered, or the one chosen"},
		"alpn":          {Type: protocol.StringList, Doc: "application protocols offered, or the one chosen"},
		"server_name":   {Type: protocol.String, Doc: "host name that the client asks for (SNI); empty when there is none"},
		"session_id":    {Type: protocol.Int, Doc: "octets of the session identifier"},
		"cookie":        {Type: protocol.Int, Doc: "octets of the cookie of DTLS"},
		"extensions":    {Type: protocol.Int, Doc: "their number"},
		"heartbeat":     {Type: protocol.Bool, Doc: "the heartbeat extension is among them"},
	}
	extension := whole.Fields{
		"type": {Type: protocol.Int, Doc: "number of the extension"},
		"size": {Type: protocol.Int, Doc: "octets of its data"},
		"data": {Type: protocol.String, Doc: "its data"},
	}
	out := map[string]protocol.ElementType{}
	for dir, name := range map[session.Direction]string{session.ToServer: "ClientHello", session.ToClient: "ServerHello"} {
		k := Kinds(dir)
		out[k[0]] = protocol.ElementType{Doc: "a " + name + ", whole", Dir: dir, Fields: hello}
		out[k[1]] = protocol.ElementType{Doc: "one extension of a " + name, Dir: dir, Fields: extension}
	}
	return out
}
