// Package tls decodes the records of TLS (RFC 5246, RFC 8446) as far as they can be
// read without keys: the headers of records and of handshake messages, hellos,
// alerts and heartbeats. A record, or the records of a hello, are held until they
// are there. Once both ends have begun to encrypt, the rest of a session passes
// unseen, but where rules ask for what shows even then: records, and heartbeats
// of versions before 1.3. It knows nothing of TCP, and holds no key.
package tls

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/hello"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Content types of records.
const (
	changeCipherSpec = 20
	alert            = 21
	handshake        = 22
	applicationData  = 23
	heartbeat        = 24
)

// Bounds.
const (
	headerLen    = 5
	maxRecord    = 1<<14 + 2048 // octets of content (RFC 5246, 6.2.3)
	maxHello     = 64 << 10     // octets of a hello that is put together
	maxRecords   = 64           // records of one hello
	version13    = 0x0304
	majorVersion = 3
)

// half is one direction.
type half struct {
	dir       session.Direction
	begun     bool // something has been read
	encrypted bool // what its sender sends from here on
	changed   bool // it has said so with a change of ciphers
	again     bool // one more hello comes in the clear, because of a HelloRetryRequest
	skip      int  // octets of a handshake message that go on in the records to come
	need      int  // no sense in looking before so many bytes are there
	held      bool // shown bytes are not decided
	passing   bool
	smallest  int // of its heartbeats without an answer, the shortest; -1: none
}

// Decoder is the session.Inspector of one session.
type Decoder struct {
	rules   protocol.Rules
	o       whole.Options
	ends    whole.Ends
	memory  protocol.Memory
	view    protocol.Message
	halves  [2]half
	verdict session.Verdict

	serverName string
	version    int // that the server has chosen; 0: not yet
}

var _ session.Inspector = (*Decoder)(nil)

// New makes the decoder of one session.
func New(rules protocol.Rules, conn protocol.Conn, o whole.Options) *Decoder {
	d := &Decoder{rules: rules, o: o, ends: whole.Ends{Conn: conn, Clock: o.Clock}}
	d.view = protocol.Message{Protocol: "tls", Lookup: d.lookup, Memory: &d.memory}
	for dir := range d.halves {
		// A session that was under way: nothing tells where a record begins.
		d.halves[dir] = half{dir: session.Direction(dir), smallest: -1, passing: o.MidStream}
	}
	return d
}

func (d *Decoder) lookup(name string) (any, bool) {
	switch name {
	case "tls.server_name":
		return d.serverName, true
	case "tls.version":
		return int64(d.version), true
	}
	return d.ends.Lookup(name)
}

// idle says that no rule is about TLS.
func (d *Decoder) idle() bool {
	for dir := range names {
		if whole.WantsAny(d.rules, names[dir].all...) || whole.WantsAny(d.rules, hello.Kinds(session.Direction(dir))...) {
			return false
		}
	}
	return true
}

// Inspect implements session.Inspector.
func (d *Decoder) Inspect(dir session.Direction, data []byte, eof bool) session.Verdict {
	h := &d.halves[dir]
	if h.passing || d.idle() {
		h.passing = true
		return session.Verdict{Release: session.Forever}
	}
	d.verdict = session.Verdict{}
	at := 0
	for at < len(data) && d.verdict.End == session.Continue && !h.passing {
		n := d.one(h, data, at)
		if n == 0 {
			break
		}
		at += n
	}
	v := &d.verdict
	switch {
	case v.End == session.Reset:
		return *v
	case h.passing:
		v.Release = session.Forever
	case eof && at < len(data):
		v.Release = int64(len(data)) // half a record, that nobody can read either
	default:
		v.Release = int64(at)
	}
	h.held = at < len(data)
	return *v
}

// one handles the unit at offset at and returns its length, which may exceed what
// is there; 0 when it must be whole and is not.
func (d *Decoder) one(h *half, data []byte, at int) int {
	rest := data[at:]
	if len(rest) < h.need {
		return 0
	}
	u, need, err := d.next(h, rest)
	if err != nil {
		d.giveUp(h, err, rest)
		return 0
	}
	if h.need = need; need > 0 {
		return 0
	}
	if len(u.elements) > 0 {
		d.view.Dir, d.view.Data, d.view.Elements = h.dir, rest[:u.size:u.size], u.elements
		o := whole.Decide(d.rules, &d.view, codec{h.encrypted})
		d.view.Data, d.view.Elements = nil, nil
		u.gone = o.Kind != whole.Forward || len(o.Edits) > 0
		d.carryOut(h, &o, at, u.size)
	}
	if d.verdict.End == session.Continue {
		d.follow(h, u)
	}
	return u.size
}

// carryOut does with a unit what the rules want.
func (d *Decoder) carryOut(h *half, o *whole.Outcome, at, size int) {
	v := &d.verdict
	v.Evidence = append(v.Evidence, o.Evidence...)
	if h.encrypted && (o.Kind == whole.Drop || o.Kind == whole.Reject) {
		o.Kind = whole.Reset // the receiver could read nothing that follows
	}
	other := &d.halves[h.dir.Other()]
	switch {
	case o.Kind == whole.Reset, o.Kind == whole.Reject && h.dir == session.ToServer && (other.held || other.encrypted || other.passing):
		v.End = session.Reset
	case o.Kind == whole.Reject && h.dir == session.ToServer:
		v.Edits = append(v.Edits, session.Edit{Start: at, End: at + size})
		v.Reply = append(v.Reply, o.Reply...)
	case o.Kind == whole.Reject:
		v.Edits = append(v.Edits, session.Edit{Start: at, End: at + size, With: o.Reply})
	case o.Kind == whole.Drop:
		v.Edits = append(v.Edits, session.Edit{Start: at, End: at + size})
	default:
		for _, e := range o.Edits {
			v.Edits = append(v.Edits, session.Edit{Start: at + e.Start, End: at + e.End, With: e.With})
		}
	}
	if o.Kind == whole.Reject && o.Close && v.End == session.Continue {
		v.End = session.Close
	}
}

// giveUp leaves a session that cannot be read to the policy.
func (d *Decoder) giveUp(h *half, err error, before []byte) {
	d.verdict.Evidence = append(d.verdict.Evidence, session.Evidence{Action: "report", Element: "record",
		Before: append([]byte(nil), before[:min(len(before), session.EvidenceLimit)]...), Note: err.Error()})
	if !d.o.Passes() {
		d.verdict.End = session.Reset
		return
	}
	d.halves[0].passing, d.halves[1].passing = true, true
}

// follow notes what a unit means for what comes.
func (d *Decoder) follow(h *half, u unit) {
	h.begun, h.skip = true, u.skip
	other := &d.halves[h.dir.Other()]
	switch {
	case u.content == 0: // OpenSSL passes over an empty record, whatever its type
	case u.kind == changeCipherSpec && u.content == 1:
		h.encrypted, h.changed = true, true
	case u.kind == applicationData && (d.version == 0 || d.version >= version13): // before that only as early data of 1.3
		h.encrypted = true
	case u.kind == heartbeat && !u.gone:
		// A client's counts as a request even where it may be an answer: a forged
		// one must not hide behind a server's own.
		answers := other.smallest >= 0
		if other.smallest = -1; h.dir == session.ToServer || !answers {
			h.shortest(u.content)
		}
	}
	if u.hello != nil {
		d.greeted(h, other, u.hello)
	}
	if h.encrypted && !h.again && !d.watches() {
		h.passing = true
	}
}

// shortest notes the length of a heartbeat that waits for its answer. There is to
// be one at a time (RFC 6520, 3); of more, what is shortest tells how long an
// answer may be at most.
func (h *half) shortest(n int) {
	if h.smallest < 0 || n < h.smallest {
		h.smallest = n
	}
}

// greeted notes what a hello says.
func (d *Decoder) greeted(h, other *half, x *hello.Hello) {
	h.again = false
	if x.Type == hello.Client {
		d.serverName = x.ServerName()
		return
	}
	d.version = int(x.Versions()[0])
	switch {
	case x.Retry():
		h.again, other.again = true, true
	case d.version == version13:
		h.encrypted = true
	case !other.changed: // no early data in this version, so it was none
		other.encrypted = false
	}
}

// watches says whether rules ask for what shows though it is encrypted.
func (d *Decoder) watches() bool {
	if whole.WantsAny(d.rules, names[0].record, names[1].record) {
		return true
	}
	return d.version < version13 && whole.WantsAny(d.rules, names[0].heartbeat, names[1].heartbeat)
}
