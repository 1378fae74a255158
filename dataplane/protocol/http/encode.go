package http

import (
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/jsonvalue"
	"wirepatch/dataplane/protocol/percent"
	"wirepatch/dataplane/protocol/xmltext"
)

// keepInPath are the characters beside the unreserved ones that a segment may
// hold as they are (RFC 3986 section 3.3).
const keepInPath = "!$&'()*+,;=:@"

// keepInQuery are those of a parameter that do not end it.
const keepInQuery = "!$'()*,;:@/?[]"

func encodeSegment(f *protocol.Field, value string) (string, protocol.Span, string) {
	switch {
	case f.Name == "value":
		return percent.Encode(value, keepInPath), f.Span, ""
	case f.Name != "raw":
		return "", none, notSettable
	case percent.Encode(value, keepInPath+"%") != value:
		return "", none, "refused: not what a segment may hold"
	}
	return value, f.Span, ""
}

// encodePair sets a field of a parameter. What a query holds ends at a blank,
// what a form holds does not.
func encodePair(at *place, e *protocol.Element, f *protocol.Field, value string) (string, protocol.Span, string) {
	all := e.Field("raw").Span
	switch f.Name {
	case "key":
		return percent.Encode(value, keepInQuery), f.Span, ""
	case "value":
		text := percent.Encode(value, keepInQuery+"=")
		if f.Span.Start < 0 {
			return "=" + text, protocol.Span{Start: all.End, End: all.End}, ""
		}
		return text, f.Span, ""
	case "raw":
		bad := "& #\x7f"
		if at.kind == wantForm {
			bad = "&"
		}
		if strings.ContainsAny(value, bad) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
			return "", none, "refused: not what a parameter may hold"
		}
		return value, f.Span, ""
	}
	return "", none, notSettable
}

// cookieText says whether s may stand in a cookie: nothing that ends it.
func cookieText(s, more string) bool {
	return !strings.ContainsAny(s, ";"+more) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func encodeCookie(e *protocol.Element, f *protocol.Field, value string) (string, protocol.Span, string) {
	more := map[string]string{"key": "=, ", "value": ", ", "raw": ""}
	switch bad, known := more[f.Name]; {
	case f.Name == "attributes" && clean(value) && (value == "" || value[0] == ';'):
		return value, f.Span, ""
	case !known:
		return "", none, notSettable
	case !cookieText(value, bad):
		return "", none, "refused: not what a cookie may hold"
	case f.Name == "value" && f.Span.Start < 0:
		all := e.Field("raw").Span
		return "=" + value, protocol.Span{Start: all.End, End: all.End}, ""
	}
	return value, f.Span, ""
}

// encodePart sets a field of a part other than its names.
func encodePart(e *protocol.Element, f *protocol.Field, value string) (string, protocol.Span, string) {
	switch f.Name {
	case "type":
		if !clean(value) || f.Span.Start < 0 {
			return "", none, "refused: not a media type that the part can have"
		}
		return value, f.Span, ""
	case "headers":
		if !partHeaders(value) {
			return "", none, "refused: fields of a part are lines that end in CRLF, none of them empty"
		}
		return value, f.Span, ""
	case "value":
		if strings.Contains(value, "\n--") || strings.HasPrefix(value, "--") {
			return "", none, "refused: what begins a line with two dashes could end the part"
		}
		return value, f.Span, ""
	}
	return "", none, notSettable
}

func partHeaders(s string) bool {
	return s == "" || strings.HasSuffix(s, "\r\n") && !strings.HasPrefix(s, "\r\n") && !strings.Contains(s, "\r\n\r\n") &&
		!strings.ContainsAny(strings.ReplaceAll(s, "\r\n", ""), "\r\n\x00")
}

func encodeXML(e *protocol.Element, f *protocol.Field, value string) (string, protocol.Span, string) {
	kind, _ := e.Fields[0].Value.(string)
	if f.Name == "key" && (kind == "element" || kind == "attribute") {
		if !xmltext.IsName(value) {
			return "", none, "refused: not a name that XML may hold"
		}
		return value, f.Span, ""
	}
	switch {
	case f.Name != "value" || f.Span.Start < 0:
		return "", none, notSettable
	case kind == "attribute", kind == "text", kind == "element":
		return xmltext.Escape(value), f.Span, ""
	case kind == "cdata" && !strings.Contains(value, "]]>"), kind == "comment" && !strings.Contains(value, "--"):
		return value, f.Span, ""
	}
	return "", none, notSettable
}

// put inserts a new element beside an element.
func (p *plan) put(at *place, e *protocol.Element, in *protocol.Insertion) ([]edit, string) {
	value := in.Field
	switch at.kind {
	case wantHeader, wantTrailer:
		name, text := value("name"), value("value")
		if k := knownName(name); !isToken(name) || !clean(text) || k == contentLength || k == transferEncoding {
			return nil, "refused: not a field that can be put there"
		}
		return beside(e.Span, in.Before, name+": "+text+"\r\n"), ""
	case wantParameter, wantForm:
		text := percent.Encode(value("key"), keepInQuery) + "=" + percent.Encode(value("value"), keepInQuery+"=")
		return besideItem(at, in.Before, text), ""
	case wantSegment:
		return besideItem(at, in.Before, percent.Encode(value("value"), keepInPath)), ""
	case wantCookie:
		key, text := value("key"), value("value")
		if at.items == nil || key == "" || !cookieText(key, "=, ") || !cookieText(text, ", ") {
			return nil, "refused: not a cookie that can be put there"
		}
		return besideItem(at, in.Before, key+"="+text), ""
	case wantRange:
		text := value("value")
		if _, _, ok := rangeOf(text); !ok {
			return nil, "refused: not a range"
		}
		return besideItem(at, in.Before, text), ""
	case wantJSON:
		text, note := jsonvalue.New(e, value)
		if note != "" {
			return nil, note
		}
		return besideItem(at, in.Before, text), ""
	}
	return nil, "refused: no element can be put there"
}

func beside(s protocol.Span, before bool, text string) []edit {
	if before {
		return change(protocol.Span{Start: s.Start, End: s.Start}, text)
	}
	return change(protocol.Span{Start: s.End, End: s.End}, text)
}

func besideItem(at *place, before bool, text string) []edit {
	return []edit{{Edit: at.items.Insertion(at.index, before, text)}}
}

// move changes an element's place among its kind.
func (p *plan) move(at *place, e *protocol.Element, first bool) ([]edit, string) {
	text := string(cut(p.m.Data, e.Span))
	switch {
	case at.kind == wantHeader:
		fields := p.d.turn.h.head.fields
		to := fields[len(fields)-1].line
		if first {
			to = fields[0].line
		}
		return append(change(e.Span, ""), beside(to, first, text)...), ""
	case at.items != nil && at.kind != wantJSON:
		to := place{items: at.items, index: int32(len(at.items.Items) - 1)}
		if first {
			to.index = 0
		}
		if to.index == at.index {
			return nil, "not done: it is there already"
		}
		gone := change(e.Span, "")
		gone[0].list, gone[0].item = at.items, at.index
		return append(gone, besideItem(&to, first, text)...), ""
	}
	return nil, "refused: the element cannot be moved"
}
