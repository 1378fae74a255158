package http

import (
	"time"

	"wirepatch/dataplane/session"
)

// imfFixdate is the date format of RFC 9110 section 5.6.7.
const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"

// variables hold what Lookup has worked out for the message under way, and the
// texts of the last ones, which are often the same.
type variables struct {
	known   [numVars]bool
	values  [numVars]any
	body    bool // the message's body is held, or it has none
	parsed  bool
	request head // of a response's request
}

const (
	varMethod = iota
	varTarget
	varPath
	varQuery
	varVersion
	varRequestHeaders
	varRequestBody
	varStatus
	varReason
	varResponseHeaders
	varResponseBody
	varClientAddress
	varClientPort
	varServerAddress
	varServerPort
	varDate
	numVars
)

var varIndex = map[string]int{
	"request.method": varMethod, "request.target": varTarget, "request.path": varPath,
	"request.query": varQuery, "request.version": varVersion, "request.headers": varRequestHeaders,
	"request.body": varRequestBody, "response.status": varStatus, "response.reason": varReason,
	"response.headers": varResponseHeaders, "response.body": varResponseBody,
	"client.address": varClientAddress, "client.port": varClientPort,
	"server.address": varServerAddress, "server.port": varServerPort, "date": varDate,
}

func (v *variables) begin(body bool) {
	v.known = [numVars]bool{}
	v.parsed = false
	v.body = body
}

// end forgets what is large.
func (v *variables) end() {
	v.values[varRequestHeaders], v.values[varResponseHeaders] = nil, nil
	v.values[varRequestBody], v.values[varResponseBody] = nil, nil
	for i, x := range v.values {
		if s, ok := x.(string); ok && len(s) > maxKeptValue {
			v.values[i] = nil
		}
	}
	if cap(v.request.fields) > keepElements {
		v.request.fields = nil
	}
}

// lookup is protocol.Message's Lookup.
func (d *Decoder) lookup(name string) (any, bool) {
	i, ok := varIndex[name]
	if !ok {
		return nil, false
	}
	v := &d.vars
	if !v.known[i] {
		x := d.variable(i)
		if x == nil {
			return nil, false
		}
		v.known[i], v.values[i] = true, x
	}
	return v.values[i], true
}

// variable works a variable out; nil: it is not known.
func (d *Decoder) variable(i int) any {
	old := d.vars.values[i]
	switch i {
	case varClientAddress:
		return d.conn.ClientAddress
	case varServerAddress:
		return d.conn.ServerAddress
	case varClientPort:
		return int64(d.conn.ClientPort)
	case varServerPort:
		return int64(d.conn.ServerPort)
	case varDate:
		return date(d.o.Clock())
	case varStatus, varReason, varResponseHeaders, varResponseBody:
		return d.responseVariable(i, old)
	}
	return d.requestVariable(i, old)
}

func date(t time.Time) string { return t.UTC().Format(imfFixdate) }

func (d *Decoder) responseVariable(i int, old any) any {
	h := d.turn.h
	if h.dir != session.ToClient {
		return nil
	}
	b := d.msg.Data
	switch i {
	case varStatus:
		return int64(h.head.status)
	case varReason:
		return sameText(old, cut(b, h.head.reason))
	case varResponseHeaders:
		return h.head.headers(b)
	}
	return d.ownBody()
}

// requestVariable reads the request under way, or that of the response under way.
func (d *Decoder) requestVariable(i int, old any) any {
	h, b := &d.turn.h.head, d.msg.Data
	if d.turn.h.dir == session.ToClient {
		e := d.queue.front()
		if len(e.raw) == 0 {
			return nil
		}
		if h, b = &d.vars.request, e.raw; !d.vars.parsed {
			parseHead(h, b, true)
			d.vars.parsed = true
		}
	}
	switch i {
	case varMethod:
		return sameText(old, cut(b, h.method))
	case varTarget:
		return sameText(old, cut(b, h.target))
	case varPath:
		return sameText(old, cut(b, h.path))
	case varQuery:
		return sameText(old, cut(b, h.query))
	case varVersion:
		return sameText(old, cut(b, h.version))
	case varRequestHeaders:
		return h.headers(b)
	}
	if d.turn.h.dir == session.ToServer {
		return d.ownBody()
	}
	if e := d.queue.front(); e.hasBody {
		return e.body
	}
	return nil
}

// ownBody is the body of the message under way, "" when it has none.
func (d *Decoder) ownBody() any {
	if !d.vars.body {
		return nil
	}
	return d.turn.h.hold.value
}

// bodyValue is the body of the request under way as its response's rules may
// read it.
func (d *Decoder) bodyValue() (string, bool) {
	h := d.turn.h
	if h.hold.active {
		return h.hold.value, true
	}
	return "", h.framing == noBody
}

// headers returns the fields by lower-case name, each with its values in order.
func (h *head) headers(b []byte) map[string][]string {
	m := make(map[string][]string, len(h.fields))
	for i := range h.fields {
		f := &h.fields[i]
		name := toLower(cut(b, f.name))
		m[name] = append(m[name], string(f.text(b)))
	}
	return m
}
