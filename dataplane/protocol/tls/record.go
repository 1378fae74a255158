package tls

import (
	"encoding/binary"
	"errors"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/hello"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Why a session cannot be read.
var (
	errRecord      = errors.New("no record of TLS")
	errLong        = errors.New("hello of TLS is longer than 64 KB, or in more than 64 records")
	errInterrupted = errors.New("hello of TLS is interrupted by another record")
)

// unit is what is decided at once: a record, or those of a hello.
type unit struct {
	size     int // bytes
	kind     byte
	content  int  // octets of content of the first record
	skip     int  // see half
	gone     bool // the receiver does not get it
	hello    *hello.Hello
	elements []protocol.Element
}

// next reads the unit at the front of b. need > 0: so many bytes have to be there.
func (d *Decoder) next(h *half, b []byte) (u unit, need int, err error) {
	if h.dir == session.ToServer && !h.begun && b[0]&0x80 != 0 {
		return oldHello(b)
	}
	if len(b) < headerLen {
		return u, headerLen, nil
	}
	u = unit{kind: b[0], content: int(binary.BigEndian.Uint16(b[3:])), skip: h.skip}
	u.size = headerLen + u.content
	if u.kind < changeCipherSpec || u.kind > heartbeat || b[1] != majorVersion || u.content > maxRecord {
		return u, 0, errRecord
	}
	n := &names[h.dir]
	dark := h.encrypted && !(h.again && u.kind == handshake)
	if dark && u.kind != heartbeat && !d.rules.Wants(n.record) {
		return u, 0, nil // nothing of it is asked for: it need not be there
	}
	if len(b) < u.size {
		return u, u.size, nil
	}
	record := protocol.Span{Start: 0, End: u.size}
	body := b[headerLen:u.size]
	d.add(&u, protocol.Element{Kind: n.record, Span: record, Fields: []protocol.Field{
		whole.Int("type", u.kind), whole.Int("version", binary.BigEndian.Uint16(b[1:])), whole.Int("length", len(body)), whole.Bool("encrypted", dark),
	}})
	switch {
	case u.kind == heartbeat:
		d.add(&u, d.heartbeat(h, record, body))
	case dark:
	case u.kind == alert && len(body) == 2:
		d.add(&u, protocol.Element{Kind: n.alert, Span: record, Fields: []protocol.Field{whole.Int("level", body[0]), whole.Int("description", body[1])}})
	case u.kind == handshake:
		return d.messages(h, u, b)
	}
	return u, 0, nil
}

func (d *Decoder) add(u *unit, elements ...protocol.Element) {
	for _, e := range elements {
		if d.rules.Wants(e.Kind) {
			u.elements = append(u.elements, e)
		}
	}
}

// oldHello passes a ClientHello in the form of SSL 2.0, which TLS may follow
// (RFC 5246, E.2).
func oldHello(b []byte) (u unit, need int, err error) {
	if len(b) < 3 {
		return u, 3, nil
	}
	if b[2] != hello.Client {
		return u, 0, errRecord
	}
	u.size = 2 + int(b[0]&0x7f)<<8 + int(b[1])
	return u, 0, nil
}

// heartbeat reads a heartbeat message (RFC 6520, 4). What is encrypted tells its
// length alone.
func (d *Decoder) heartbeat(h *half, span protocol.Span, body []byte) protocol.Element {
	typ, payload := -1, -1
	if !h.encrypted && len(body) >= 3 {
		typ, payload = int(body[0]), int(binary.BigEndian.Uint16(body[1:]))
	}
	return protocol.Element{Kind: names[h.dir].heartbeat, Span: span, Fields: []protocol.Field{
		whole.Int("type", typ), whole.Int("payload_length", payload), whole.Int("length", len(body)), whole.Bool("encrypted", h.encrypted),
		whole.Int("asked", d.halves[h.dir.Other()].smallest),
	}}
}

// joined is the content of handshake records, and where it stands in them.
type joined struct {
	b       []byte
	from    []int // offset in the content at which each record's begins
	at      []int // offset of that in the records
	records int
}

func (j *joined) add(at int, content []byte) {
	j.from, j.at = append(j.from, len(j.b)), append(j.at, at)
	j.b = append(j.b, content...)
	j.records++
}

// place turns an offset in the content into one in the records.
func (j *joined) place(i int) int {
	for k := len(j.from) - 1; ; k-- {
		if i >= j.from[k] {
			return j.at[k] + i - j.from[k]
		}
	}
}

// messages reads the handshake messages of the record at the front of b. One
// whose header, or a hello, goes on in the next record takes it in.
func (d *Decoder) messages(h *half, u unit, b []byte) (unit, int, error) {
	var j joined
	j.add(headerLen, b[headerLen:u.size])
	for pos := h.skip; ; {
		if pos >= len(j.b) {
			u.skip = pos - len(j.b)
			return u, 0, nil
		}
		end := pos + 4
		if end <= len(j.b) {
			n := int(j.b[pos+1])<<16 | int(j.b[pos+2])<<8 | int(j.b[pos+3])
			if d.reads(h, j.b[pos]) {
				if end += n; n > maxHello {
					return u, 0, errLong
				}
			}
		}
		if end > len(j.b) {
			need, err := d.goesOn(&u, &j, b)
			if need > 0 || err != nil {
				return u, need, err
			}
			continue
		}
		if err := d.message(h, &u, &j, pos); err != nil {
			return u, 0, err
		}
		pos += 4 + int(j.b[pos+1])<<16 + int(j.b[pos+2])<<8 + int(j.b[pos+3])
	}
}

// reads says whether a message of this type is read, beyond its header.
func (d *Decoder) reads(h *half, typ byte) bool {
	return h.dir == session.ToServer && typ == hello.Client || h.dir == session.ToClient && typ == hello.Server
}

// goesOn takes the next record into a unit.
func (d *Decoder) goesOn(u *unit, j *joined, b []byte) (need int, err error) {
	rest := b[u.size:]
	switch {
	case j.records == maxRecords:
		return 0, errLong
	case len(rest) < headerLen:
		return u.size + headerLen, nil
	case rest[0] != handshake || rest[1] != majorVersion:
		return 0, errInterrupted
	}
	n := headerLen + int(binary.BigEndian.Uint16(rest[3:]))
	switch {
	case n > headerLen+maxRecord || n == headerLen:
		return 0, errRecord
	case len(rest) < n:
		return u.size + n, nil
	}
	j.add(u.size+headerLen, rest[headerLen:n])
	u.size += n
	return 0, nil
}

// message publishes the message at offset pos of the content.
func (d *Decoder) message(h *half, u *unit, j *joined, pos int) error {
	typ, n := j.b[pos], int(j.b[pos+1])<<16|int(j.b[pos+2])<<8|int(j.b[pos+3])
	end := min(pos+4+n, len(j.b))
	span := protocol.Span{Start: j.place(pos), End: j.place(end-1) + 1}
	d.add(u, protocol.Element{Kind: names[h.dir].handshake, Span: span, Fields: []protocol.Field{whole.Int("type", typ), whole.Int("length", n)}})
	if !d.reads(h, typ) {
		return nil
	}
	x, err := hello.Parse(int(typ), j.b[pos+4:end], false)
	if err != nil {
		return err
	}
	u.hello = x
	d.add(u, x.Elements(h.dir, span, func(i int) int {
		if pos+4+i >= len(j.b) {
			return span.End
		}
		return j.place(pos + 4 + i)
	})...)
	return nil
}
