package http

import (
	"time"

	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/percent"
	"wirepatch/dataplane/session"
)

// imfFixdate is the date format of RFC 9110 section 5.6.7.
const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"

// variables hold what Lookup has worked out for the message under way, and the
// texts of the last ones, which are often the same.
type variables struct {
	known   [numVars]bool
	values  [numVars]any
	data    []byte // the head of the message
	body    bool   // the message's body is held, or it has none
	parsed  bool
	request head // of a response's request
}

const (
	varMethod = iota
	varTarget
	varPath
	varQuery
	varDecoded
	varVersion
	varParameters
	varCookies
	varRequestHeaders
	varRequestLines
	varRequestType
	varRequestFraming
	varRequestFault
	varRequestCount
	varRequestSize
	varRequestBody
	varRequestCoding
	varStatus
	varReason
	varResponseHeaders
	varResponseLines
	varResponseType
	varResponseFraming
	varResponseFault
	varResponseCount
	varResponseSize
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
	"request.query": varQuery, "request.decoded": varDecoded, "request.version": varVersion,
	"request.parameters": varParameters, "request.cookies": varCookies, "request.headers": varRequestHeaders,
	"request.lines": varRequestLines, "response.lines": varResponseLines,
	"request.content_type": varRequestType, "request.framing": varRequestFraming, "request.fault": varRequestFault,
	"request.header_count": varRequestCount, "request.head_size": varRequestSize, "request.body": varRequestBody,
	"request.coding":  varRequestCoding,
	"response.status": varStatus, "response.reason": varReason, "response.headers": varResponseHeaders,
	"response.content_type": varResponseType, "response.framing": varResponseFraming, "response.fault": varResponseFault,
	"response.header_count": varResponseCount, "response.head_size": varResponseSize, "response.body": varResponseBody,
	"client.address": varClientAddress, "client.port": varClientPort,
	"server.address": varServerAddress, "server.port": varServerPort, "date": varDate,
}

func (v *variables) begin(head []byte, body bool) {
	v.known = [numVars]bool{}
	v.parsed = false
	v.data, v.body = head, body
}

// end forgets what is large.
func (v *variables) end() {
	for _, i := range []int{varRequestHeaders, varResponseHeaders, varRequestLines, varResponseLines, varRequestBody, varResponseBody, varParameters, varCookies} {
		v.values[i] = nil
	}
	for i, x := range v.values {
		if s, ok := x.(string); ok && len(s) > maxKeptValue {
			v.values[i] = nil
		}
	}
	if cap(v.request.fields) > keepElements {
		v.request.fields = nil
	}
	v.data = nil
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
	switch {
	case i >= varClientAddress:
		return d.sessionVariable(i)
	case i >= varStatus:
		return d.responseVariable(i, old)
	}
	return d.requestVariable(i, old)
}

// sessionVariable works out what is the same for all messages, and the time.
func (d *Decoder) sessionVariable(i int) any {
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
	}
	return nil
}

func date(t time.Time) string { return t.UTC().Format(imfFixdate) }

func (d *Decoder) responseVariable(i int, old any) any {
	h := d.turn.h
	if h.dir != session.ToClient {
		return nil
	}
	b := d.vars.data
	switch i {
	case varStatus:
		return int64(h.head.status)
	case varReason:
		return sameText(old, cut(b, h.head.reason))
	case varResponseFraming:
		return framingNames[h.framing]
	case varResponseBody:
		return d.ownBody()
	}
	return h.head.common(i, b, old)
}

// common works out what requests and responses have both.
func (h *head) common(i int, b []byte, old any) any {
	switch i {
	case varRequestHeaders, varResponseHeaders:
		return h.headers(b, func(f *fieldLine) []byte { return f.text(b) })
	case varRequestLines, varResponseLines:
		return h.headers(b, func(f *fieldLine) []byte { return cut(b, f.line) })
	case varRequestType, varResponseType:
		media, _ := h.contentType(b)
		return sameText(old, []byte(media))
	case varRequestFault, varResponseFault:
		return faultCodes[h.fault]
	case varRequestCount, varResponseCount:
		return int64(len(h.fields))
	case varRequestSize, varResponseSize:
		return int64(h.size)
	}
	return nil
}

// requestVariable reads the request under way, or that of the response under way.
func (d *Decoder) requestVariable(i int, old any) any {
	h, b := &d.turn.h.head, d.vars.data
	own := d.turn.h.dir == session.ToServer
	if !own {
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
	case varRequestFraming:
		if own {
			return framingNames[d.turn.h.framing]
		}
		f, _, _ := h.requestFraming(b)
		return framingNames[f]
	case varRequestBody:
		return d.requestBody(own)
	case varRequestCoding:
		return d.requestCoding(own)
	}
	return h.requestVariable(i, b, old)
}

func (d *Decoder) requestBody(own bool) any {
	if own {
		return d.ownBody()
	}
	if e := d.queue.front(); e.hasBody {
		return e.body
	}
	return nil
}

func (d *Decoder) requestCoding(own bool) any {
	switch {
	case own && d.vars.body:
		return d.turn.h.hold.coding()
	case own && !d.turn.h.head.coded(d.vars.data):
		return ""
	}
	if e := d.queue.front(); !own && e.hasBody {
		return e.coding
	}
	return nil
}

var framingNames = [...]string{noBody: "none", byLength: "length", byChunks: "chunked", untilClose: "close", tunnel: "tunnel"}

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

// headers returns the fields by lower-case name, of each what says in order.
func (h *head) headers(b []byte, what func(*fieldLine) []byte) map[string][]string {
	m := make(map[string][]string, len(h.fields))
	for i := range h.fields {
		f := &h.fields[i]
		name := toLower(cut(b, f.name))
		m[name] = append(m[name], string(what(f)))
	}
	return m
}

// pairMap returns values by key, both decoded where they are percent-encoded.
func pairMap(text string, split func(string, func(formtext.Pair) bool), encoded bool) map[string][]string {
	m := map[string][]string{}
	split(text, func(p formtext.Pair) bool {
		key, value := p.Key.Cut(text), p.Value.Cut(text)
		if encoded {
			key, value = percent.Decode(key, true), percent.Decode(value, true)
		}
		m[key] = append(m[key], value)
		return true
	})
	return m
}

// cookieMap returns the cookies of all Cookie fields.
func (h *head) cookieMap(b []byte) map[string][]string {
	m := map[string][]string{}
	for i := range h.fields {
		f := &h.fields[i]
		if !equalFold(cut(b, f.name), "cookie") {
			continue
		}
		for k, v := range pairMap(string(f.text(b)), formtext.Cookies, false) {
			m[k] = append(m[k], v...)
		}
	}
	return m
}
