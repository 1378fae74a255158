package dns

import "encoding/binary"

// replies are the answers that a reject can give, by variable: their rcode, and
// whether TC is set.
var replies = map[string]struct {
	rcode byte
	tc    bool
}{
	"reply.empty": {}, "reply.formerr": {rcode: 1}, "reply.servfail": {rcode: 2}, "reply.nxdomain": {rcode: 3},
	"reply.notimp": {rcode: 4}, "reply.refused": {rcode: 5}, "reply.truncated": {tc: true},
}

// lookup is protocol.Message's Lookup.
func (d *decoder) lookup(name string) (any, bool) {
	if name == "transport" {
		return d.transport, true
	}
	if v, ok := d.ends.Lookup(name); ok {
		return v, true
	}
	q := &d.q
	if !d.qok {
		q = &d.own
	}
	if r, ok := replies[name]; ok {
		return string(answer(q, r.rcode, r.tc)), true
	}
	if !d.qok {
		return nil, false
	}
	switch name {
	case "query.id":
		return int64(q.id), true
	case "query.opcode":
		return int64(q.opcode), true
	case "query.name":
		return q.name, true
	case "query.type":
		return q.qtype, true
	case "query.class":
		return q.class, true
	}
	return nil, false
}

// answer is a response to q without records. Opcode and RD are repeated (RFC
// 1035, 4.1.1); the question where it is known.
func answer(q *question, rcode byte, tc bool) []byte {
	b := make([]byte, headerLen, headerLen+len(q.bytes))
	binary.BigEndian.PutUint16(b, uint16(q.id))
	const response, truncated, recursion, opcode = 0x80, 0x02, 0x01, 0x78
	b[2] = response | q.flags&(opcode|recursion)
	if tc {
		b[2] |= truncated
	}
	b[3] = rcode
	if len(q.bytes) > 0 {
		b[5] = 1
	}
	return append(b, q.bytes...)
}
