package http

import (
	"maps"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/jsonvalue"
	"wirepatch/dataplane/session"
)

type fields = map[string]protocol.FieldType

// Schema documents the elements and variables that a Decoder publishes.
func Schema() protocol.Schema {
	elements := requestTypes()
	maps.Copy(elements, responseTypes())
	for _, dir := range []session.Direction{session.ToServer, session.ToClient} {
		maps.Copy(elements, commonTypes(dir))
	}
	return protocol.Schema{Protocol: "http", Numbered: true, Elements: elements, Vars: variableTypes()}
}

func text(doc string) protocol.FieldType {
	return protocol.FieldType{Type: protocol.String, Doc: doc}
}

func settable(doc string) protocol.FieldType {
	return protocol.FieldType{Type: protocol.String, Doc: doc, Settable: true}
}

func number(doc string) protocol.FieldType {
	return protocol.FieldType{Type: protocol.Int, Doc: doc}
}

func truth(doc string) protocol.FieldType {
	return protocol.FieldType{Type: protocol.Bool, Doc: doc}
}

const lowerName = "field name in lower case; what is set is written as given and must be a token"

func requestTypes() map[string]protocol.ElementType {
	pair := fields{
		"key":   settable("name, percent-decoded, plus signs as blanks; case as it came; what is set is encoded"),
		"value": settable("value, decoded likewise; empty when there is no equals sign"),
		"raw":   settable("the pair as it came"),
		"index": number("its place, from 0"),
	}
	types := map[string]protocol.ElementType{
		"request.line": {Doc: "request line", Fields: fields{
			"method":  text("method, case as it came"),
			"target":  settable("request target, encoded as it came"),
			"path":    settable("path of the target, encoded as it came; empty for the CONNECT of a tunnel"),
			"query":   settable("query of the target without the question mark, encoded as it came"),
			"version": settable(`"HTTP/1.0" or "HTTP/1.1"; can be set to HTTP/1.0 where the body is not chunked`),
			"decoded": text("path, percent-decoded once"),
			"size":    number("octets of the line with its end"),
		}},
		"request.segment": {Doc: "one segment of the path, between two slashes", Fields: fields{
			"value": settable("the segment, percent-decoded; what is set is encoded"),
			"raw":   settable("the segment as it came"),
			"index": number("its place, from 0"),
		}},
		"request.parameter": {Doc: "one pair of the query", Fields: pair},
		"request.form":      {Doc: "one pair of a body that is application/x-www-form-urlencoded", Fields: pair},
		"request.cookie": {Doc: "one cookie of a Cookie field", Fields: fields{
			"key": settable("name, case as it came"), "value": settable("value as it came"),
			"raw": settable("the cookie as it came"), "index": number("its place in its field, from 0"),
		}},
		"request.range": {Doc: "one range of a Range field, or of a Request-Range field", Fields: fields{
			"value": settable("the range as it came"), "unit": text("in lower case, mostly bytes"), "index": number("its place in its field, from 0"),
			"first": number("its first octet; -1 where it is the last octets that are asked for"),
			"last":  number("its last octet; -1 where it goes to the end; of a range without a first one, how many"),
			"valid": truth("it is in form"),
		}},
		"request.multipart": {Doc: "a multipart body as a whole", Fields: fields{
			"boundary": text("the boundary"), "count": number("parts"), "complete": truth("the closing delimiter is there"),
			"preamble": text("what is before the first delimiter"), "epilogue": text("what is behind the last"),
		}},
		"request.part": {Doc: "one part of a multipart body", Fields: fields{
			"key":      settable("name in Content-Disposition, case as it came; of name* where that is all there is"),
			"filename": settable("file name in Content-Disposition, of filename* when that is there"),
			"type":     settable("Content-Type of the part"),
			"headers":  settable("all fields of the part as they came"),
			"value":    settable("content of the part"),
			"size":     number("octets of the content; -1 in a body that is too long to be held"), "index": number("its place, from 0"), "count": number("its fields"),
			"complete": truth("a delimiter ends it"), "malformed": truth("its Content-Disposition is out of form: servers may read other names"),
		}},
		"request.part.header": {Doc: "one field of a part", Fields: fields{
			"name": settable(lowerName), "value": settable("value without the blanks around it, unfolded"),
			"raw": text("the line as it came, with its end"), "folded": truth("it goes over several lines"),
			"index": number("its place in the part, from 0"), "part": number("the part's place, from 0"),
		}},
	}
	for k, e := range types {
		e.Dir = session.ToServer
		if k == kinds[session.ToServer].form {
			e.Within = kinds[session.ToServer].body
		}
		types[k] = e
	}
	return types
}

func responseTypes() map[string]protocol.ElementType {
	return map[string]protocol.ElementType{
		"response.line": {Doc: "status line", Dir: session.ToClient, Fields: fields{
			"status":  {Type: protocol.Int, Settable: true, Doc: "status code; may be set within those that leave the body as it is"},
			"reason":  settable("reason phrase, often empty"),
			"version": settable(`"HTTP/1.0" or "HTTP/1.1"; HTTP/1.0 only where the body is not chunked`),
			"size":    number("octets of the line with its end"),
		}},
		"response.cookie": {Doc: "one Set-Cookie field", Dir: session.ToClient, Fields: fields{
			"key": settable("name, case as it came"), "value": settable("value as it came"),
			"raw": settable("name and value as they came"), "attributes": settable("what follows them, from the first semicolon on"),
		}},
	}
}

// commonTypes are the elements that requests and responses have both.
func commonTypes(dir session.Direction) map[string]protocol.ElementType {
	k := &kinds[dir]
	types := map[string]protocol.ElementType{
		k.header: {Doc: "one header field of a " + k.message + "; trailers are not among them", Fields: fields{
			"name":  settable(lowerName),
			"value": settable("field value without the blanks around it; a folded one has a blank for each fold"),
			"raw":   text("field value as it came, with its folds"), "folded": truth("it goes over several lines"),
			"size": number("octets of the field with its line ends"), "index": number("its place, from 0"),
		}},
		k.body: {Doc: "body of a " + k.message + " that has one, within the limit of the appliance", Fields: fields{
			"value": settable("content, chunks joined, content codings undone; when it is set the framing follows"),
			"size":  number("octets of the content"),
		}},
		k.document: {Doc: "a body that is JSON or XML, as a whole", Fields: fields{
			"format": text(`"json" or "xml"`), "valid": truth("it could be read to its end"),
			"error": text("what is wrong with it, and where"), "depth": number("deepest nesting"), "count": number("values, or parts"),
		}},
		k.json: {Doc: "one value of a body that is JSON", Fields: jsonvalue.Types()},
		k.xml: {Doc: "one part of a body that is XML", Fields: fields{
			"type": text(`"element", "attribute", "text", "cdata", "comment", "instruction", "doctype" or "entity"`),
			"key":  settable("qualified name; can be set for elements, in both tags, and attributes"), "value": settable("text or value; of an element its content as it came"),
			"path": text("names of the elements around it and its own"), "depth": number("elements around it"),
			"index": number("its place among the parts, from 0"),
		}},
		k.chunk: {Doc: "one chunk's first line", Holds: true, Fields: fields{
			"line": settable("size and extensions as they came"), "extension": settable("extensions with their semicolon"),
			"extension_size": number("octets of the extensions"), "extension_total": number("the same, of all chunks so far"),
			"size": number("octets of the chunk's data"), "index": number("its place, from 0"),
			"lf": truth("the line ends in LF alone"), "fault": text("code of what is wrong with the line; empty"),
		}},
		k.trailer: {Doc: "one field behind a chunked body", Holds: true, Fields: fields{
			"name": settable(lowerName), "value": settable("field value without the blanks around it; a folded one has a blank for each fold"),
			"size": number("octets of the field with its line ends"), "folded": truth("it goes over several lines"),
		}},
	}
	for name, e := range types {
		e.Dir = dir
		if name == k.document || name == k.json || name == k.xml {
			e.Within = k.body
		}
		types[name] = e
	}
	return types
}

func variableTypes() map[string]protocol.Var {
	const req, resp = session.ToServer, session.ToClient
	vars := map[string]protocol.Var{
		"request.method":     {Type: protocol.String, Dir: req, Doc: "method"},
		"request.target":     {Type: protocol.String, Dir: req, Doc: "request target, encoded as it came"},
		"request.path":       {Type: protocol.String, Dir: req, Doc: "path of the target, encoded as it came"},
		"request.decoded":    {Type: protocol.String, Dir: req, Doc: "path of the target, percent-decoded once"},
		"request.query":      {Type: protocol.String, Dir: req, Doc: "query of the target, encoded as it came; empty when there is none"},
		"request.version":    {Type: protocol.String, Dir: req, Doc: `"HTTP/1.0" or "HTTP/1.1"`},
		"request.parameters": {Type: protocol.StringMap, Dir: req, Doc: "values of the query by key, both decoded, in order"},
		"request.cookies":    {Type: protocol.StringMap, Dir: req, Doc: "values of cookies by name, in order"},
		"response.status":    {Type: protocol.Int, Dir: resp, Doc: "status code"},
		"response.reason":    {Type: protocol.String, Dir: resp, Doc: "reason phrase"},
		"client.address":     {Type: protocol.String, Dir: req, Ambient: true, Doc: "address of the client"},
		"client.port":        {Type: protocol.Int, Dir: req, Ambient: true, Doc: "TCP port of the client"},
		"server.address":     {Type: protocol.String, Dir: req, Ambient: true, Doc: "address of the server"},
		"server.port":        {Type: protocol.Int, Dir: req, Ambient: true, Doc: "TCP port of the server"},
		"date":               {Type: protocol.String, Dir: req, Ambient: true, Doc: "now, as a Date field says it (RFC 9110 section 5.6.7)"},
	}
	for _, dir := range []session.Direction{req, resp} {
		m := kinds[dir].message
		for name, v := range map[string]protocol.Var{
			".headers":      {Type: protocol.StringMap, Doc: "values by field name in lower case, in order"},
			".lines":        {Type: protocol.StringMap, Doc: "whole lines by field name in lower case, in order, as they came: with their names, folds and ends"},
			".content_type": {Type: protocol.String, Doc: "media type in lower case, without parameters"},
			".framing":      {Type: protocol.String, Doc: `how the body ends: "none", "length", "chunked", "close"; "tunnel" when no HTTP follows`},
			".fault":        {Type: protocol.String, Doc: "code of what makes the message one that servers read differently; empty"},
			".header_count": {Type: protocol.Int, Doc: "header fields"},
			".head_size":    {Type: protocol.Int, Doc: "octets of the head"},
			".body":         {Type: protocol.String, Doc: "content; known only where rules are about " + m + ".body and it is within the limit"},
		} {
			v.Dir = dir
			vars[m+name] = v
		}
		if dir == session.ToServer {
			vars[m+".coding"] = protocol.Var{Type: protocol.String, Doc: "content codings that were undone in the reading of the body at hand, empty where it is as it came; known where the body is"}
		}
	}
	return vars
}
