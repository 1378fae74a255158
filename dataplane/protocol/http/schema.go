package http

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

type fields = map[string]protocol.FieldType

// Schema documents the elements and variables that a Decoder publishes.
func Schema() protocol.Schema {
	return protocol.Schema{Protocol: "http", Elements: elementTypes(), Vars: variableTypes()}
}

func elementTypes() map[string]protocol.ElementType {
	name := protocol.FieldType{Type: protocol.String, Settable: true,
		Doc: "field name in lower case; what is set is written as given and must be a token"}
	value := protocol.FieldType{Type: protocol.String, Settable: true,
		Doc: "field value without the blanks around it; a folded one has a blank for each fold"}
	body := protocol.FieldType{Type: protocol.String, Settable: true,
		Doc: "content, chunks joined, content coding as it is; when it is set the framing follows"}
	version := protocol.FieldType{Type: protocol.String, Doc: `"HTTP/1.0" or "HTTP/1.1"`}
	return map[string]protocol.ElementType{
		"request.line": {Doc: "request line", Dir: session.ToServer, Fields: fields{
			"method":  {Type: protocol.String, Doc: "method, case as it came"},
			"target":  {Type: protocol.String, Settable: true, Doc: "request target, encoded as it came"},
			"path":    {Type: protocol.String, Settable: true, Doc: "path of the target, encoded as it came; empty for CONNECT"},
			"query":   {Type: protocol.String, Settable: true, Doc: "query of the target without the question mark, encoded as it came"},
			"version": version,
		}},
		"request.header": {Doc: "one header field of a request; trailers are not among them", Dir: session.ToServer,
			Fields: fields{"name": name, "value": value}},
		"request.body": {Doc: "body of a request that has one, within the limit of the appliance", Dir: session.ToServer,
			Fields: fields{"value": body}},
		"response.line": {Doc: "status line", Dir: session.ToClient, Fields: fields{
			"status":  {Type: protocol.Int, Settable: true, Doc: "status code; may be set within those that leave the body as it is"},
			"reason":  {Type: protocol.String, Settable: true, Doc: "reason phrase, often empty"},
			"version": version,
		}},
		"response.header": {Doc: "one header field of a response; trailers are not among them", Dir: session.ToClient,
			Fields: fields{"name": name, "value": value}},
		"response.body": {Doc: "body of a response that has one, within the limit of the appliance", Dir: session.ToClient,
			Fields: fields{"value": body}},
	}
}

func variableTypes() map[string]protocol.Var {
	const req, resp = session.ToServer, session.ToClient
	return map[string]protocol.Var{
		"request.method":   {Type: protocol.String, Dir: req, Doc: "method"},
		"request.target":   {Type: protocol.String, Dir: req, Doc: "request target, encoded as it came"},
		"request.path":     {Type: protocol.String, Dir: req, Doc: "path of the target, encoded as it came"},
		"request.query":    {Type: protocol.String, Dir: req, Doc: "query of the target, encoded as it came; empty when there is none"},
		"request.version":  {Type: protocol.String, Dir: req, Doc: `"HTTP/1.0" or "HTTP/1.1"`},
		"request.headers":  {Type: protocol.StringMap, Dir: req, Doc: "values by field name in lower case, in order"},
		"request.body":     {Type: protocol.String, Dir: req, Doc: "content; known only where rules are about request.body and it is within the limit"},
		"response.status":  {Type: protocol.Int, Dir: resp, Doc: "status code"},
		"response.reason":  {Type: protocol.String, Dir: resp, Doc: "reason phrase"},
		"response.headers": {Type: protocol.StringMap, Dir: resp, Doc: "values by field name in lower case, in order"},
		"response.body":    {Type: protocol.String, Dir: resp, Doc: "content; known only where rules are about response.body and it is within the limit"},
		"client.address":   {Type: protocol.String, Dir: req, Doc: "address of the client"},
		"client.port":      {Type: protocol.Int, Dir: req, Doc: "TCP port of the client"},
		"server.address":   {Type: protocol.String, Dir: req, Doc: "address of the server"},
		"server.port":      {Type: protocol.Int, Dir: req, Doc: "TCP port of the server"},
		"date":             {Type: protocol.String, Dir: req, Doc: "now, as a Date field says it (RFC 9110 section 5.6.7)"},
	}
}
