// Package dtls decodes the records of DTLS (RFC 6347, RFC 9147) as far as they can be read
// without keys: their headers, and before encryption begins the handshake's
// headers and hellos, alerts and heartbeats. Every datagram is read alone, so
// that what a forged one says of a session means nothing for the next. What
// begins with no octet of DTLS (RFC 7983, 7) is another protocol on the same port
// and passes.
package dtls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

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
	heartbeat        = 24
)

const (
	headerLen    = 13
	handshakeLen = 12
	majorVersion = 0xfe
)

// Why a datagram cannot be read.
var (
	errRecord    = errors.New("DTLS record longer than its datagram, or of another version")
	errHandshake = errors.New("DTLS handshake fragment does not fit its record or its message")
)

// record is one record and where it stands.
type record struct {
	span, body protocol.Span
	kind       byte
	version    uint16
	epoch      uint16
	sequence   int64
	behind     bool // what is not of the old form: see split
}

// Decoder is the session.DatagramInspector of one flow.
type Decoder struct {
	rules   protocol.Rules
	ends    whole.Ends
	memory  protocol.Memory
	view    protocol.Message
	records []record
}

var _ session.DatagramInspector = (*Decoder)(nil)

// New makes the decoder of one flow.
func New(rules protocol.Rules, conn protocol.Conn, o whole.Options) *Decoder {
	d := &Decoder{rules: rules, ends: whole.Ends{Conn: conn, Clock: o.Clock}}
	d.view = protocol.Message{Protocol: "dtls", Lookup: d.ends.Lookup, Memory: &d.memory}
	return d
}

// Datagram implements session.DatagramInspector.
func (d *Decoder) Datagram(dir session.Direction, payload []byte) session.DatagramVerdict {
	if len(payload) == 0 || payload[0] < 20 || payload[0] > 63 || !d.wants(dir) {
		return session.DatagramVerdict{}
	}
	err := d.split(payload)
	m := &d.view
	m.Dir, m.Data, m.Elements = dir, payload, nil
	if err == nil {
		err = d.elements(dir)
	}
	if err != nil {
		return session.DatagramVerdict{Undecodable: err.Error()}
	}
	o := whole.Decide(d.rules, m, codec{d.records})
	v := o.Datagram(m)
	if len(v.Edits) > 0 && len(whole.Apply(payload, v.Edits)) == 0 {
		v.Edits, v.Drop = nil, true
	}
	return v
}

func (d *Decoder) wants(dir session.Direction) bool {
	return whole.WantsAny(d.rules, names[dir].all...) || whole.WantsAny(d.rules, hello.Kinds(dir)...)
}

// split cuts a datagram into records. One of a kind that came later may have
// another header (RFC 9146, RFC 9147): it ends what can be told apart, unless it
// reads as one of the old form, as a system without the new one would take it. Such
// a system (OpenSSL) discards a header of another version, and looks for the next
// one right behind it: what it finds there is shown as well, where it can be read.
func (d *Decoder) split(b []byte) error {
	d.records = d.records[:0]
	behind := false
	for at := 0; at < len(b); {
		h := b[at:]
		known := h[0] >= changeCipherSpec && h[0] <= heartbeat
		if len(h) < headerLen || h[1] != majorVersion || headerLen+int(binary.BigEndian.Uint16(h[11:])) > len(h) {
			if known && !behind {
				return errRecord
			}
			if len(h) < headerLen || h[1] == majorVersion {
				return nil
			}
			behind = true
			at += headerLen
			continue
		}
		r := record{kind: h[0], version: binary.BigEndian.Uint16(h[1:]), epoch: binary.BigEndian.Uint16(h[3:]),
			sequence: int64(binary.BigEndian.Uint64(h[3:]) & (1<<48 - 1)), behind: behind}
		end := at + headerLen + int(binary.BigEndian.Uint16(h[11:]))
		r.span, r.body = protocol.Span{Start: at, End: end}, protocol.Span{Start: at + headerLen, End: end}
		d.records = append(d.records, r)
		at = end
	}
	return nil
}

// codec takes records out, messages out of records, and changes lengths of messages.
type codec struct{ records []record }

// Set implements whole.Codec. Of a handshake message in the clear the length
// can be set, to what its fragment reaches at least.
func (codec) Set(_ *protocol.Message, e *protocol.Element, field, value string) ([]session.Edit, string) {
	if field != "length" {
		return nil, "not done: both ends count on what the other sent"
	}
	least := e.Field("fragment_offset").Value.(int64) + e.Field("fragment_length").Value.(int64)
	if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < least {
		return nil, fmt.Sprintf("not done: the length of a message is a number, here not less than %d", least)
	}
	return whole.SetInt(e.Field(field).Span, value)
}

// Remove implements whole.Codec.
func (codec) Remove(m *protocol.Message, e *protocol.Element) ([]session.Edit, string) {
	for _, k := range hello.Kinds(m.Dir) {
		if e.Kind == k {
			return nil, "not done: hellos and extensions cannot be removed; drop the datagram"
		}
	}
	return []session.Edit{{Start: e.Span.Start, End: e.Span.End}}, ""
}

// Finish implements whole.Codec: a record from which messages are gone gets its
// new length; one that has become empty goes.
func (c codec) Finish(_ *protocol.Message, edits []session.Edit, _ []int) ([]session.Edit, string) {
	var out []session.Edit
	for _, r := range c.records {
		gone, from := 0, len(out)
		for _, e := range edits {
			if e.Start >= r.span.Start && e.End <= r.span.End {
				gone += e.End - e.Start - len(e.With)
				out = append(out, e)
			}
		}
		left := r.body.End - r.body.Start - gone
		switch {
		case gone == 0:
		case left <= 0:
			out = append(out[:from], session.Edit{Start: r.span.Start, End: r.span.End})
		default:
			length := session.Edit{Start: r.body.Start - 2, End: r.body.Start, With: binary.BigEndian.AppendUint16(nil, uint16(left))}
			out = append(out[:from], append([]session.Edit{length}, out[from:]...)...)
		}
	}
	return out, ""
}
