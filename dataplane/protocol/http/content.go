package http

import (
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/formtext"
	"wirepatch/dataplane/protocol/jsontext"
	"wirepatch/dataplane/protocol/jsonvalue"
)

// Bounds on what is made of one body. What is beyond them in a request is a
// fault: nobody has seen it.
const (
	maxParts = 4096
	maxNodes = 32768 // of XML; those of JSON are in jsonvalue
	maxDepth = 8192
	maxPath  = 512 // bytes of an element's path; what is deeper has that of what is around it
)

// fitting narrows what rules want of a body to what a body of this type can
// have. first is its first byte that is no blank, 0 as long as that is not known.
func (h *half) fitting(b []byte, first byte) want {
	w := h.want & wantContent
	if w == 0 {
		return 0
	}
	media, whole := h.head.contentType(b)
	bare := media
	if i := strings.IndexAny(media, ", \t"); i >= 0 {
		bare = media[:i] // where PHP, for one, ends it
	}
	if bare != "application/x-www-form-urlencoded" {
		w &^= wantForm
	}
	if w&wantParts != 0 && formtext.Boundary(whole) == "" {
		w &^= wantParts
	}
	if first != 0 {
		if first != '{' && first != '[' && !strings.Contains(media, "json") {
			w &^= wantJSON
		}
		if first != '<' && !strings.Contains(media, "xml") {
			w &^= wantXML
		}
		if !jsonOrXML(media, first) {
			w &^= wantDocument
		}
	}
	return w
}

func jsonOrXML(media string, first byte) bool {
	return strings.Contains(media, "json") || strings.Contains(media, "xml") || first == '{' || first == '[' || first == '<'
}

// contentType returns the media type in lower case and the whole value of the
// first Content-Type.
func (h *head) contentType(b []byte) (media, whole string) {
	for i := range h.fields {
		if f := &h.fields[i]; f.known == contentType {
			whole = string(f.text(b))
			media, _, _ = strings.Cut(whole, ";")
			return toLower([]byte(strings.TrimSpace(media))), whole
		}
	}
	return "", ""
}

// firstByte returns the first byte of content that tells what it is, 0 when
// there is none yet, and how many are in front of it.
func firstByte(content []byte) (first byte, blank int) {
	for i := 0; i < len(content); i++ {
		switch c := content[i]; c {
		case ' ', '\t', '\r', '\n':
		case 0xef:
			if len(content) < i+3 {
				return 0, i
			}
			if string(content[i:i+3]) != "\xef\xbb\xbf" {
				return c, i
			}
			i += 2
		default:
			return c, i
		}
	}
	return 0, len(content)
}

// showBody adds the elements of a held body.
func (d *Decoder) showBody() {
	h := d.turn.h
	s := &h.hold
	base := h.head.size
	w := s.want & h.want
	if w&wantBody != 0 {
		span := protocol.Span{Start: base, End: base + len(s.value)}
		if e := d.element(kinds[h.dir].body, span, 2, place{kind: wantBody}); e != nil {
			e.Fields[0].SetString("value", s.value, span)
			e.Fields[1].SetInt("size", len(s.value))
		}
	}
	if w&wantForm != 0 {
		d.showPairs(wantForm, s.value, base)
	}
	if w&wantParts != 0 {
		_, whole := h.head.contentType(d.vars.data)
		d.showMultipart(s.value, formtext.Boundary(whole), base)
	}
	if w&wantText != 0 {
		d.showDocument()
	}
	if h.framing == byChunks && h.want&wantFraming != 0 && d.msg.Told == 0 {
		d.showLines()
	}
}

// showDocument adds what there is of a body that is JSON or XML.
func (d *Decoder) showDocument() {
	h := d.turn.h
	text := h.hold.value
	media, _ := h.head.contentType(d.vars.data)
	first, _ := firstByte([]byte(text[:min(len(text), 256)]))
	switch {
	case strings.Contains(media, "json") || first == '{' || first == '[':
		d.showJSON(text)
	case strings.Contains(media, "xml") || first == '<':
		d.showXML(text)
	}
}

// showJSON adds the values of a JSON text.
func (d *Decoder) showJSON(text string) {
	h := d.turn.h
	vs, deepest, err := jsontext.Scan(text, nil, jsonvalue.Limits)
	d.unseen = d.unseen || err != nil && jsontext.Beyond(err)
	d.documentElement("json", text, len(vs), deepest, err)
	if h.want&wantJSON == 0 {
		return
	}
	list := jsonvalue.Items(vs, h.head.size)
	paths := jsonvalue.Paths(text, vs)
	for i := range vs {
		e := d.element(kinds[h.dir].json, list.Items[i].Span, jsonvalue.FieldCount, place{kind: wantJSON, items: list, index: int32(i)})
		if e == nil {
			return
		}
		jsonvalue.Fill(e.Fields, text, &vs[i], h.head.size, paths.Of(i))
	}
}

// documentElement adds the element of a whole JSON or XML text.
func (d *Decoder) documentElement(format, text string, size, depth int, err error) {
	h := d.turn.h
	if h.want&wantDocument == 0 {
		return
	}
	base := h.head.size
	e := d.element(kinds[h.dir].document, protocol.Span{Start: base, End: base + len(text)}, 5, place{kind: wantDocument})
	if e == nil {
		return
	}
	why := ""
	if err != nil {
		why = err.Error()
	}
	e.Fields[0].SetString("format", format, none)
	e.Fields[1].SetBool("valid", err == nil)
	e.Fields[2].SetString("error", why, none)
	e.Fields[3].SetInt("depth", depth)
	e.Fields[4].SetInt("count", size)
}
