package http

import (
	"math"
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/itemlist"
)

// showRanges adds the ranges that a request asks for (RFC 9110 section 14.2),
// also under the name that some servers take for the same.
func (d *Decoder) showRanges() {
	h, b := d.turn.h, d.msg.Data
	lists := 0
	d.ranges = d.ranges[:min(len(d.ranges), keepCookies)]
	for i := range h.head.fields {
		f := &h.head.fields[i]
		if name := cut(b, f.name); !equalFold(name, "range") && !equalFold(name, "request-range") {
			continue
		}
		if lists == len(d.ranges) {
			d.ranges = append(d.ranges, &itemlist.List{})
		}
		d.showRangeField(f, d.ranges[lists])
		if lists++; d.plan.ended() {
			return
		}
	}
}

func (d *Decoder) showRangeField(f *fieldLine, list *itemlist.List) {
	text := d.text(f.value)
	unit, from := "", 0
	if i := strings.IndexByte(text, '='); i >= 0 {
		unit, from = strings.ToLower(strings.Trim(text[:i], " \t")), i+1
	}
	list.Begin(", ")
	for at := from; at <= len(text); {
		end := len(text)
		if i := strings.IndexByte(text[at:], ','); i >= 0 {
			end = at + i
		}
		spec := strings.Trim(text[at:end], " \t\r\n")
		if spec != "" {
			start := f.value.Start + at + strings.Index(text[at:end], spec)
			list.Add(protocol.Span{Start: start, End: start + len(spec)})
		}
		at = end + 1
	}
	for i := range list.Items {
		span := list.Items[i].Span
		e := d.element("request.range", span, 6, place{kind: wantRange, items: list, index: int32(i)})
		if e == nil {
			return
		}
		setText(&e.Fields[0], "value", cut(d.msg.Data, span), span)
		e.Fields[1].SetString("unit", unit, none)
		first, last, ok := rangeOf(d.text(span))
		e.Fields[2].SetInt("first", first)
		e.Fields[3].SetInt("last", last)
		e.Fields[4].SetBool("valid", ok)
		e.Fields[5].SetInt("index", i)
	}
}

// rangeOf reads first-last, first- or -last; -1 is what is not there. A number
// that is too large for any file is the largest one.
func rangeOf(spec string) (first, last int, ok bool) {
	a, b, found := strings.Cut(spec, "-")
	first, okA := rangeNumber(strings.TrimRight(a, " \t"))
	last, okB := rangeNumber(strings.TrimLeft(b, " \t"))
	return first, last, found && okA && okB && (first >= 0 || last >= 0)
}

func rangeNumber(s string) (int, bool) {
	if s == "" {
		return -1, true
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return int(n), true
}

// encodeRange writes a range's new value.
func encodeRange(f *protocol.Field, value string) (string, protocol.Span, string) {
	if f.Name != "value" {
		return "", none, notSettable
	}
	if _, _, ok := rangeOf(value); !ok {
		return "", none, "refused: not a range"
	}
	return value, f.Span, ""
}
