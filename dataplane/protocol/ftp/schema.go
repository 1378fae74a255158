package ftp

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

type fields = map[string]protocol.FieldType

// Schema documents the elements and variables that a decoder publishes.
func Schema() protocol.Schema {
	code := protocol.FieldType{Type: protocol.Int, Settable: true, Doc: "number of the reply; can be set in a reply of one line"}
	text := protocol.FieldType{Type: protocol.String, Settable: true, Doc: "text of the reply, lines joined by a line feed; can be set in a reply of one line"}
	return protocol.Schema{
		Protocol: "ftp",
		Numbered: true,
		Elements: map[string]protocol.ElementType{
			"command": {Doc: "one command", Dir: session.ToServer, Fields: fields{
				"name":     {Type: protocol.String, Settable: true, Doc: "the verb, in lower case"},
				"argument": {Type: protocol.String, Settable: true, Doc: "what stands behind it, without the blank between"},
				"address":  {Type: protocol.String, Doc: `address that PORT or EPRT names, "" for other commands and when it is not in form`},
				"port":     {Type: protocol.Int, Doc: "the port that they name, else 0"},
			}},
			"reply": {Doc: "one reply, the greeting too", Dir: session.ToClient, Fields: fields{
				"code": code, "text": text,
				"address": {Type: protocol.String, Doc: `address that the reply to PASV names, the server's for EPSV, else ""`},
				"port":    {Type: protocol.Int, Doc: "the port that they name, else 0"},
			}},
			"reply.line": {Doc: "one line of a reply", Dir: session.ToClient, Fields: fields{
				"code": {Type: protocol.Int, Doc: "number of the reply"},
				"text": {Type: protocol.String, Settable: true, Doc: "text behind the number"},
			}},
		},
		Vars: dialogue.ConnVars(map[string]protocol.Var{
			"command.name":     {Type: protocol.String, Doc: "verb of the command, or of the one that a reply answers, in lower case"},
			"command.argument": {Type: protocol.String, Doc: "its argument"},
			"reply.code":       {Type: protocol.Int, Dir: session.ToClient, Doc: "number of the reply"},
			"reply.text":       {Type: protocol.String, Dir: session.ToClient, Doc: "text of its first line"},
		}),
	}
}
