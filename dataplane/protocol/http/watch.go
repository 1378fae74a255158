package http

import (
	"unicode/utf16"
	"unicode/utf8"

	"wirepatch/dataplane/protocol"
)

// seeker looks, in a body that is too long to be held, for the texts without which
// no rule on one kind of element can hold: in the octets as they come, and in what
// they stand for in the fields of such elements.
type seeker struct {
	search     protocol.Search
	asIs       bool       // the fields may be as they came, too
	meant      *unescaper // nil: they are as they came
	raw, plain int32      // where the searches stand
}

// found says whether one of the texts is there once b has come.
func (s *seeker) found(b []byte) (found bool) {
	if s.asIs {
		if s.raw, found = s.search.Scan(s.raw, b); found {
			return true
		}
	}
	if s.meant == nil {
		return false
	}
	var plain [1 << 10]byte
	for len(b) > 0 {
		n := min(len(b), len(plain)/utf8.UTFMax)
		text := plain[:0]
		for _, c := range b[:n] {
			text = s.meant.next(text, c)
		}
		if s.plain, found = s.search.Scan(s.plain, text); found {
			return true
		}
		b = b[n:]
	}
	return false
}

// watchable are the kinds of elements of a body that can be watched: their text is
// there as it came, or escaped in a way that needs no more than the octets at hand.
const watchable = wantBody | wantForm | wantJSON

// watch begins to follow or to watch the body behind a head, when that will do for
// all that rules want of it. false: they may hold without.
func (d *Decoder) watch(head []byte) bool {
	h := d.turn.h
	seekers, ok := d.seekers(head)
	switch {
	case !ok:
		return false
	case len(seekers) == 0:
		return h.hold.want == 0 || h.follow(head)
	case h.framing == untilClose || h.hold.want&^watchable != 0 || h.head.coded(head):
		return false
	}
	content := h.content(d.turn.rest())
	if media, _ := h.head.contentType(head); h.hold.want&wantText != 0 && wide(media, string(content[:min(len(content), widest)])) {
		return false
	}
	h.watched = seekers
	return true
}

// seekers are what is to be looked for in a body of which rules want what is
// watchable. What turns out not to be wanted at all is taken from the wants.
func (d *Decoder) seekers(head []byte) (all []seeker, ok bool) {
	h := d.turn.h
	rules, ok := d.rules.(protocol.Watcher)
	if !ok {
		return nil, h.hold.want&watchable == 0
	}
	d.vars.begin(head, false)
	d.msg.Dir, d.msg.Data = h.dir, head
	defer func() {
		d.vars.end()
		d.msg.Data = nil
	}()
	k := &kinds[h.dir]
	for _, of := range []struct {
		want   want
		kind   string
		fields []protocol.Written
		seeker seeker
	}{
		{wantBody, k.body, []protocol.Written{{Field: "value"}}, seeker{asIs: true}},
		{wantForm, k.form, []protocol.Written{{Field: "key"}, {Field: "value"}}, seeker{meant: &unescaper{percent: true}}},
		// The value of an object is as it came.
		{wantJSON, k.json, []protocol.Written{{Field: "key", Before: `"`, After: `"`}, {Field: "value"}}, seeker{asIs: true, meant: &unescaper{}}},
	} {
		if h.hold.want&of.want == 0 {
			continue
		}
		s, ok := rules.Watch(&d.msg, of.kind, of.fields)
		switch {
		case !ok:
			return nil, false
		case s == nil:
			h.hold.want &^= of.want
			continue
		}
		of.seeker.search = s
		all = append(all, of.seeker)
	}
	return all, true
}

// look goes on in a body that is watched. false: what a rule looks for is there,
// and the body does not go on.
func (d *Decoder) look(b []byte) bool {
	h := d.turn.h
	if h.discard {
		return true
	}
	for i := range h.watched {
		if !h.watched[i].found(b) {
			continue
		}
		h.watched = nil
		if d.o.Exceed == protocol.ExceedReset {
			return d.giveUp(faultBodyLong, b)
		}
		d.report(faultBodyLong, b)
		return true
	}
	return true
}

// unescaper undoes escapes as they come: those of JSON's strings (RFC 8259 section
// 7), or of a form (percent: WHATWG URL, application/x-www-form-urlencoded). What is
// no escape stands for itself.
type unescaper struct {
	percent bool
	state   int  // octets of an escape so far
	value   rune // its number so far
	first   byte // percent: its first digit
	high    rune // the first half of a pair of surrogates, 0: none
}

// next adds to text what is complete with c: at most utf8.UTFMax octets.
func (u *unescaper) next(text []byte, c byte) []byte {
	if u.percent {
		return u.nextPercent(text, c)
	}
	switch {
	case u.state == 0 && c == '\\':
		u.state = 1
		return text
	case u.state == 0:
		u.high = 0
		return append(text, c)
	case u.state == 1 && c == 'u':
		u.state, u.value = 2, 0
		return text
	case u.state == 1:
		u.state, u.high = 0, 0
		return append(text, jsonEscape(c))
	}
	digit, ok := hexadecimal([]byte{c})
	if !ok { // no JSON
		u.state, u.high = 0, 0
		return append(text, c)
	}
	u.value = u.value<<4 | rune(digit)
	if u.state++; u.state < 6 {
		return text
	}
	u.state = 0
	r, high := u.value, u.high
	u.high = 0
	switch {
	case utf16.IsSurrogate(r) && high != 0:
		r = utf16.DecodeRune(high, r)
	case utf16.IsSurrogate(r):
		u.high = r
		return text
	}
	return utf8.AppendRune(text, r)
}

// jsonEscape is what a letter stands for behind a backslash.
func jsonEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func (u *unescaper) nextPercent(text []byte, c byte) []byte {
	_, digit := hexadecimal([]byte{c})
	switch {
	case u.state == 0 && c == '%':
		u.state = 1
		return text
	case u.state == 0 && c == '+':
		return append(text, ' ')
	case u.state == 0:
		return append(text, c)
	case u.state == 1 && digit:
		u.state, u.first = 2, c
		return text
	case u.state == 2 && digit:
		u.state = 0
		n, _ := hexadecimal([]byte{u.first, c})
		return append(text, byte(n))
	}
	text = append(text, '%')
	if u.state == 2 {
		text = append(text, u.first)
	}
	u.state = 0
	return u.nextPercent(text, c)
}
