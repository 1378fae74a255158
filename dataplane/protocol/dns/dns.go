// Package dns decodes DNS messages (RFC 1035, RFC 6891) over UDP and over TCP.
// It reads each message itself, strictly and with the bytes that everything
// stands in, shows it to the rules as typed elements, and writes their
// corrections back in valid form; only a message that lost a record is packed
// anew (github.com/miekg/dns). A message that no rule asks about is not read.
package dns

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// decoder is what both transports share: the messages of one flow or session.
type decoder struct {
	rules     protocol.Rules
	o         whole.Options
	ends      whole.Ends
	transport string
	memory    protocol.Memory
	asked     asked

	msg  message
	view protocol.Message
	q    question // what the message at hand is about: its query's
	qok  bool     // its query is known
	own  question // what the message at hand says itself
}

func newDecoder(rules protocol.Rules, conn protocol.Conn, o whole.Options, transport string) *decoder {
	d := &decoder{rules: rules, o: o, ends: whole.Ends{Conn: conn, Clock: o.Clock}, transport: transport}
	d.view = protocol.Message{Protocol: "dns", Lookup: d.lookup, Memory: &d.memory}
	return d
}

// kinds are the elements of a direction.
var kinds = [2][]string{
	session.ToServer: {"query.message", "query.question", "query.record", "query.edns", "query.option"},
	session.ToClient: {"response.message", "response.question", "response.record", "response.edns", "response.option"},
}

// idle says that no rule is about DNS messages.
func (d *decoder) idle() bool {
	return !whole.WantsAny(d.rules, kinds[session.ToServer]...) && !whole.WantsAny(d.rules, kinds[session.ToClient]...)
}

// decide reads one message and says what becomes of it.
func (d *decoder) decide(dir session.Direction, data []byte) (whole.Outcome, error) {
	if err := d.msg.parse(data, dir); err != nil {
		return whole.Outcome{}, err
	}
	d.own = d.msg.question()
	d.q, d.qok = d.own, true
	if dir == session.ToServer {
		if whole.WantsAny(d.rules, kinds[session.ToClient]...) {
			d.asked.add(d.q)
		}
	} else {
		d.q, d.qok = d.asked.find(d.msg.id)
	}
	if !whole.WantsAny(d.rules, kinds[dir]...) {
		return whole.Outcome{}, nil
	}
	d.view.Dir, d.view.Data = dir, data
	d.view.Elements = d.elements(dir)
	o := whole.Decide(d.rules, &d.view, codec{&d.msg})
	d.view.Data, d.view.Elements = nil, nil
	return o, nil
}

// Datagrams decodes the messages of one flow over UDP.
type Datagrams struct{ *decoder }

var _ session.DatagramInspector = Datagrams{}

// NewDatagrams makes the decoder of one flow.
func NewDatagrams(rules protocol.Rules, conn protocol.Conn, o whole.Options) Datagrams {
	return Datagrams{newDecoder(rules, conn, o, "udp")}
}

// Datagram implements session.DatagramInspector.
func (d Datagrams) Datagram(dir session.Direction, payload []byte) session.DatagramVerdict {
	if d.idle() {
		return session.DatagramVerdict{}
	}
	o, err := d.decide(dir, payload)
	if err != nil {
		return session.DatagramVerdict{Undecodable: err.Error()}
	}
	d.view.Dir, d.view.Data = dir, payload
	return o.Datagram(&d.view)
}

// question is what a query asks.
type question struct {
	id, opcode         int
	name, qtype, class string
	bytes              []byte // of the question section, for replies; nil: longer than kept
	flags              byte   // of the query's first flag octet
}

// asked are the queries of a session without an answer yet, oldest first. A
// client that asks more at once loses the variables of the oldest.
type asked struct{ list []question }

// maxAsked bounds what a session costs.
const maxAsked = 8

func (a *asked) add(q question) {
	for i := range a.list {
		if a.list[i].id == q.id {
			a.list[i] = q
			return
		}
	}
	if len(a.list) == maxAsked {
		copy(a.list, a.list[1:])
		a.list = a.list[:maxAsked-1]
	}
	q.bytes = append([]byte(nil), q.bytes...)
	a.list = append(a.list, q)
}

func (a *asked) find(id int) (question, bool) {
	for _, q := range a.list {
		if q.id == id {
			return q, true
		}
	}
	return question{}, false
}
