package dns

import (
	"encoding/binary"

	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// Sections of a message, in their order.
const (
	inQuestion = iota
	inAnswer
	inAuthority
	inAdditional
)

var sectionNames = [...]string{"question", "answer", "authority", "additional"}

// record is a question, or a resource record, and where it stands.
type record struct {
	section     int
	index       int // within its section
	span        protocol.Span
	name        string
	rtype       uint16
	class       uint16
	fixed       int // offset of type
	data        protocol.Span
	expanded    int // length of the data with its names written out
	optionsFrom int // OPT: index of its first option
	options     int
}

// option is one EDNS option (RFC 6891, 6.1.2).
type option struct {
	span, data protocol.Span
	code       uint16
}

// message is one that was read.
type message struct {
	data     []byte
	id       int
	counts   [4]int
	records  []record
	options  []option
	trailing int  // bytes behind the last record
	cut      bool // a response that its server cut within a record (TC)
}

// parse reads data. A response with the TC flag may end anywhere.
func (m *message) parse(data []byte, dir session.Direction) error {
	m.data, m.records, m.options, m.trailing, m.cut = data, m.records[:0], m.options[:0], 0, false
	if len(data) < headerLen {
		return errShort
	}
	m.id = int(binary.BigEndian.Uint16(data))
	at := headerLen
	for s := range m.counts {
		m.counts[s] = int(binary.BigEndian.Uint16(data[4+2*s:]))
		for i := range m.counts[s] {
			r, err := m.record(s, i, at)
			if err == errShort && dir == session.ToClient && m.flag(2, 0x02) {
				m.cut = true
				return nil
			}
			if err != nil {
				return err
			}
			at = r.span.End
			m.records = append(m.records, r)
		}
	}
	m.trailing = len(data) - at
	return nil
}

func (m *message) record(section, index, at int) (record, error) {
	r := record{section: section, index: index, span: protocol.Span{Start: at}}
	var err error
	if r.name, _, r.fixed, err = name(m.data, at); err != nil {
		return r, err
	}
	size := 4
	if section != inQuestion {
		size = 10
	}
	b := m.data[r.fixed:]
	if len(b) < size {
		return r, errShort
	}
	r.rtype, r.class = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	r.span.End = r.fixed + size
	if section == inQuestion {
		return r, nil
	}
	n := int(binary.BigEndian.Uint16(b[8:]))
	r.data = protocol.Span{Start: r.span.End, End: r.span.End + n}
	if r.data.End > len(m.data) {
		return r, errShort
	}
	r.span.End = r.data.End
	if r.rtype == lib.TypeOPT {
		return r, m.readOptions(&r)
	}
	r.expanded, err = expanded(m.data, r.rtype, r.data)
	return r, err
}

func (m *message) readOptions(r *record) error {
	r.expanded, r.optionsFrom = r.data.End-r.data.Start, len(m.options)
	for at := r.data.Start; at < r.data.End; {
		if at+4 > r.data.End {
			return errLength
		}
		n := int(binary.BigEndian.Uint16(m.data[at+2:]))
		o := option{code: binary.BigEndian.Uint16(m.data[at:]), data: protocol.Span{Start: at + 4, End: at + 4 + n}}
		o.span = protocol.Span{Start: at, End: at + 4 + n}
		if o.span.End > r.data.End {
			return errLength
		}
		m.options = append(m.options, o)
		r.options++
		at = o.span.End
	}
	return nil
}

// flag says whether a bit of an octet of the header is set.
func (m *message) flag(octet int, bit byte) bool { return m.data[octet]&bit != 0 }

func (m *message) opcode() int { return int(m.data[2] >> 3 & 15) }
func (m *message) rcode() int  { return int(m.data[3] & 15) }

// question is what the message asks, or says it was asked.
func (m *message) question() question {
	const most = maxName + 4
	q := question{id: m.id, opcode: m.opcode(), flags: m.data[2]}
	if len(m.records) > 0 && m.records[0].section == inQuestion {
		r := &m.records[0]
		q.name, q.qtype, q.class = r.name, typeName(r.rtype), className(r.class)
		if b := m.data[r.span.Start:r.span.End]; m.counts[inQuestion] == 1 && len(b) <= most {
			q.bytes = b
		}
	}
	return q
}

func typeName(t uint16) string {
	return lib.Type(t).String()
}

func className(c uint16) string {
	return lib.Class(c).String()
}
