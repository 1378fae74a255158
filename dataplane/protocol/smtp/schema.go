package smtp

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

type fields = map[string]protocol.FieldType

// Schema documents the elements and variables that a decoder publishes.
func Schema() protocol.Schema {
	return protocol.Schema{
		Protocol: "smtp",
		Numbered: true,
		Elements: map[string]protocol.ElementType{
			"command": {Doc: "one command", Dir: session.ToServer, Fields: fields{
				"name":     {Type: protocol.String, Settable: true, Doc: "the verb, in lower case"},
				"argument": {Type: protocol.String, Settable: true, Doc: "what stands behind it"},
				"address":  {Type: protocol.String, Settable: true, Doc: `of MAIL and RCPT: the address within the brackets, without a source route in front of it; without brackets the word behind the colon`},
				"local":    {Type: protocol.String, Doc: "its part in front of the last @ that is not within quotes"},
				"domain":   {Type: protocol.String, Doc: `its part behind it, "" without`},
			}},
			"mail.header": {Doc: "one header field of a mail sent with DATA", Dir: session.ToServer, Fields: fields{
				"name":  {Type: protocol.String, Settable: true, Doc: "in lower case"},
				"value": {Type: protocol.String, Settable: true, Doc: "without the blanks around it, unfolded"},
			}},
			"mail.line": {Doc: "one line of a mail sent with DATA, behind its header", Dir: session.ToServer, Fields: fields{
				"text": {Type: protocol.String, Settable: true, Doc: "without its end, and without the dot that is put in front of a line for the way"},
			}},
			"reply": {Doc: "one reply, the greeting too", Dir: session.ToClient, Fields: fields{
				"code": {Type: protocol.Int, Settable: true, Doc: "number of the reply; can be set in a reply of one line"},
				"text": {Type: protocol.String, Settable: true, Doc: "text of the reply, lines joined by a line feed; can be set in a reply of one line"},
			}},
			"reply.line": {Doc: "one line of a reply", Dir: session.ToClient, Fields: fields{
				"code": {Type: protocol.Int, Doc: "number of the reply"},
				"text": {Type: protocol.String, Settable: true, Doc: "text behind the number"},
			}},
		},
		Vars: dialogue.ConnVars(map[string]protocol.Var{
			"command.name":     {Type: protocol.String, Doc: `verb of the command, or of the one that a reply answers ("" for the greeting and for a mail)`},
			"command.argument": {Type: protocol.String, Doc: "its argument"},
			"reply.code":       {Type: protocol.Int, Dir: session.ToClient, Doc: "number of the reply"},
			"reply.text":       {Type: protocol.String, Dir: session.ToClient, Doc: "text of its first line"},
		}),
	}
}
