package dns

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/whole"
	"wirepatch/dataplane/session"
)

// Schema documents the elements and variables that a decoder publishes.
func Schema() protocol.Schema {
	elements := map[string]protocol.ElementType{}
	for dir, names := range kinds {
		for i, fields := range [...]whole.Fields{messageFields, questionFields, recordFields, ednsFields, optionFields} {
			elements[names[i]] = protocol.ElementType{Doc: docs[i], Dir: session.Direction(dir), Fields: fields}
		}
	}
	return protocol.Schema{Protocol: "dns", Elements: elements, Vars: whole.Vars(vars)}
}

var docs = [...]string{
	"the message as a whole, with its header; it cannot be removed",
	"one entry of the question section; it cannot be removed",
	"one resource record but OPT; when it is removed the message is packed anew",
	"the OPT record of EDNS",
	"one option of EDNS",
}

var messageFields = whole.Fields{
	"size":                {Type: protocol.Int, Doc: "octets of the message"},
	"id":                  {Type: protocol.Int, Doc: "identifier"},
	"opcode":              {Type: protocol.Int, Doc: "0 query, 4 notify, 5 update"},
	"rcode":               {Type: protocol.Int, Doc: "response code in the header"},
	"response":            {Type: protocol.Bool, Doc: "QR, as the message says"},
	"authoritative":       {Type: protocol.Bool, Doc: "AA"},
	"truncated":           {Type: protocol.Bool, Doc: "TC"},
	"recursion_desired":   {Type: protocol.Bool, Doc: "RD"},
	"recursion_available": {Type: protocol.Bool, Doc: "RA"},
	"authentic_data":      {Type: protocol.Bool, Doc: "AD"},
	"checking_disabled":   {Type: protocol.Bool, Doc: "CD"},
	"questions":           {Type: protocol.Int, Doc: "entries of the question section"},
	"answers":             {Type: protocol.Int, Doc: "records of the answer section"},
	"authorities":         {Type: protocol.Int, Doc: "records of the authority section"},
	"additionals":         {Type: protocol.Int, Doc: "records of the additional section, OPT among them"},
	"trailing":            {Type: protocol.Int, Doc: "octets behind the last record"},
}

var (
	nameField  = protocol.FieldType{Type: protocol.String, Doc: `in lower case, with a dot at the end ("." is the root); other octets as \DDD`}
	typeField  = protocol.FieldType{Type: protocol.String, Doc: `"A", "SIG", …, or "TYPE65280"`}
	classField = protocol.FieldType{Type: protocol.String, Doc: `"IN", "CH", …, or "CLASS9"`}
	section    = protocol.FieldType{Type: protocol.String, Doc: `"answer", "authority" or "additional"`}
)

var questionFields = whole.Fields{"name": nameField, "type": typeField, "class": classField}

var recordFields = whole.Fields{
	"section": section, "name": nameField, "type": typeField, "class": classField,
	"ttl":      {Type: protocol.Int, Doc: "seconds", Settable: true},
	"data":     {Type: protocol.String, Doc: "octets of the data, names compressed as they came"},
	"size":     {Type: protocol.Int, Doc: "octets of the data"},
	"expanded": {Type: protocol.Int, Doc: "octets of the data with its names written out"},
}

var ednsFields = whole.Fields{
	"section":        section,
	"payload":        {Type: protocol.Int, Doc: "octets that its sender can take over UDP", Settable: true},
	"extended_rcode": {Type: protocol.Int, Doc: "upper eight bits of the response code"},
	"version":        {Type: protocol.Int, Doc: "version of EDNS"},
	"dnssec_ok":      {Type: protocol.Bool, Doc: "DO"},
	"options":        {Type: protocol.Int, Doc: "options in it"},
	"size":           {Type: protocol.Int, Doc: "octets of its data"},
}

var optionFields = whole.Fields{
	"code": {Type: protocol.Int, Doc: "option code"},
	"data": {Type: protocol.String, Doc: "octets of the option"},
	"size": {Type: protocol.Int, Doc: "their number"},
}

// vars are known to rules on a response only while its query is among the last
// eight without an answer.
var vars = map[string]protocol.Var{
	"transport":       {Type: protocol.String, Doc: `"udp" or "tcp"`},
	"query.id":        {Type: protocol.Int, Doc: "identifier of the query"},
	"query.opcode":    {Type: protocol.Int, Doc: "opcode of the query"},
	"query.name":      {Type: protocol.String, Doc: "name of its first question, as the field; empty when there is none"},
	"query.type":      {Type: protocol.String, Doc: "type of its first question"},
	"query.class":     {Type: protocol.String, Doc: "class of its first question"},
	"reply.formerr":   {Type: protocol.String, Doc: "answer to the query that it is malformed (rcode 1), for reject: raw"},
	"reply.servfail":  {Type: protocol.String, Doc: "answer that the server failed (rcode 2)"},
	"reply.nxdomain":  {Type: protocol.String, Doc: "answer that there is no such name (rcode 3)"},
	"reply.notimp":    {Type: protocol.String, Doc: "answer that this is not implemented (rcode 4)"},
	"reply.refused":   {Type: protocol.String, Doc: "answer that the query is refused (rcode 5)"},
	"reply.empty":     {Type: protocol.String, Doc: "answer without records (rcode 0)"},
	"reply.truncated": {Type: protocol.String, Doc: "answer without records that asks the client to come over TCP (TC)"},
}
