package http

import (
	"strings"
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
		n := min(len(b), len(plain)/mostAtOnce)
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
	d.vars.begin(head, false)
	d.msg.Dir, d.msg.Data = h.dir, head
	seekers, left, ok := d.seekers(h.hold.want)
	d.vars.end()
	d.msg.Data = nil
	h.hold.want = left
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

// spares says that no rule can hold for what was not shown of a held body, of which
// there is more than is shown: none of the texts that rules need is in it.
func (d *Decoder) spares() bool {
	s := &d.turn.h.hold
	if s.encoded {
		return false
	}
	seekers, left, ok := d.seekers(s.want & d.turn.h.want & wantContent)
	if !ok || left&^watchable != 0 {
		return false
	}
	for i := range seekers {
		if seekers[i].found([]byte(s.value)) {
			return false
		}
	}
	return true
}

// seekers are what is to be looked for in a body of which rules want w. left is w
// without what turns out not to be wanted.
func (d *Decoder) seekers(w want) (all []seeker, left want, ok bool) {
	rules, ok := d.rules.(protocol.Watcher)
	if !ok {
		return nil, w, w&watchable == 0
	}
	k := &kinds[d.turn.h.dir]
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
		if w&of.want == 0 {
			continue
		}
		s, ok := rules.Watch(&d.msg, of.kind, of.fields)
		switch {
		case !ok:
			return nil, w, false
		case s == nil:
			w &^= of.want
			continue
		}
		of.seeker.search = s
		all = append(all, of.seeker)
	}
	return all, w, true
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

// unescaper undoes escapes as they come, as they are undone of what is held: those
// of JSON's strings (jsontext.Unquote), or of a form (percent). What is no escape
// stands for itself.
type unescaper struct {
	percent bool
	pending [6]byte // an escape that is not over
	n       int     // how much of it there is
	high    rune    // half of a pair of surrogates that waits for the other; 0: none
}

// mostAtOnce is how many octets one may complete.
const mostAtOnce = 16

// next adds to text what is complete with c.
func (u *unescaper) next(text []byte, c byte) []byte {
	if u.percent {
		return u.nextPercent(text, c)
	}
	if u.n == 0 && c != '\\' {
		return append(u.alone(text), c)
	}
	u.pending[u.n] = c
	u.n++
	_, digit := hexadecimal([]byte{c})
	switch {
	case u.n == 1, u.n == 2 && c == 'u':
		return text
	case u.n == 2:
		u.n = 0
		if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
			return append(u.alone(text), "\"\\/\b\f\n\r\t"[i])
		}
		return append(u.alone(text), '\\', c)
	case !digit:
		rest := u.pending[2:u.n]
		u.n = 0
		text = append(u.alone(text), `\u`...)
		for _, c := range rest {
			text = u.next(text, c)
		}
		return text
	case u.n < len(u.pending):
		return text
	}
	u.n = 0
	n, _ := hexadecimal(u.pending[2:])
	r := rune(n)
	if both := utf16.DecodeRune(u.high, r); both != utf8.RuneError {
		u.high = 0
		return utf8.AppendRune(text, both)
	}
	text = u.alone(text)
	if utf16.IsSurrogate(r) {
		u.high = r
		return text
	}
	return utf8.AppendRune(text, r)
}

// alone adds what half a pair of surrogates stands for that has found no other.
func (u *unescaper) alone(text []byte) []byte {
	if u.high == 0 {
		return text
	}
	u.high = 0
	return utf8.AppendRune(text, utf8.RuneError)
}

func (u *unescaper) nextPercent(text []byte, c byte) []byte {
	_, digit := hexadecimal([]byte{c})
	switch {
	case u.n == 0 && c == '+':
		return append(text, ' ')
	case u.n == 0 && c != '%':
		return append(text, c)
	case u.n == 0 || digit:
		u.pending[u.n] = c
		if u.n++; u.n == len("%00") {
			u.n = 0
			n, _ := hexadecimal(u.pending[1:3])
			return append(text, byte(n))
		}
		return text
	}
	text = append(text, u.pending[:u.n]...)
	u.n = 0
	return u.nextPercent(text, c)
}
