package described

import (
	"slices"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

type fieldTypes = map[string]protocol.FieldType

func (d *Description) lineSchema() protocol.Schema {
	text := func(doc string) protocol.FieldType {
		return protocol.FieldType{Type: protocol.String, Settable: true, Doc: doc}
	}
	whole := func(doc string) protocol.FieldType { return protocol.FieldType{Type: protocol.Int, Doc: doc} }
	s := protocol.Schema{Protocol: d.Name, Numbered: true, Elements: map[string]protocol.ElementType{}}
	for dir, k := range kinds {
		dir := session.Direction(dir)
		s.Elements[k.message] = protocol.ElementType{Doc: "a line and what belongs to it", Dir: dir, Fields: fieldTypes{
			"name": text("first word, or item, in lower case"), "argument": text("what stands behind it"), "line": text("the first line, without its end"),
			"items": whole("words, or counted items"), "size": whole("octets, with what belongs to it"),
		}}
		s.Elements[k.item] = protocol.ElementType{Doc: "a word of the first line, or a counted item", Dir: dir, Fields: fieldTypes{
			"value": text("its octets"), "counted": {Type: protocol.Bool, Doc: "it is a counted item"},
		}}
		s.Elements[k.data] = protocol.ElementType{Doc: "counted octets behind a line", Dir: dir, Fields: fieldTypes{"value": text("the octets")}}
		s.Elements[k.line] = protocol.ElementType{Doc: "a line of a block", Dir: dir, Fields: fieldTypes{"text": text("without its end")}}
	}
	s.Vars = dialogue.ConnVars(map[string]protocol.Var{
		"command.name":     {Type: protocol.String, Doc: "name of the command, or of the one that is answered"},
		"command.argument": {Type: protocol.String, Doc: "its argument"},
		"command.first":    {Type: protocol.String, Doc: "its first line"},
		"reply.name":       {Type: protocol.String, Dir: session.ToClient, Doc: "name of the reply"},
		"reply.first":      {Type: protocol.String, Dir: session.ToClient, Doc: "its first line"},
	})
	return s
}

func (d *Description) binarySchema() protocol.Schema {
	s := protocol.Schema{Protocol: d.Name, Elements: map[string]protocol.ElementType{}}
	vars := map[string]protocol.Var{}
	for dir, side := range sides {
		layout := &d.Binary.Client
		if session.Direction(dir) == session.ToClient {
			layout = &d.Binary.Server
		}
		top := fieldTypes{
			"malformed": {Type: protocol.Bool, Doc: "its fields do not fill it, or reach beyond it"}, "fault": {Type: protocol.String, Doc: "what is wrong then"},
			"size": {Type: protocol.Int, Doc: "octets of the message"}, "complete": {Type: protocol.Bool, Doc: "all of it is shown"},
		}
		for i := range layout.Fields {
			f := &layout.Fields[i]
			if f.Group == nil {
				top[f.Name] = f.schemaType(f.Name == layout.Length || follows(layout.Fields, f.Name))
				if session.Direction(dir) == session.ToServer {
					vars["request."+f.Name] = protocol.Var{Type: f.schemaType(false).Type, Doc: f.Doc}
				}
				continue
			}
			group := fieldTypes{}
			for j := range f.Group {
				group[f.Group[j].Name] = f.Group[j].schemaType(follows(f.Group, f.Group[j].Name))
			}
			s.Elements[side+"."+f.Name] = protocol.ElementType{Doc: f.Doc, Dir: session.Direction(dir), Fields: group}
		}
		s.Elements[side+".message"] = protocol.ElementType{Doc: "one message", Dir: session.Direction(dir), Fields: top}
	}
	s.Vars = dialogue.ConnVars(vars)
	return s
}

// follows says whether a number is the size or the count of another field, and so
// follows when that is changed.
func follows(fields []Field, name string) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.SizeOf == name || f.Count == name })
}

// schemaType is the type of a field; follows: it is worked out.
func (f *Field) schemaType(follows bool) protocol.FieldType {
	if f.Number > 0 {
		return protocol.FieldType{Type: protocol.Int, Settable: !follows, Doc: f.Doc}
	}
	return protocol.FieldType{Type: protocol.String, Settable: true, Doc: f.Doc}
}
