package dns

import (
	"errors"

	lib "github.com/miekg/dns"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// codec writes corrections of a message. Fields that can be set are numbers of
// fixed size. What is removed moves what stands behind it, to which names may
// point, so then the whole message is packed anew.
type codec struct{ m *message }

// Set implements whole.Codec.
func (c codec) Set(_ *protocol.Message, e *protocol.Element, field, value string) ([]session.Edit, string) {
	return whole.SetInt(e.Field(field).Span, value)
}

// Remove implements whole.Codec.
func (c codec) Remove(_ *protocol.Message, e *protocol.Element) ([]session.Edit, string) {
	if e.Kind == kinds[0][0] || e.Kind == kinds[1][0] || e.Kind == kinds[0][1] || e.Kind == kinds[1][1] {
		return nil, "not done: message and question cannot be removed; drop or reject the message"
	}
	if c.m.cut || c.m.trailing > 0 {
		return nil, "not done: the message is not whole"
	}
	return []session.Edit{{Start: e.Span.Start, End: e.Span.End}}, ""
}

// Finish implements whole.Codec.
func (c codec) Finish(m *protocol.Message, edits []session.Edit, removed []int) ([]session.Edit, string) {
	b := append([]byte(nil), m.Data...)
	for _, e := range edits {
		if len(e.With) == e.End-e.Start {
			copy(b[e.Start:], e.With)
		}
	}
	if len(removed) == 0 {
		// A name may lead into what was set.
		if err := c.same(b, nil, m.Dir); err != nil {
			return nil, "the message would read otherwise: " + err.Error()
		}
		return edits, ""
	}
	spans := map[protocol.Span]bool{}
	for _, i := range removed {
		spans[m.Elements[i].Span] = true
	}
	packed, err := c.repack(b, spans)
	if err != nil {
		return nil, "the message could not be packed anew: " + err.Error()
	}
	return []session.Edit{{Start: 0, End: len(m.Data), With: packed}}, ""
}

var errOther = errors.New("it reads otherwise")

// repack writes the message b without what stands at spans.
func (c codec) repack(b []byte, spans map[protocol.Span]bool) ([]byte, error) {
	var all lib.Msg
	if err := all.Unpack(b); err != nil {
		return nil, err
	}
	for i, s := range []*[]lib.RR{inAnswer: &all.Answer, inAuthority: &all.Ns, inAdditional: &all.Extra} {
		if s == nil {
			continue
		}
		if len(*s) != c.m.counts[i] {
			return nil, errOther
		}
	}
	var keep [4][]lib.RR
	for i := range c.m.records {
		r := &c.m.records[i]
		if r.section == inQuestion || spans[r.span] {
			continue
		}
		rr := [...][]lib.RR{inAnswer: all.Answer, inAuthority: all.Ns, inAdditional: all.Extra}[r.section][r.index]
		if opt, ok := rr.(*lib.OPT); ok {
			if len(opt.Option) != r.options {
				return nil, errOther
			}
			var left []lib.EDNS0
			for j, o := range c.m.options[r.optionsFrom : r.optionsFrom+r.options] {
				if !spans[o.span] {
					left = append(left, opt.Option[j])
				}
			}
			opt.Option = left
		}
		keep[r.section] = append(keep[r.section], rr)
	}
	all.Answer, all.Ns, all.Extra = keep[inAnswer], keep[inAuthority], keep[inAdditional]
	all.Compress = true
	out, err := all.Pack()
	if err != nil {
		return nil, err
	}
	return out, c.same(out, spans, session.ToServer)
}

// same checks that a message that was changed still says what it said, but for
// what stood at spans.
func (c codec) same(changed []byte, spans map[protocol.Span]bool, dir session.Direction) error {
	var is message
	if err := is.parse(changed, dir); err != nil {
		return err
	}
	at := 0
	for i := range c.m.records {
		was := &c.m.records[i]
		if spans[was.span] {
			continue
		}
		if at == len(is.records) {
			return errOther
		}
		r := &is.records[at]
		at++
		if r.section != was.section || r.name != was.name || r.rtype != was.rtype || was.rtype != lib.TypeOPT && r.class != was.class || was.options == 0 && r.expanded != was.expanded {
			return errOther
		}
	}
	if at != len(is.records) {
		return errOther
	}
	return nil
}
