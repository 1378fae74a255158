package dtls

import (
	"encoding/binary"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/hello"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// names are those of a direction's elements.
var names = [2]struct {
	record, handshake, alert, heartbeat string
	all                                 []string
}{
	session.ToServer: {"client.record", "client.handshake", "client.alert", "client.heartbeat", []string{"client.record", "client.handshake", "client.alert", "client.heartbeat"}},
	session.ToClient: {"server.record", "server.handshake", "server.alert", "server.heartbeat", []string{"server.record", "server.handshake", "server.alert", "server.heartbeat"}},
}

// elements publishes what the records hold, as far as rules ask for it. All of it
// is read, so that what cannot be is known.
func (d *Decoder) elements(dir session.Direction) error {
	n := &names[dir]
	for i := range d.records {
		r := &d.records[i]
		body := d.view.Data[r.body.Start:r.body.End]
		d.add(protocol.Element{Kind: n.record, Span: r.span, Fields: []protocol.Field{
			whole.Int("type", r.kind), whole.Int("version", r.version), whole.Int("epoch", r.epoch),
			whole.Int("sequence", r.sequence), whole.Int("length", len(body)),
		}})
		switch {
		case r.kind == heartbeat:
			d.add(heartbeatElement(n.heartbeat, r, body))
		case r.epoch > 0: // encrypted
		case r.kind == alert && len(body) == 2:
			d.add(protocol.Element{Kind: n.alert, Span: r.span, Fields: []protocol.Field{whole.Int("level", body[0]), whole.Int("description", body[1])}})
		case r.kind == handshake:
			if err := d.messages(dir, r); err != nil && !r.behind {
				return err
			}
		}
	}
	return nil
}

func (d *Decoder) add(elements ...protocol.Element) {
	for _, e := range elements {
		if d.rules.Wants(e.Kind) {
			d.view.Elements = append(d.view.Elements, e)
		}
	}
}

// heartbeatElement reads a heartbeat message (RFC 6520, 4). What is encrypted
// tells its length alone.
func heartbeatElement(kind string, r *record, body []byte) protocol.Element {
	typ, payload := -1, -1
	if r.epoch == 0 && len(body) >= 3 {
		typ, payload = int(body[0]), int(binary.BigEndian.Uint16(body[1:]))
	}
	return protocol.Element{Kind: kind, Span: r.span, Fields: []protocol.Field{
		whole.Int("type", typ), whole.Int("payload_length", payload), whole.Int("length", len(body)), whole.Bool("encrypted", r.epoch > 0),
	}}
}

// messages reads the handshake messages, or fragments of them, in a record.
func (d *Decoder) messages(dir session.Direction, r *record) error {
	if r.body.Start == r.body.End {
		return errHandshake
	}
	for at := r.body.Start; at < r.body.End; {
		b := d.view.Data[at:r.body.End]
		if len(b) < handshakeLen {
			return errHandshake
		}
		length, offset, size := uint24(b[1:]), uint24(b[6:]), uint24(b[9:])
		if handshakeLen+size > len(b) || offset+size > length {
			return errHandshake
		}
		span := protocol.Span{Start: at, End: at + handshakeLen + size}
		d.add(protocol.Element{Kind: names[dir].handshake, Span: span, Fields: []protocol.Field{
			whole.Int("type", b[0]), whole.IntAt("length", length, at+1, at+4), whole.Int("message_seq", binary.BigEndian.Uint16(b[4:])),
			whole.Int("fragment_offset", offset), whole.Int("fragment_length", size),
		}})
		if err := d.hello(dir, b, span, size == length); err != nil {
			return err
		}
		at = span.End
	}
	return nil
}

// hello reads a hello that is there as a whole, where rules ask for it.
func (d *Decoder) hello(dir session.Direction, b []byte, span protocol.Span, all bool) error {
	want := byte(hello.Client)
	if dir == session.ToClient {
		want = hello.Server
	}
	if !all || b[0] != want || !whole.WantsAny(d.rules, hello.Kinds(dir)...) {
		return nil
	}
	h, err := hello.Parse(int(b[0]), d.view.Data[span.Start+handshakeLen:span.End], true)
	if err != nil {
		return err
	}
	d.add(h.Elements(dir, span, func(i int) int { return span.Start + handshakeLen + i })...)
	return nil
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// Schema documents the elements and variables that a Decoder publishes.
func Schema() protocol.Schema {
	s := protocol.Schema{Protocol: "dtls", Elements: hello.Types(), Vars: whole.Vars(map[string]protocol.Var{})}
	for dir := range names {
		n, d := &names[dir], session.Direction(dir)
		s.Elements[n.record] = protocol.ElementType{Doc: "one record", Dir: d, Fields: whole.Fields{
			"type":     {Type: protocol.Int, Doc: "20 change cipher spec, 21 alert, 22 handshake, 23 application data, 24 heartbeat"},
			"version":  {Type: protocol.Int, Doc: "version, for instance 0xfefd"},
			"epoch":    {Type: protocol.Int, Doc: "0 before encryption"},
			"sequence": {Type: protocol.Int, Doc: "sequence number within the epoch"},
			"length":   {Type: protocol.Int, Doc: "octets of its content"},
		}}
		s.Elements[n.handshake] = protocol.ElementType{Doc: "one handshake message, or a fragment of one, before encryption", Dir: d, Fields: whole.Fields{
			"type":            {Type: protocol.Int, Doc: "1 ClientHello, 2 ServerHello, 11 Certificate, …"},
			"length":          {Type: protocol.Int, Doc: "octets of the whole message", Settable: true},
			"message_seq":     {Type: protocol.Int, Doc: "its number in the handshake"},
			"fragment_offset": {Type: protocol.Int, Doc: "where in the message the fragment stands"},
			"fragment_length": {Type: protocol.Int, Doc: "octets of the fragment"},
		}}
		s.Elements[n.alert] = protocol.ElementType{Doc: "one alert, before encryption", Dir: d, Fields: whole.Fields{
			"level":       {Type: protocol.Int, Doc: "1 warning, 2 fatal"},
			"description": {Type: protocol.Int, Doc: "number of the alert"},
		}}
		s.Elements[n.heartbeat] = protocol.ElementType{Doc: "one heartbeat record", Dir: d, Fields: whole.Fields{
			"type":           {Type: protocol.Int, Doc: "1 request, 2 response; -1 when it is encrypted or too short"},
			"payload_length": {Type: protocol.Int, Doc: "octets of payload as the message says; -1 as above"},
			"length":         {Type: protocol.Int, Doc: "octets of the record's content"},
			"encrypted":      {Type: protocol.Bool, Doc: "its epoch is not 0"},
		}}
	}
	return s
}
