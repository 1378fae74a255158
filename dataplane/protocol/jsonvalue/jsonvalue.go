// Package jsonvalue shows the values of a JSON text to rules as elements, and
// writes what they change. The decoders of protocols that carry JSON use it; what
// the text is part of it does not know.
package jsonvalue

import (
	"strconv"
	"strings"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/itemlist"
	"wirepatch/dataplane/protocol/jsontext"
)

// Limits bound what is made of one text.
var Limits = jsontext.Limits{Values: 32768, Depth: 8192}

// Types documents the fields of a value.
func Types() map[string]protocol.FieldType {
	text := func(doc string) protocol.FieldType { return protocol.FieldType{Type: protocol.String, Doc: doc} }
	settable := func(doc string) protocol.FieldType {
		return protocol.FieldType{Type: protocol.String, Doc: doc, Settable: true}
	}
	number := func(doc string) protocol.FieldType { return protocol.FieldType{Type: protocol.Int, Doc: doc} }
	truth := func(doc string) protocol.FieldType { return protocol.FieldType{Type: protocol.Bool, Doc: doc} }
	return map[string]protocol.FieldType{
		"key":   settable("name of a member, unescaped; empty for what is none"),
		"value": settable("a string unescaped, anything else as it came; what is set becomes a string"),
		"raw":   settable("the value as it came; what is set must be JSON"),
		"type":  text(`"object", "array", "string", "number", "boolean", "null", or "missing" for a member without a value`),
		"path":  text("JSON Pointer to it"), "depth": number("objects and arrays around it"),
		"index":  number("its place in what is around it, from 0"),
		"member": truth("it is a member of an object"), "duplicate": truth("an earlier member has the same name"),
	}
}

var none = protocol.Span{Start: -1, End: -1}

// FieldCount is how many fields a value has.
const FieldCount = 9

// Fill makes f the FieldCount fields of a value of text, which stands at base.
func Fill(f []protocol.Field, text string, v *jsontext.Value, base int, path string) {
	raw := text[v.Start:v.End]
	span := protocol.Span{Start: base + int(v.Start), End: base + int(v.End)}
	key, keySpan := "", none
	if v.Key >= 0 {
		key, keySpan = jsontext.Unquote(text[v.Key:v.KeyEnd]), protocol.Span{Start: base + int(v.Key), End: base + int(v.KeyEnd)}
	}
	value := raw
	if v.Type == jsontext.String {
		value = jsontext.Unquote(raw)
	}
	f[0].SetString("key", key, keySpan)
	f[1].SetString("value", value, span)
	f[2].SetString("raw", raw, span)
	f[3].SetString("type", v.Type.String(), none)
	f[4].SetInt("depth", int(v.Depth))
	f[5].SetInt("index", int(v.Index))
	f[6].SetBool("member", v.Key >= 0)
	f[7].SetBool("duplicate", v.Twice)
	f[8].SetString("path", path, none)
}

// Items makes the items of values, each with its name, with the neighbours that
// it has in its object or array.
func Items(vs []jsontext.Value, base int) *itemlist.List {
	list := &itemlist.List{Items: make([]itemlist.Item, len(vs)), Sep: ","}
	for i := range vs {
		v := &vs[i]
		start := v.Start
		if v.Key >= 0 {
			start = v.Key
		}
		list.Items[i] = itemlist.Item{Span: protocol.Span{Start: base + int(start), End: base + int(max(v.End, v.KeyEnd))}, Prev: v.Prev, Next: v.Next}
	}
	return list
}

// Encode writes a field's new value, and says where it stands. A text takes the
// place of a number, too, as a string. Where a member has no value the text is no
// JSON, and need not become it.
func Encode(e *protocol.Element, f *protocol.Field, value string) (text string, at protocol.Span, note string) {
	switch {
	case f.Name == "value":
		return jsontext.Quote(value), f.Span, ""
	case f.Name == "raw" && (jsontext.Valid(value) || e.Field("type").Value == jsontext.Missing.String()):
		return value, f.Span, ""
	case f.Name == "raw":
		return "", none, "refused: not JSON"
	case f.Name == "key" && f.Span.Start >= 0:
		return jsontext.Quote(value), f.Span, ""
	}
	return "", none, "refused: the field cannot be set"
}

// New writes a value that is put beside e; value gives its fields.
func New(e *protocol.Element, value func(string) string) (text, note string) {
	text = value("raw")
	if text == "" {
		text = jsontext.Quote(value("value"))
	}
	switch {
	case !jsontext.Valid(text):
		return "", "refused: not JSON"
	case e.Field("depth").Value == int64(0):
		return "", "refused: the element is the whole text"
	case e.Field("member").Value == true:
		text = jsontext.Quote(value("key")) + ":" + text
	}
	return text, ""
}

// Alone says whether a value is the whole text, which cannot be taken out.
func Alone(e *protocol.Element, it *itemlist.Item) bool {
	return it.Prev < 0 && it.Next < 0 && e.Field("depth").Value == int64(0)
}

// maxPath bounds the path of a value, in bytes; what is deeper has the path of
// what is around it, with an ellipsis.
const maxPath = 512

// Pointers makes JSON Pointers (RFC 6901) of values, which are asked for in their order.
type Pointers struct {
	text string
	vs   []jsontext.Value
	open []string // by depth: the path of what is around
}

// Paths begins with the pointers of a text's values.
func Paths(text string, vs []jsontext.Value) *Pointers { return &Pointers{text: text, vs: vs} }

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// Of is the pointer to the next value.
func (p *Pointers) Of(i int) string {
	v := &p.vs[i]
	path := ""
	if v.Parent >= 0 {
		path = p.open[v.Depth-1]
		name := ""
		if v.Key >= 0 {
			name = pointerEscape.Replace(jsontext.Unquote(p.text[v.Key:v.KeyEnd]))
		} else {
			name = strconv.Itoa(int(v.Index))
		}
		switch {
		case strings.HasSuffix(path, "…"):
		case len(path)+1+len(name) > maxPath:
			path += "/…"
		default:
			path += "/" + name
		}
	}
	p.open = append(p.open[:v.Depth], path)
	return path
}
