package dns

import (
	"encoding/binary"

	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// elements publishes the message under way, as far as rules ask for it.
func (d *decoder) elements(dir session.Direction) []protocol.Element {
	m, k := &d.msg, kinds[dir]
	var out []protocol.Element
	if d.rules.Wants(k[0]) {
		out = append(out, m.messageElement(k[0]))
	}
	for i := range m.records {
		r := &m.records[i]
		switch {
		case r.section == inQuestion:
			if d.rules.Wants(k[1]) {
				out = append(out, protocol.Element{Kind: k[1], Span: r.span, Fields: []protocol.Field{
					whole.Text("name", r.name, -1, -1), whole.Text("type", typeName(r.rtype), -1, -1), whole.Text("class", className(r.class), -1, -1)}})
			}
		case r.rtype == lib.TypeOPT:
			out = append(out, d.ednsElements(r, k)...)
		case d.rules.Wants(k[2]):
			out = append(out, m.recordElement(k[2], r))
		}
	}
	return out
}

func (m *message) messageElement(kind string) protocol.Element {
	return protocol.Element{Kind: kind, Span: protocol.Span{Start: 0, End: len(m.data)}, Fields: []protocol.Field{
		whole.Int("size", len(m.data)),
		whole.Int("id", m.id),
		whole.Int("opcode", m.opcode()),
		whole.Int("rcode", m.rcode()),
		whole.Bool("response", m.flag(2, 0x80)),
		whole.Bool("authoritative", m.flag(2, 0x04)),
		whole.Bool("truncated", m.flag(2, 0x02)),
		whole.Bool("recursion_desired", m.flag(2, 0x01)),
		whole.Bool("recursion_available", m.flag(3, 0x80)),
		whole.Bool("authentic_data", m.flag(3, 0x20)),
		whole.Bool("checking_disabled", m.flag(3, 0x10)),
		whole.Int("questions", m.counts[inQuestion]),
		whole.Int("answers", m.counts[inAnswer]),
		whole.Int("authorities", m.counts[inAuthority]),
		whole.Int("additionals", m.counts[inAdditional]),
		whole.Int("trailing", m.trailing),
	}}
}

func (m *message) recordElement(kind string, r *record) protocol.Element {
	return protocol.Element{Kind: kind, Span: r.span, Fields: []protocol.Field{
		whole.Text("section", sectionNames[r.section], -1, -1),
		whole.Text("name", r.name, -1, -1),
		whole.Text("type", typeName(r.rtype), -1, -1),
		whole.Text("class", className(r.class), -1, -1),
		whole.IntAt("ttl", binary.BigEndian.Uint32(m.data[r.fixed+4:]), r.fixed+4, r.fixed+8),
		whole.Text("data", string(m.data[r.data.Start:r.data.End]), -1, -1),
		whole.Int("size", r.data.End-r.data.Start),
		whole.Int("expanded", r.expanded),
	}}
}

// ednsElements publishes an OPT record and its options. The record may stand
// anywhere and more than once: what that means a rule may say.
func (d *decoder) ednsElements(r *record, k []string) []protocol.Element {
	m := &d.msg
	var out []protocol.Element
	if d.rules.Wants(k[3]) {
		ttl := m.data[r.fixed+4:]
		out = append(out, protocol.Element{Kind: k[3], Span: r.span, Fields: []protocol.Field{
			whole.Text("section", sectionNames[r.section], -1, -1),
			whole.IntAt("payload", r.class, r.fixed+2, r.fixed+4),
			whole.Int("extended_rcode", ttl[0]),
			whole.Int("version", ttl[1]),
			whole.Bool("dnssec_ok", ttl[2]&0x80 != 0),
			whole.Int("options", r.options),
			whole.Int("size", r.expanded),
		}})
	}
	if !d.rules.Wants(k[4]) {
		return out
	}
	for _, o := range m.options[r.optionsFrom : r.optionsFrom+r.options] {
		out = append(out, protocol.Element{Kind: k[4], Span: o.span, Fields: []protocol.Field{
			whole.Int("code", o.code),
			whole.Text("data", string(m.data[o.data.Start:o.data.End]), -1, -1),
			whole.Int("size", o.data.End-o.data.Start),
		}})
	}
	return out
}
