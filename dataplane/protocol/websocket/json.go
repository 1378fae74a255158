package websocket

import (
	"bytes"
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/itemlist"
	"wirepatch/dataplane/protocol/jsontext"
	"wirepatch/dataplane/protocol/jsonvalue"
	"wirepatch/dataplane/session"
)

const (
	// shownAtOnce is how many values are shown to the rules at a time: memory for
	// them does not grow with the message.
	shownAtOnce = 128
	// maxPrefix is how far into a message its JSON may begin.
	maxPrefix = 128
)

func documentTypes() map[string]protocol.FieldType {
	return map[string]protocol.FieldType{
		"prefix": {Type: protocol.String, Doc: "what stands in front of the JSON"},
		"valid":  {Type: protocol.Bool, Doc: "it could be read to its end"},
		"error":  {Type: protocol.String, Doc: "what is wrong with it, and where"},
		"depth":  {Type: protocol.Int, Doc: "deepest nesting"},
		"count":  {Type: protocol.Int, Doc: "values"},
	}
}

// values are the values of JSON that are being shown.
type values struct {
	items *itemlist.List
	first int // the item of the first element that is one
	skip  int // elements in front of it
}

// startOfJSON is where the JSON of a message begins: protocols put types, numbers
// and names in front of it. -1: it has none.
func startOfJSON(value []byte) int {
	if i := len(value) - len(bytes.TrimLeft(value, " \t\r\n")); i < len(value) && (value[i] == '{' || value[i] == '[') {
		return i // JSON has blanks in front of it as it likes
	}
	i := bytes.IndexAny(value[:min(len(value), maxPrefix)], "{[")
	if i < 0 || bytes.ContainsAny(value[:i], "\"\r\n") {
		return -1
	}
	return i
}

// showJSON asks the rules about a message and the JSON within it.
func (d *Decoder) showJSON(value []byte, list []protocol.Element, o *outcome) {
	h := d.turn.h
	base := startOfJSON(value)
	if base < 0 {
		d.ask(value, list, nil, true, o)
		return
	}
	text := string(value[base:])
	vs, deepest, err := jsontext.Scan(text, nil, jsonvalue.Limits)
	beyond := err != nil && jsontext.Beyond(err) && h.dir == session.ToServer
	if h.document {
		why := ""
		if err != nil {
			why = err.Error()
		}
		list = append(list, protocol.Element{Kind: kinds[h.dir].document, Span: protocol.Span{Start: base, End: len(value)}, Fields: []protocol.Field{
			{Name: "prefix", Value: string(value[:base]), Span: none}, {Name: "valid", Value: err == nil, Span: none},
			{Name: "error", Value: why, Span: none}, {Name: "depth", Value: int64(deepest), Span: none}, {Name: "count", Value: int64(len(vs)), Span: none},
		}})
	}
	if s, ok := d.rules.(protocol.Surveyor); ok && len(list)+len(vs) >= shownAtOnce && (s.SurveyOf(kinds[h.dir].json) || s.SurveyOf(kinds[h.dir].document)) {
		d.surveying = true
		d.showValues(value, base, vs, slices.Clone(list), o)
		d.surveying = false
	}
	if !o.over() {
		d.showValues(value, base, vs, list, o)
	}
	d.msg.Survey = nil
	o.beyond = beyond && !o.over()
	if !o.over() && !o.edits.Empty() {
		o.changed, o.value = true, o.edits.Apply(string(value))
	}
}

// showValues asks the rules about list and the values of JSON behind it.
func (d *Decoder) showValues(value []byte, base int, vs []jsontext.Value, list []protocol.Element, o *outcome) {
	h := d.turn.h
	text := string(value[base:])
	shown := &values{items: jsonvalue.Items(vs, base), skip: len(list)}
	paths := jsonvalue.Paths(text, vs)
	defer func() { d.msg.Continues = false }()
	for i := range vs {
		if !h.json {
			break
		}
		fields := make([]protocol.Field, jsonvalue.FieldCount)
		jsonvalue.Fill(fields, text, &vs[i], base, paths.Of(i))
		list = append(list, protocol.Element{Kind: kinds[h.dir].json, Span: shown.items.Items[i].Span, Fields: fields})
		if len(list) < shownAtOnce {
			continue
		}
		if d.ask(value, list, shown, true, o); o.over() {
			return
		}
		d.msg.Continues = true
		list, shown.first, shown.skip = list[:0], i+1, 0
	}
	if len(list) > 0 {
		d.ask(value, list, shown, true, o)
	}
}

// planValue works a correction of a value out.
func (d *Decoder) planValue(c *protocol.Correction, e *protocol.Element, v *values, o *outcome) (after []byte, note string) {
	const taken = "not done: another correction changes the same bytes"
	if o.changed {
		return nil, taken
	}
	i := int32(v.first + c.Element - v.skip)
	switch c.Action {
	case protocol.Remove:
		if jsonvalue.Alone(e, &v.items.Items[i]) {
			return nil, "refused: the element is the whole text"
		}
		if !c.Shadow {
			o.edits.Remove(v.items, i)
		}
		return nil, ""
	case protocol.Set:
		f := e.Field(c.Field)
		if f == nil {
			return nil, "refused: the element has no such field"
		}
		text, at, note := jsonvalue.Encode(e, f, c.Value)
		if note == "" && !c.Shadow && !o.edits.Change(at, text) {
			note = taken
		}
		return []byte(text), note
	case protocol.Insert:
		if c.Insert == nil {
			return nil, "refused: nothing to insert"
		}
		text, note := jsonvalue.New(e, c.Insert.Field)
		if note != "" {
			return nil, note
		}
		in := v.items.Insertion(i, c.Insert.Before, text)
		if !c.Shadow && !o.edits.Change(protocol.Span{Start: in.Start, End: in.End}, string(in.With)) {
			note = taken
		}
		return in.With, note
	}
	return nil, "refused: not to be had of a value"
}
