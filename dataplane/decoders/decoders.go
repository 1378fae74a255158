// Package decoders is the one list of the decoders that this firmware has, by
// the name under which a service and a definition ask for them. The dataplane
// makes inspectors of sessions from it, the author's command tests definitions
// with it. What a decoder does is in its own package below protocol.
package decoders

import (
	"time"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/protocol/ftp"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/protocol/mqtt"
	"wirepatch/dataplane/session"
)

// Options are what the decoder of a session is to know beside its rules.
type Options struct {
	Exceed    string           // "pass" or "reset": what becomes of a session at a limit
	MidStream bool             // the session was picked up after its beginning
	Clock     func() time.Time // nil: the system's
}

// Decoder is one protocol.
type Decoder struct {
	Schema protocol.Schema
	New    func(protocol.Rules, protocol.Conn, Options) session.Inspector
}

var all = map[string]Decoder{
	"http": {http.Schema(), func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
		return http.New(r, c, http.Options{Exceed: o.Exceed, MidStream: o.MidStream, Clock: o.Clock})
	}},
	"ftp":  {ftp.Schema(), inDialogue(ftp.New)},
	"mqtt": {mqtt.Schema(), inDialogue(mqtt.New)},
}

// inDialogue makes decoders that are built on package dialogue.
func inDialogue(f func(protocol.Rules, protocol.Conn, dialogue.Options) *dialogue.Decoder) func(protocol.Rules, protocol.Conn, Options) session.Inspector {
	return func(r protocol.Rules, c protocol.Conn, o Options) session.Inspector {
		return f(r, c, dialogue.Options{Exceed: o.Exceed, MidStream: o.MidStream, Clock: o.Clock})
	}
}

// Find returns the decoder of that name.
func Find(name string) (d Decoder, ok bool) {
	d, ok = all[name]
	return d, ok
}

// ForDefinitions returns all of them as definitions are compiled and tested
// with: at the time of tests.
func ForDefinitions() map[string]patch.Decoder {
	m := map[string]patch.Decoder{}
	for name, d := range all {
		m[name] = patch.Decoder{Schema: d.Schema, New: func(r protocol.Rules, c protocol.Conn) session.Inspector {
			return d.New(r, c, Options{Clock: func() time.Time { return patch.TestTime }})
		}}
	}
	return m
}
