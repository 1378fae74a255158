package mqtt

import (
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

type fields = map[string]protocol.FieldType

func text(doc string) protocol.FieldType {
	return protocol.FieldType{Type: protocol.String, Settable: true, Doc: doc}
}

func whole(doc string) protocol.FieldType { return protocol.FieldType{Type: protocol.Int, Doc: doc} }

func truth(doc string) protocol.FieldType { return protocol.FieldType{Type: protocol.Bool, Doc: doc} }

// Schema documents the elements and variables that a decoder publishes.
func Schema() protocol.Schema {
	return protocol.Schema{
		Protocol: "mqtt",
		Elements: map[string]protocol.ElementType{
			"client.packet":   {Doc: "any packet of the client", Dir: session.ToServer, Fields: packetFields()},
			"server.packet":   {Doc: "any packet of the server", Dir: session.ToClient, Fields: packetFields()},
			"client.publish":  {Doc: "PUBLISH of the client", Dir: session.ToServer, Holds: true, Fields: publishFields()},
			"server.publish":  {Doc: "PUBLISH of the server", Dir: session.ToClient, Holds: true, Fields: publishFields()},
			"client.property": {Doc: "property of a packet of the client, version 5", Dir: session.ToServer, Fields: propertyFields()},
			"server.property": {Doc: "property of a packet of the server, version 5", Dir: session.ToClient, Fields: propertyFields()},
			"client.connect": {Doc: "CONNECT", Dir: session.ToServer, Fields: fields{
				"protocol": text("name of the protocol, MQTT or MQIsdp"), "version": {Type: protocol.Int, Settable: true, Doc: "3, 4 (3.1.1) or 5"},
				"flags": {Type: protocol.Int, Settable: true, Doc: "the connect flags"}, "clean": truth("clean session, clean start"),
				"keep_alive": {Type: protocol.Int, Settable: true, Doc: "seconds"}, "client_id": text("client identifier"),
				"will_topic": text(`"" without a will`), "will_message": text("its payload"), "username": text(`"" without`), "password": text(`"" without`),
			}},
			"client.filter": {Doc: "one topic filter of SUBSCRIBE or UNSUBSCRIBE", Dir: session.ToServer, Fields: fields{
				"topic": text("the filter"), "options": {Type: protocol.Int, Settable: true, Doc: "its octet of options, 0 for UNSUBSCRIBE"},
				"qos": whole("of its options"), "unsubscribe": truth("of an UNSUBSCRIBE"),
			}},
		},
		Vars: dialogue.ConnVars(map[string]protocol.Var{
			"mqtt.version":   {Type: protocol.Int, Doc: "version of the session as CONNECT said it"},
			"mqtt.client_id": {Type: protocol.String, Doc: `client identifier that CONNECT gave, "" before`},
		}),
	}
}

func packetFields() fields {
	return fields{
		"type":  {Type: protocol.String, Doc: "connect, connack, publish, … in lower case"},
		"flags": {Type: protocol.Int, Settable: true, Doc: "low four bits of the first octet"}, "size": whole("remaining length"),
		"packet_id": whole("0 where there is none"), "malformed": truth("its fields do not fill it, or reach beyond it"),
		"fault": {Type: protocol.String, Doc: "what is wrong with a malformed one: \"a text reaches beyond the packet\", \"a number …\", \"bytes behind the last field\" and others"},
		"body":  text("all behind the fixed header; of a long PUBLISH the front"),
	}
}

func publishFields() fields {
	return fields{
		"topic": text("topic name"), "payload": text("payload; of a PUBLISH of more than 8 KB its front, or as much as a rule at this element says with hold"), "qos": whole("0 to 2"),
		"retain": truth("retain flag"), "dup": truth("dup flag"), "packet_id": {Type: protocol.Int, Settable: true, Doc: "0 with qos 0"},
		"complete": truth("payload is whole"),
	}
}

func propertyFields() fields {
	return fields{
		"id": whole("identifier"), "key": {Type: protocol.String, Doc: "of a user property"}, "value": text("of text and binary properties"),
		"number": whole("of properties that are numbers"), "will": truth("it is one of the will"),
	}
}
