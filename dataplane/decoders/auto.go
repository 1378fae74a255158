package decoders

import (
	"bytes"
	"regexp"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Auto is the name of the protocol that is found by a session's first bytes.
const Auto = "auto"

// auto is the decoder of Auto over TCP. It holds the first bytes until they tell,
// and hands the session to the decoder of what it is.
func (s Set) auto(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
	return &recogniser{set: s, rules: r, conn: c, o: o}
}

// recogniser is a session whose protocol is not known yet, and then the decoder's.
type recogniser struct {
	set      Set
	rules    protocol.Rules
	conn     protocol.Conn
	o        Options
	greeting []byte // of the server, which has gone to the client
	half     int    // of so many octets of it an end has not come
	trial    *trial // of one command, while the greeting and what followed do not tell
	tried    bool   // there was one: what the server says is no greeting any more
	again    bool   // the server has not got it: the next one need not wait
	chosen   session.Inspector
	passing  bool
	ended    session.End
}

// answer is what first bytes tell.
type answer uint8

const (
	unknown answer = iota // it is not this
	perhaps               // more bytes will tell
	certain
)

// maxFirst bounds the bytes that are looked at.
const maxFirst = 512

// Inspect implements session.Inspector.
func (a *recogniser) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	v := a.inspect(dir, data, eof)
	for a.again {
		a.again = false
		at := int(v.Release)
		w := a.inspect(dir, data[at:], eof)
		for _, e := range w.Edits {
			v.Edit(at+e.Start, at+e.End, e.With)
		}
		v.Evidence, v.Reply, v.End = append(v.Evidence, w.Evidence...), append(v.Reply, w.Reply...), w.End
		if v.Release = w.Release; w.Release != session.Forever {
			v.Release += int64(at)
		}
	}
	return v
}

// inspect takes what is there, but of commands on trial one.
func (a *recogniser) inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	switch {
	case a.chosen != nil:
		return a.chosen.Inspect(dir, data, eof)
	case a.ended != session.Continue:
		return session.Verdict{End: a.ended}
	case a.passing:
		return session.Verdict{Release: session.Forever}
	case a.trial != nil:
		return a.onTrial(dir, data, eof)
	case len(data) == 0:
		return session.Verdict{}
	case a.tried && dir == session.ToClient:
		return session.Verdict{Release: int64(len(data))}
	}
	name, told := a.fromServer(data)
	if dir == session.ToServer {
		name, told = a.fromClient(data)
	}
	if told == unknown && a.greeting == nil {
		name, told = a.set.orDescribed(told, dir, data, false)
	}
	switch {
	case told == certain && name == "" && len(a.greeting)+len(data) <= maxReply:
		// A greeting that could be of two: what the client says tells.
		a.greeting = append(a.greeting, data...)
		return session.Verdict{Release: int64(len(data))}
	case told == certain && name != "" && a.greeting != nil:
		return a.try(name, data, eof)
	case told == certain && name != "":
		return a.choose(name, dir, data, eof)
	case told == perhaps && len(data) < maxFirst && !eof:
		return session.Verdict{}
	}
	return a.giveUp(data)
}

// choose hands the session over.
func (a *recogniser) choose(name string, dir session.Direction, data []byte, eof bool) session.Verdict {
	d, ok := a.set[name]
	if !ok || d.New == nil {
		a.passing = true // for instance TLS where nothing reads it
		return session.Verdict{Release: session.Forever}
	}
	a.chosen = d.New(a.rules, a.conn, a.o)
	return a.chosen.Inspect(dir, data, eof)
}

// giveUp does with what nobody knows as with what cannot be decoded.
func (a *recogniser) giveUp(data []byte) session.Verdict {
	v := session.Verdict{Release: session.Forever}
	if a.o.MidStream {
		a.passing = true
		return v
	}
	v.Evidence = []session.Evidence{{
		Mode: "correct", Action: "report", Element: "session", Before: bytes.Clone(data[:min(len(data), session.EvidenceLimit)]),
		Note: "cannot be inspected: its first bytes are of no protocol that is known here",
	}}
	if a.passing = a.o.Exceed == "pass"; !a.passing {
		v.Release, v.End = 0, session.Reset
	}
	a.ended = v.End
	return v
}

var (
	reHTTP  = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z-]{1,32} [^ \r\n]+ HTTP/1\.[01]\r?\n`)
	reVerb  = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z-]{1,32}$`)
	reStart = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z-]{1,32} `)
)

// fromClient looks at the client's first bytes.
func (a *recogniser) fromClient(data []byte) (name string, told answer) {
	if a.greeting != nil {
		return afterGreeting(data)
	}
	switch {
	case data[0] == 0x16:
		return startsAs("tls", data, 0x16, 0x03)
	case data[0] == 0x10:
		return mqttStart(data)
	case data[0] == 0: // no request that needs more than 255 octets comes first
		return dnsStreamStart(data)
	}
	return httpStart(bytes.TrimLeft(data, "\r\n"))
}

func startsAs(name string, data []byte, start ...byte) (string, answer) {
	switch {
	case bytes.HasPrefix(data, start):
		return name, certain
	case bytes.HasPrefix(start, data):
		return "", perhaps
	}
	return "", unknown
}

func mqttStart(data []byte) (string, answer) {
	at := 1
	for at < len(data) && at < 4 && data[at] >= 0x80 {
		at++
	}
	if at++; at >= len(data) {
		return "", perhaps
	}
	if name, told := startsAs("mqtt", data[at:], append([]byte{0, 4}, "MQTT"...)...); told != unknown {
		return name, told
	}
	return startsAs("mqtt", data[at:], append([]byte{0, 6}, "MQIsdp"...)...)
}

func httpStart(data []byte) (string, answer) {
	if len(data) == 0 {
		return "", perhaps
	}
	line := data
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		if reHTTP.Match(data[:i+1]) {
			return "http", certain
		}
		return "", unknown
	}
	if reVerb.Match(line) || reStart.Match(line) {
		if reStart.Match(line) && len(line) >= maxFirst {
			return "http", certain // a long target; the decoder knows what to do
		}
		return "", perhaps
	}
	return "", unknown
}

// fromServer looks at what a server that speaks first says: 220 is FTP or SMTP.
func (a *recogniser) fromServer(data []byte) (string, answer) {
	switch {
	case a.greeting != nil:
		return "", certain // more of the greeting
	case !bytes.HasPrefix(data, []byte("220"[:min(3, len(data))])):
		return "", unknown
	case !bytes.HasSuffix(data, []byte("\n")):
		return "", perhaps
	}
	text := strings.ToUpper(string(data))
	switch ftp, smtp := strings.Contains(text, "FTP"), strings.Contains(text, "SMTP"); {
	case smtp && !ftp:
		return "smtp", certain
	case ftp && !smtp:
		return "ftp", certain
	}
	return "", certain
}
