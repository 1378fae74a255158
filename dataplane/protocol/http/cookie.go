package http

import (
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/itemlist"
	"wirepatch/dataplane/session"
)

// keepCookies bounds the lists that are kept for the next message; browsers send
// one Cookie field.
const keepCookies = 4

// showCookies adds the cookies of a request, or those that a response sets.
func (d *Decoder) showCookies() {
	h, b := d.turn.h, d.msg.Data
	want := "cookie"
	if h.dir == session.ToClient {
		want = "set-cookie"
	}
	lists := 0
	d.cookies = d.cookies[:min(len(d.cookies), keepCookies)]
	for i := range h.head.fields {
		f := &h.head.fields[i]
		if !equalFold(cut(b, f.name), want) {
			continue
		}
		if h.dir == session.ToClient {
			d.showSetCookie(f)
			continue
		}
		if lists == len(d.cookies) {
			d.cookies = append(d.cookies, &itemlist.List{})
		}
		d.showCookieField(f, d.cookies[lists])
		if lists++; d.plan.ended() {
			return
		}
	}
}

func (d *Decoder) showCookieField(f *fieldLine, list *itemlist.List) {
	text := d.text(f.value)
	list.Begin("; ")
	formtext.Cookies(text, func(p formtext.Pair) bool {
		list.Add(at(f.value.Start, p.All))
		return true
	})
	i := int32(0)
	formtext.Cookies(text, func(p formtext.Pair) bool {
		e := d.element(kinds[session.ToServer].cookie, list.Items[i].Span, 4, place{kind: wantCookie, items: list, index: i})
		if e == nil {
			return false
		}
		d.cookieFields(e, text, p, f.value.Start)
		e.Fields[3].SetInt("index", int(i))
		i++
		return true
	})
}

func (d *Decoder) cookieFields(e *protocol.Element, text string, p formtext.Pair, base int) {
	e.Fields[0].SetString("key", strings.TrimRight(p.Key.Cut(text), " \t"), at(base, p.Key))
	e.Fields[1].SetString("value", p.Value.Cut(text), at(base, p.Value))
	e.Fields[2].SetString("raw", p.All.Cut(text), at(base, p.All))
}

// showSetCookie adds the one cookie of a Set-Cookie field; its element is the
// whole field.
func (d *Decoder) showSetCookie(f *fieldLine) {
	text := d.text(f.value)
	e := d.element(kinds[session.ToClient].cookie, f.line, 4, place{kind: wantCookie})
	if e == nil {
		return
	}
	first := len(text)
	if i := strings.IndexByte(text, ';'); i >= 0 {
		first = i
	}
	p := formtext.Pair{All: formtext.Span{End: first}, Key: formtext.Span{End: first}, Value: formtext.Span{Start: -1, End: -1}}
	formtext.Cookies(text[:first], func(q formtext.Pair) bool { p = q; return false })
	d.cookieFields(e, text, p, f.value.Start)
	rest := formtext.Span{Start: first, End: len(text)}
	e.Fields[3].SetString("attributes", rest.Cut(text), at(f.value.Start, rest))
}
